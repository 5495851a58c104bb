package oauth

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/authtrip/authtrip/internal/redact"
)

// lost is the failure of a connection, told without the text of the error that
// reported it. Package net/http quotes what it cannot parse, and a gateway may
// have repeated there what it was sent. So that text is not passed on.
type lost struct {
	text    string
	timeout bool
	err     func() error // in a closure, so that nothing prints it
}

func (l *lost) Error() string { return l.text }

// Is lets errors.Is find the errors of the chain that is not shown.
func (l *lost) Is(target error) bool { return errors.Is(l.err(), target) }

// Timeout reports whether time was over.
func (l *lost) Timeout() bool { return l.timeout }

// fixed are texts of net/http, and what they mean.
var fixed = []struct{ part, text string }{
	{"http: server gave HTTP response to HTTPS client", "the server does not speak TLS: check the endpoint's port and scheme"},
	{"net/http: server response headers exceeded", "the headers of the answer exceeded the limit of the http.Transport"},
	{"http: server closed idle connection", "the server closed the connection before it answered"},
	{"net/http: HTTP/1.x transport connection broken", "the answer is not valid HTTP"},
	{"malformed HTTP", "the answer is not valid HTTP"},
}

// cause returns why a request has no complete answer: the reason why the
// context ended, if it did. Otherwise it returns what is known of err without a
// byte of the answer.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	hidden := func(text string) *lost {
		return &lost{text: text, timeout: timedOut(err), err: func() error { return err }}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return hidden(redact.Text(e.Error(), maxDescription)) // before anything was sent
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return hidden(e.Msg)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return hidden(redact.Text(e.Error(), maxDescription)) // of the operating system
	}
	if errors.Is(err, errNoCertificate) {
		return errNoCertificate
	}
	for _, f := range fixed {
		if strings.Contains(err.Error(), f.part) {
			return hidden(f.text)
		}
	}
	for _, end := range []error{io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, end) {
			return end
		}
	}
	if timedOut(err) {
		return hidden("the connection timed out")
	}
	return hidden("no valid answer came back; the text of the error is not shown, because it can quote what was sent")
}

// ended returns why a context ended. Its Timeout method says whether that was a
// deadline, also if the deadline has a cause of its own.
func ended(ctx context.Context) error {
	why := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.Is(why, context.DeadlineExceeded) {
		return &late{why}
	}
	return why
}

// late is the cause of a context whose deadline has passed.
type late struct{ error }

func (l *late) Unwrap() error { return l.error }

// Timeout is true: time was over.
func (l *late) Timeout() bool { return true }

func timedOut(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}
