// Package transport sends HTTP requests with access tokens.
//
// # What it is for
//
// A Transport wraps the http.RoundTripper of a program. It sends the token of a
// [tokensource.Source] to the configured origins and nowhere else. If the
// server rejects the token, the Transport renews it, and replays the request
// once with the new token.
//
// # Its types
//
// New returns a Transport, and Options are its settings. RetryOptions add
// retries after failures and rate limits. They are off until Options.Retry is
// set. RateLimitFrom and Challenges read what a response says.
//
// # Example
//
//	authenticated, err := transport.New(keeper, nil)
//	client := &http.Client{Transport: authenticated}
//	ctx = keeper.WithSubject(ctx, user)
//	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
//	resp, err := client.Do(req)
//
// # Concurrency
//
// A Transport is safe for concurrent use. One client serves all users.
//
// # Errors
//
// RoundTrip wraps the errors of the source. Match [tokensource.ErrReauthorize],
// [tokensource.ErrTemporary] and the others with errors.Is. ErrTokenType and
// ErrBadToken mean that the token of the source cannot be sent. No error
// contains a token.
package transport
