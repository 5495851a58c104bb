//go:build unix

package fleet_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

// The points of a refresh at which a process can be made to end, to stop or to wait.
const (
	announced   = "announced"    // the intent is written, and nothing has been sent
	requested   = "requested"    // the request is out, whatever the server does with it
	sent        = "sent"         // the server has redeemed the refresh token; the first byte of its answer is here, unread
	answered    = "answered"     // the answer has been read to its end
	beforeWrite = "before-write" // the new tokens are about to be written
	afterWrite  = "after-write"  // they have been written, and nobody has seen them
)

// gaveUp is news rather than a point: the time for a token request has passed without an answer.
const gaveUp = "gave-up"

// What can happen at a point.
const (
	kill = "kill" // the process ends, as the kernel ends one that has used up the memory
	stop = "stop" // the process stops until somebody continues it
	hold = "hold" // only the refresh waits, until release
)

// points has things happen at points of the refresh of a subject. Its zero value is ready, and safe for concurrent use.
type points struct {
	say      func(message)
	released chan struct{}

	mu       sync.Mutex // guards what follows; not held when something happens
	armed    map[string]arming
	answered map[string]bool // subjects with an answer that has not been written
}

type arming struct{ point, how string }

func newPoints(say func(message)) *points {
	return &points{say: say, released: make(chan struct{}), armed: map[string]arming{}, answered: map[string]bool{}}
}

// arm has how happen when a refresh of subject next reaches point.
func (p *points) arm(subject, point, how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed[subject] = arming{point, how}
}

// release lets all those go on who hold, and all who will.
func (p *points) release() { close(p.released) }

// reach is called at every point of every refresh.
func (p *points) reach(ctx context.Context, point string) {
	if p == nil {
		return
	}
	subject, _ := tokensource.SubjectFrom(ctx)
	p.mu.Lock()
	a := p.armed[subject]
	if a.point == point {
		delete(p.armed, subject)
	}
	p.mu.Unlock()
	if a.point != point {
		return
	}
	p.say(message{At: point, Subject: subject})
	switch a.how {
	case kill:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the kernel may take a moment
	case stop:
		stopUntilContinued()
	case hold:
		<-p.released
	}
}

// stopUntilContinued stops this process. Another thread may be the one that takes the signal, so this one goes round until
// it sees the gap in time.
func stopUntilContinued() {
	last := time.Now()
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	for {
		now := time.Now()
		if now.Sub(last) > time.Second {
			return
		}
		last = now
	}
}

// setAnswered takes note of whether there is an answer for subject that has not been written, and returns what was noted.
func (p *points) setAnswered(ctx context.Context, is bool) (was bool) {
	subject, _ := tokensource.SubjectFrom(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	was = p.answered[subject]
	p.answered[subject] = is
	return was
}

// passing is a store whose writes pass by points.
type passing struct {
	storage.Store
	points *points
}

func (s *passing) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	outcome := s.points != nil && s.points.setAnswered(ctx, false) // else it is the intent
	if outcome {
		s.points.reach(ctx, beforeWrite)
	}
	version, err := s.Store.Put(ctx, key, value, old)
	if outcome && err == nil {
		s.points.reach(ctx, afterWrite)
	}
	return version, err
}

// passingWire is a RoundTripper for the authorization server whose requests pass by points.
type passingWire struct {
	base   http.RoundTripper
	points *points
}

func (w *passingWire) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.points == nil {
		return w.base.RoundTrip(req)
	}
	ctx := req.Context()
	w.points.reach(ctx, announced)
	resp, err := w.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.points.reach(ctx, requested) },
		GotFirstResponseByte: func() { w.points.reach(ctx, sent) },
	})))
	if err != nil {
		w.points.failed(ctx)
		return nil, err
	}
	resp.Body = &passingBody{resp.Body, sync.OnceFunc(func() {
		w.points.setAnswered(ctx, resp.StatusCode == http.StatusOK)
		w.points.reach(ctx, answered)
	}), func() { w.points.failed(ctx) }}
	return resp, nil
}

// failed is called when there is no answer, or no end of it.
func (p *points) failed(ctx context.Context) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		subject, _ := tokensource.SubjectFrom(ctx)
		p.say(message{At: gaveUp, Subject: subject})
	}
}

// passingBody calls end when it has been read to its end, or failed.
type passingBody struct {
	io.ReadCloser
	end, failed func()
}

func (b *passingBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	switch {
	case errors.Is(err, io.EOF):
		b.end()
	case err != nil:
		b.failed()
	}
	return n, err
}
