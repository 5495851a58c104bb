package xapi

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// openStream answers with JSON lines that come one by one.
func (v *visit) openStream() *oauthtest.Answer {
	k := &v.k.API
	a := answer(http.StatusOK, typeJSON, "")
	a.Stream = &stream{
		ctx: v.r.Context(), interval: cmp.Or(k.StreamInterval, 20*time.Second), lines: k.StreamLines, breakAt: k.StreamBreak,
		closed: make(chan struct{}),
	}
	return a
}

// stream makes its lines when they are read, so that it needs no goroutine. The
// first comes at once, then one after each interval: a post, or an empty line
// to keep the connection alive.
type stream struct {
	ctx      context.Context //nolint:containedctx // a Reader has nowhere else to get it from
	interval time.Duration
	lines    int
	breakAt  int
	closed   chan struct{}
	once     sync.Once

	sent int    // lines begun
	rest []byte // of the line that is being read
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next waits for the next line.
func (s *stream) next() error {
	switch {
	case s.breakAt > 0 && s.sent == s.breakAt:
		return io.ErrUnexpectedEOF
	case s.lines > 0 && s.sent == s.lines:
		return io.EOF
	}
	if err := s.pause(); err != nil {
		return err
	}
	s.sent++
	line := "\r\n"
	if s.sent%2 == 1 {
		line = fmt.Sprintf(`{"data":{"id":"%d","text":"line %d"}}`+"\r\n", s.sent, s.sent)
	}
	if s.sent == s.breakAt {
		line = `{"data":{"id":"`
	}
	s.rest = []byte(line)
	return nil
}

func (s *stream) pause() error {
	var due <-chan time.Time
	if s.sent > 0 {
		timer := time.NewTimer(s.interval)
		defer timer.Stop()
		due = timer.C
	} else {
		now := make(chan time.Time)
		close(now)
		due = now
	}
	select {
	case <-s.closed:
		return http.ErrBodyReadAfterClose
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	case <-due:
		return nil
	}
}

// Close ends the stream. It may be called while Read waits.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}
