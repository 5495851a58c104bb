// Package firsttrade says which of two requests trades an access token for the
// next one.
//
// Some servers have no refresh tokens, and trade an access token itself
// (Provider.Trade). The token of a login is traded in another way than one that
// came from a trade. Package grant knows which of them a token is, and package
// oauth sends the request. All functions are safe for concurrent use, and
// nothing fails.
package firsttrade

import "context"

type key struct{}

// With returns a context for the trade of a token that came from a login.
func With(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, true)
}

// Is reports whether ctx is of [With].
func Is(ctx context.Context) bool {
	first, _ := ctx.Value(key{}).(bool)
	return first
}
