// Package flight waits for work that several callers share.
package flight

import (
	"context"
	"errors"

	"golang.org/x/sync/singleflight"
)

// Wait returns the outcome of a shared piece of work. If ctx ends first, Wait
// returns an error that wraps [context.Cause] of ctx, and the work goes on.
//
// A context that has already ended gets no outcome, even if one is ready: a
// caller that has given up must always see the same error.
func Wait[T any](ctx context.Context, outcome <-chan singleflight.Result) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, GaveUp(ctx)
	}
	select {
	case r := <-outcome:
		if r.Err != nil {
			return none, r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return none, GaveUp(ctx)
	}
}

// GaveUp returns the error of a caller whose ctx ended while it waited. Its
// Timeout method says whether that was a deadline, also if the deadline has a
// cause of its own.
func GaveUp(ctx context.Context) error {
	return &gaveUp{context.Cause(ctx), errors.Is(ctx.Err(), context.DeadlineExceeded)}
}

type gaveUp struct {
	cause error
	late  bool
}

func (e *gaveUp) Error() string { return "tokensource: gave up waiting: " + e.cause.Error() }

func (e *gaveUp) Unwrap() error { return e.cause }

// Timeout reports whether time was over.
func (e *gaveUp) Timeout() bool { return e.late }

// Temporary implements net.Error.
func (e *gaveUp) Temporary() bool { return e.late }
