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
	c := p.chance.of("wire").nth(p.next("wire"))
	p.run.maybeEnd(p, c)
	if err := p.pass(c); err != nil {
		return nil, err
	}
	if !sleep(req.Context(), c.of("out").between(2*time.Millisecond, 40*time.Millisecond)) {
		return nil, context.Cause(req.Context())
	}
	// A process can be stopped between its last look at the clock and the moment
	// at which the bytes leave.
	p.run.maybeEnd(p, c.of("gap"))
	if err := p.pass(c.of("gap")); err != nil {
		return nil, err
	}
	fault := p.run.wireFault(p, c)
	if fault == "refused" {
		p.run.note(p, "", "a request is refused before it is sent")
		p.answered(nil, false, 0)
		return nil, errRefused
	}
	form, err := readForm(req) // the guard of the form may refuse to be read
	if err != nil {
		p.run.count("requests not sent because it was too late")
		return nil, err
	}
	sent := p.run.judge.sent(p, form, req.Header.Get("DPoP"), fault)
	if fault == "" && sent.again {
		fault = p.run.secondFault(c)
	}
	p.run.maybeRace(sent, c)
	resp, err := w.deliver(req, form, fault, sent, c)
	if passed := p.pass(c.of("answer")); passed != nil {
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
func (w wire) deliver(req *http.Request, form url.Values, fault string, s *send, c chance) (*http.Response, error) {
	p, ctx := w.p, req.Context()
	switch fault {
	case "lost before":
		sleep(ctx, c.of("lost").between(time.Second, 5*time.Second))
		return nil, w.lost(errReset)
	case "status":
		if !sleep(ctx, c.of("back").between(2*time.Millisecond, 40*time.Millisecond)) {
			return nil, w.lost(context.Cause(ctx))
		}
		resp, pause := unavailable(c)
		p.run.judge.failed(s, pause)
		return resp, nil
	case "late": // it arrives though nobody waits for it any more
		late := c.of("late").between(time.Second, 50*time.Second)
		p.run.later(late, func() { _, _ = w.handle(context.Background(), req, form, s) })
		<-ctx.Done()
		return nil, w.lost(context.Cause(ctx))
	case "slow":
		if !sleep(ctx, c.of("slow").between(time.Second, 15*time.Second)) {
			return nil, w.lost(context.Cause(ctx))
		}
	}
	resp, err := w.handle(ctx, req, form, s)
	switch {
	case err != nil:
		return nil, w.lost(err)
	case fault == "lost after":
		resp.Body.Close()
		return nil, w.lost(errReset)
	case fault == "hang":
		resp.Body.Close()
		<-ctx.Done()
		return nil, w.lost(context.Cause(ctx))
	case !sleep(ctx, c.of("back").between(2*time.Millisecond, 40*time.Millisecond)):
		resp.Body.Close()
		return nil, w.lost(context.Cause(ctx))
	}
	p.run.judge.received(s, resp.StatusCode)
	return resp, nil
}

// lost notes that an answer was lost. How the engine counts that is not judged.
func (w wire) lost(err error) error {
	w.p.answered(nil, false, 0)
	return err
}

// handle has the server answer.
func (w wire) handle(ctx context.Context, req *http.Request, form url.Values, s *send) (*http.Response, error) {
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
	w.p.run.judge.handled(s, resp.StatusCode, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// unavailable is the answer of a server that has trouble, and the pause that it
// asks for.
func unavailable(c chance) (*http.Response, time.Duration) {
	header := http.Header{"Content-Type": {"text/plain"}}
	pause := time.Duration(0)
	if c.of("retry").hit(0.5) {
		seconds := 1 + c.of("after").below(20)
		pause = time.Duration(seconds) * time.Second
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Header: header,
		Body: io.NopCloser(bytes.NewBufferString("maintenance")),
	}, pause
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
