// Package waiting tells a caller that its request waits for another process.
//
// # What it is for
//
// A process that was killed while it refreshed a grant leaves its intent
// behind. Until that ends, every other process waits, for half a minute as a
// rule. Package grant knows that. Package nativeapp has a user at a terminal,
// and tells the user why nothing happens.
//
// # Concurrency and errors
//
// All functions are safe for concurrent use, and nothing fails.
package waiting

import (
	"context"
	"time"
)

type key struct{}

// With returns a context for requests whose waits are reported to told: how
// long the wait has lasted, and how long it can still last. Told is called
// several times in one wait, and must return quickly.
func With(ctx context.Context, told func(lasted, left time.Duration)) context.Context {
	return context.WithValue(ctx, key{}, told)
}

// Report reports a wait to the function that ctx has, if it has one.
func Report(ctx context.Context, lasted, left time.Duration) {
	if told, ok := ctx.Value(key{}).(func(lasted, left time.Duration)); ok {
		told(lasted, left)
	}
}
