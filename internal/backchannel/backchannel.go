// Package backchannel marks the requests that this library makes for itself:
// to the authorization server, and those of functions that help to prepare
// such a request.
//
// A program may wrap http.DefaultTransport, or use one http.Client for
// everything. Then these requests pass through package transport too. A
// request that is made to obtain a token must not wait for that token (T9).
// Package oauth marks its contexts, and package transport lets a marked
// request pass as it is.
//
// A marked context has the values of the context that it was made of, except
// those that net/http and net read. A trace of the caller would otherwise see
// the headers of these requests, and so the client secret.
package backchannel

import (
	"context"
	"fmt"
	"net/http/httptrace"
)

type key struct{}

// With returns a context that marks the requests made under it.
func With(ctx context.Context) context.Context {
	return context.WithValue(untraced{ctx}, key{}, true)
}

// Is reports whether ctx is marked.
func Is(ctx context.Context) bool {
	return ctx.Value(key{}) != nil
}

// untraced is a context without the traces of net/http/httptrace.
type untraced struct {
	context.Context //nolint:containedctx // it is a context
}

// Value hides a trace. The keys of traces are not exported, so that the value
// shows what it is. A trace also has a part for package net, whose type is
// internal.
func (u untraced) Value(k any) any {
	v := u.Context.Value(k)
	if _, traced := v.(*httptrace.ClientTrace); traced {
		return nil
	}
	if v != nil && fmt.Sprintf("%T", v) == "*nettrace.Trace" {
		return nil
	}
	return v
}
