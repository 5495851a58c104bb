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
	read    atomic.Bool                    // the form, or a part of it, was read
	asked   atomic.Bool                    // net/http was asked for a connection
	got     atomic.Bool                    // net/http had a connection
	refused atomic.Pointer[error]          // why the form could not be read, if so
	form    atomic.Pointer[strings.Reader] // the body, where net/http says when it is about to read it; otherwise nil
}

// left reports whether the form, or a part of it, may have left this process.
//
// An http.RoundTripper may read the form before it has a connection, for
// example to record it. Where net/http makes the connections, it says whether
// there was one.
func (s *sending) left() bool {
	return s.read.Load() && (s.got.Load() || !s.asked.Load())
}

// trace notes whether there is a connection, and makes the last check for a
// body of [sending.inMemory].
func (s *sending) trace(ctx context.Context) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { s.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { s.got.Store(true) },
		WroteHeaders: func() { s.check(ctx) },
	}
}

// refuse remembers err, and returns it.
func (s *sending) refuse(err error) error {
	s.refused.Store(&err)
	return err
}

// mayLeave returns why a form must not be sent any more, or nil. The deadline
// of ctx must not have passed, and the check of package sendguard must agree.
func mayLeave(ctx context.Context) error {
	if tooLate(ctx) {
		return context.DeadlineExceeded
	}
	return sendguard.Check(ctx)
}

// tooLate reports whether the deadline of ctx has passed. The wall clock
// decides. While a machine is suspended, timers and the monotonic clock stand
// still.
func tooLate(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Round(0).Before(deadline.Round(0))
}

// formRequest returns a POST of form, and notes in s what becomes of the form.
//
// The first read of the body makes the last check, see [guardedForm]. So a
// process that was stopped between its last decision and the sending sends
// nothing when it goes on.
func formRequest(ctx context.Context, endpoint, form string, s *sending) (*http.Request, error) {
	body := func() (io.ReadCloser, error) {
		return &guardedForm{ctx: ctx, text: form, form: strings.NewReader(form), sending: s}, nil
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

// inMemory gives a request of [formRequest] a body that net/http knows to be in
// memory. Net/http then sends headers and form together. Otherwise it sends the
// headers first, because it cannot know how long the first read takes. That is
// one more system call here and at the server, one more record of TLS, and one
// more packet.
//
// Net/http tells the trace that it has written the headers. The goroutine that
// has written them then makes the last check, and goes on to read the body. So
// no time passes in between. This must not be used where somebody else may read
// the body, or where the server must first answer the headers.
func (s *sending) inMemory(req *http.Request) {
	guarded, ok := req.Body.(*guardedForm)
	if !ok || req.Header.Get("Expect") != "" {
		return
	}
	form := guarded.text
	req.GetBody = func() (io.ReadCloser, error) {
		r := strings.NewReader(form)
		s.form.Store(r)
		return io.NopCloser(r), nil
	}
	req.Body, _ = req.GetBody()
}

// check is the last check for a body of inMemory. If the form must not be sent
// any more, the body becomes empty. Net/http then finds fewer bytes than it
// expects, and fails.
func (s *sending) check(ctx context.Context) {
	form := s.form.Load()
	if form == nil {
		return
	}
	if err := mayLeave(ctx); err != nil {
		_ = s.refuse(err)
		form.Reset("")
		return
	}
	s.read.Store(true)
}

// guardedForm is a body that can be read only while the request may be sent,
// see [mayLeave].
type guardedForm struct {
	ctx     context.Context //nolint:containedctx // the reader lives as long as the request does
	text    string
	form    io.Reader // of text
	sending *sending
	checked bool
}

// Close implements io.Closer. It does nothing.
func (r *guardedForm) Close() error { return nil }

func (r *guardedForm) Read(p []byte) (int, error) {
	if tooLate(r.ctx) {
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
