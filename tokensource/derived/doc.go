// Package derived supplies access tokens for which nobody has to log in. The
// app asks for each token with its own credentials, with an assertion, or with
// the token of another source.
//
// # What it is for
//
// [NewAppSource] makes the source of an app's own token ([RFC 6749] section
// 4.4). X calls it the app-only Bearer token: it reads public data without a
// user. [NewAssertionSource] trades a signed assertion for a token ([RFC 7523]
// section 2.1). [NewExchangeSource] exchanges the tokens of another source,
// such as a grant.Keeper, for tokens of another API ([RFC 8693]).
// [NewIdentitySource] gets tokens from a server that trusts the identity
// provider of a user. For the grants of users who log in, use package grant.
//
// # Types
//
// All of these functions return a [Source], which package transport takes.
// [AppCredentials] are those of the app. An [Assertion] returns a signed
// statement, and an [Exchange] says what is exchanged.
//
// # Example
//
//	source, err := derived.NewAppSource(p, derived.AppCredentials{
//		ID: id, Credential: oauth.Secret(secret), Scopes: []string{"read"},
//	}, nil)
//	rt, err := transport.New(source, nil)
//	client := &http.Client{Transport: rt}
//
// # How tokens are kept
//
// Tokens are in memory and in no store. All callers share one request for a new
// one. The request begins before the old token expires, and while the server
// fails, requests are spaced out. A refresh token in an answer is not used.
//
// A source over another source keeps a token for as long as the token below is
// the current one. It asks the source below each time. So a logout there is
// seen at once.
//
// # Concurrency
//
// All types are safe for concurrent use.
//
// # Errors
//
// Errors of requests are those of package oauth, and of the source below.
// Errors of this package begin with "derived:" and mean that an argument cannot
// work. No error contains a token or an assertion.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
// [RFC 8693]: https://www.rfc-editor.org/rfc/rfc8693
package derived
