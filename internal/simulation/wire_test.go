package simulation_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// wire is the way from one process to the server.
type wire struct {
	p *process
}

var (
	errReset   = errors.New("connection reset")
	errRefused = errors.New("connection refused")
)

// RoundTrip sends one request of the process, with whatever fault the seed has
// for it.
func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
	p := w.p
	if err := p.pass(); err != nil {
		return nil, err
	}
	kind, n := "wire", p.next("wire")
	c := p.chance.of(kind, strconv.Itoa(n))
	if !sleep(req.Context(), c.of("out").between(2*time.Millisecond, 40*time.Millisecond)) {
		return nil, context.Cause(req.Context())
	}
	if err := p.pass(); err != nil {
		return nil, err
	}
	fault := p.run.wireFault(p, c)
	if fault == "refused" {
		p.run.note(p, "", "a request is refused before it is sent")
		return nil, errRefused
	}
	form, err := readForm(req) // the guard of the form may refuse to be read
	if err != nil {
		return nil, err
	}
	sent := p.run.judge.sent(p, form, fault)
	p.run.maybeRace(sent, c)
	resp, err := w.deliver(req, form, fault, sent, c)
	if passed := p.pass(); passed != nil {
		return nil, passed
	}
	return resp, err
}

func readForm(req *http.Request) (url.Values, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(body))
}

// deliver brings the form to the server and the answer back, or loses one of
// them.
func (w wire) deliver(req *http.Request, form url.Values, fault string, sent *send, c chance) (*http.Response, error) {
	p, ctx := w.p, req.Context()
	switch fault {
	case "lost before":
		sleep(ctx, c.of("lost").between(time.Second, 5*time.Second))
		return nil, errReset
	case "status":
		sent.answered = true
		return unavailable(c), nil
	case "late": // it arrives though nobody waits for it any more
		late := c.of("late").between(time.Second, 50*time.Second)
		p.run.later(late, func() { w.handle(context.Background(), req, form, sent) })
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case "slow":
		if !sleep(ctx, c.of("slow").between(time.Second, 15*time.Second)) {
			return nil, context.Cause(ctx)
		}
	}
	resp, err := w.handle(ctx, req, form, sent)
	switch {
	case err != nil:
		return nil, err
	case fault == "lost after":
		resp.Body.Close()
		return nil, errReset
	case fault == "hang":
		resp.Body.Close()
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case !sleep(ctx, c.of("back").between(2*time.Millisecond, 40*time.Millisecond)):
		resp.Body.Close()
		return nil, context.Cause(ctx)
	}
	sent.answered = true
	p.run.judge.received(p, sent, resp)
	return resp, nil
}

// handle has the server answer.
func (w wire) handle(ctx context.Context, req *http.Request, form url.Values, sent *send) (*http.Response, error) {
	again := req.Clone(ctx)
	text := form.Encode()
	again.Body, again.ContentLength = io.NopCloser(bytes.NewBufferString(text)), int64(len(text))
	resp, err := w.p.run.fake.Transport().RoundTrip(again)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	sent.reached = true
	w.p.run.judge.handled(sent, resp.StatusCode, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// unavailable is the answer of a server that has trouble.
func unavailable(c chance) *http.Response {
	header := http.Header{"Content-Type": {"text/plain"}}
	if c.of("retry").hit(0.5) {
		header.Set("Retry-After", strconv.Itoa(1+c.of("after").below(20)))
	}
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Header: header,
		Body: io.NopCloser(bytes.NewBufferString("maintenance")),
	}
}

// sleep waits in the time of the bubble. It reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
