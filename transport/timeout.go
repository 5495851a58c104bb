package transport

import (
	"context"
	"errors"
	"os"
)

// timeoutError is an error whose cause is a deadline. It implements net.Error,
// as the errors of net/http do.
//
// http.Client asks the error of a RoundTripper itself, and not its causes,
// whether it is a timeout. So the outermost error must know it.
type timeoutError struct{ error }

func (e timeoutError) Unwrap() error { return e.error }

// Timeout implements net.Error.
func (timeoutError) Timeout() bool { return true }

// Temporary implements net.Error.
func (timeoutError) Temporary() bool { return true }

// timed returns err such that its Timeout method tells the truth. The context
// is that of the request.
func timed(ctx context.Context, err error) error {
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		return err
	}
	if !hitDeadline(ctx, err) {
		return err
	}
	return timeoutError{err}
}

// hitDeadline reports whether a cause of err is a deadline, which may be that
// of ctx with a cause of the program's.
func hitDeadline(ctx context.Context, err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.Cause(ctx)) {
		return true
	}
	var t interface {
		error
		Timeout() bool
	}
	return errors.As(err, &t) && t.Timeout()
}
