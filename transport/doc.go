// Package transport attaches access tokens to HTTP requests. A Transport wraps the http.RoundTripper that a program has
// already: it sends the token of a tokensource.Source to the configured origins and nowhere else, renews a token that the
// server rejects, and replays the request once with the new one.
//
// Retries after failures and rate limits are off until Options.Retry is set.
package transport
