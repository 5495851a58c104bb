package oauth

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/internal/sendguard"
)

// sending is what became of the form of one request. The zero value means that
// nobody has tried to read it.
type sending struct {
	read    atomic.Bool           // the form, or a part of it, was read
	asked   atomic.Bool           // net/http was asked for a connection
	got     atomic.Bool           // net/http had a connection
	refused atomic.Pointer[error] // why the form could not be read, if so
}

// left reports whether the form, or a part of it, may have left this process.
//
// An http.RoundTripper may read the form before it has a connection, for
// example to record it. Where net/http makes the connections, it says whether
// there was one.
func (s *sending) left() bool {
	return s.read.Load() && (s.got.Load() || !s.asked.Load())
}

// trace notes whether there is a connection.
func (s *sending) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.got.Store(true) },
	}
}

// refuse remembers err, and returns it.
func (s *sending) refuse(err error) error {
	s.refused.Store(&err)
	return err
}

// formRequest returns a POST of form, and notes in s what becomes of the form.
//
// The first read of the body makes the last check, see [guardedForm]. So a
// process that was stopped between its last decision and the sending sends
// nothing when it goes on.
func formRequest(ctx context.Context, endpoint, form string, s *sending) (*http.Request, error) {
	body := func() (io.ReadCloser, error) {
		return io.NopCloser(&guardedForm{ctx: ctx, form: strings.NewReader(form), sending: s}), nil
	}
	first, _ := body()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, first)
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(form))
	// With GetBody, net/http repeats a request on a new connection if nothing of
	// it was written to the old one. The new body is guarded too.
	req.GetBody = body
	return req, nil
}

// guardedForm is a body that can be read only while the request may be sent:
// the deadline of ctx must not have passed, and the check of package sendguard
// must agree.
type guardedForm struct {
	ctx     context.Context //nolint:containedctx // the reader lives as long as the request does
	form    io.Reader
	sending *sending
	checked bool
}

func (r *guardedForm) Read(p []byte) (int, error) {
	// The wall clock decides. While a machine is suspended, timers and the
	// monotonic clock stand still.
	if deadline, ok := r.ctx.Deadline(); ok && !time.Now().Round(0).Before(deadline.Round(0)) {
		return 0, r.sending.refuse(context.DeadlineExceeded)
	}
	if !r.checked {
		if err := sendguard.Check(r.ctx); err != nil {
			return 0, r.sending.refuse(err)
		}
		r.checked = true
	}
	r.sending.read.Store(true)
	return r.form.Read(p)
}
