// Package derived supplies access tokens for which no user and no refresh token
// are needed. The app asks for each token with its own credentials.
//
// # What it is for
//
// An [AppSource] supplies an app's own token ([RFC 6749] section 4.4). X calls
// it the app-only Bearer token: it reads public data without a user.
//
// # How tokens are kept
//
// The token is in memory and in no store. All callers share one request for a
// new one. The request begins before the old token expires, and while the
// server fails, requests are spaced out.
//
// # Concurrency
//
// All types are safe for concurrent use.
//
// # Errors
//
// Errors of requests are those of package oauth. Errors of this package begin
// with "derived:" and mean that an argument cannot work.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
package derived
