// Package home carries the origin of the authorization server that a grant is
// of, for services that have several such servers for one app.
//
// The authorization response names the server (Provider.TokenHostParam). The
// name is stored with the grant. Packages middleware and grant put it into the
// context of each request for that grant, and package oauth, which compares it
// with Provider.TokenHosts, sends the request there. All functions are safe for
// concurrent use.
package home

import "context"

type key struct{}

// With returns a context for requests to the server at origin. An empty origin
// changes nothing.
func With(ctx context.Context, origin string) context.Context {
	if origin == "" {
		return ctx
	}
	return context.WithValue(ctx, key{}, origin)
}

// Of returns the origin that [With] put into ctx, or an empty text.
func Of(ctx context.Context) string {
	origin, _ := ctx.Value(key{}).(string)
	return origin
}
