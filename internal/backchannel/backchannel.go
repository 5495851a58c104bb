// Package backchannel marks the requests that this library makes for itself:
// to the authorization server, and those of functions that help to prepare
// such a request.
//
// A program may wrap http.DefaultTransport, or use one http.Client for
// everything. Then these requests pass through package transport too. A
// request that is made to obtain a token must not wait for that token (T9).
// Package oauth marks its contexts, and package transport lets a marked
// request pass as it is.
package backchannel

import "context"

type key struct{}

// With returns a context that marks the requests made under it.
func With(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, true)
}

// Is reports whether ctx is marked.
func Is(ctx context.Context) bool {
	return ctx.Value(key{}) != nil
}
