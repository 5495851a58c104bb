// Package sendguard carries a last check from the engine to the moment at which
// the bytes of a request leave the process.
//
// Between the decision to redeem a refresh token and the sending of it, a
// process may be stopped for any time. When it goes on, its intent may have
// ended, and another process may redeem the token. Only a check that runs
// directly before the sending is safe. The engine puts such a check into the
// context of a request. The reader of the request's body calls it.
package sendguard

import "context"

type key struct{}

// With returns a context under which check decides whether a request may still
// be sent. If check returns an error, nothing is sent. Only the innermost check
// of a context counts. The function check must be safe for concurrent use.
func With(ctx context.Context, check func() error) context.Context {
	return context.WithValue(ctx, key{}, check)
}

// Check calls the check of ctx and returns its error. Without a check it
// returns nil.
func Check(ctx context.Context) error {
	if check, ok := ctx.Value(key{}).(func() error); ok {
		return check()
	}
	return nil
}
