// Package transport sends HTTP requests with access tokens.
//
// # What it is for
//
// A [Transport] wraps the http.RoundTripper of a program. It sends the token of
// a [tokensource.Source] to the configured origins and nowhere else. If the
// server rejects the token, the Transport renews it, and replays the request
// once with the new token.
//
// # Types
//
// [New] returns a Transport, and [Options] are its settings. [RetryOptions] add
// retries after failures and rate limits. They are off until Options.Retry is
// set. [RateLimitFrom], [InsufficientFrom] and [Challenges] read what a
// response says. [Peek] lets a predicate look at the beginning of a body.
//
// # Example
//
//	authenticated, err := transport.New(keeper, nil)
//	client := &http.Client{Transport: authenticated}
//	ctx = keeper.WithSubject(ctx, user)
//	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
//	resp, err := client.Do(req)
//
// # Libraries that retry
//
// A library that repeats failed requests must not repeat one for which a user
// must log in: each attempt would fail, and the program would learn of it only
// after the last pause. So use one of these, and not two at once:
//
//   - Options.Retry, and no retries in the library above. With resty, leave
//     SetRetryCount out: resty repeats after any error.
//   - go-retryablehttp above the Transport, with CheckRetry and without
//     Options.Retry.
//   - Any other library with a condition that can stop it, such as one that
//     stops if Permanent reports true for the error.
//
// For go-retryablehttp:
//
//	client := retryablehttp.NewClient()
//	client.HTTPClient.Transport = authenticated
//	client.CheckRetry = transport.CheckRetry
//
// # Requests without a token
//
// A request to another origin than those of the Transport gets no token and is
// sent all the same. Options.OnEvent reports it, and Options.Strict refuses it
// if its context names a subject. Requests that package oauth makes for a
// Keeper pass as they are, also if the program sets http.DefaultTransport to
// the Transport, or uses one http.Client for everything.
//
// # Concurrency
//
// A Transport is safe for concurrent use. One client serves all users.
//
// # Errors
//
// RoundTrip wraps the errors of the source. Match [tokensource.ErrReauthorize],
// [tokensource.ErrTemporary] and the others with errors.Is. [ErrTokenType] and
// [ErrBadToken] mean that the token of the source cannot be sent.
// [ErrOtherOrigin] means that Options.Strict refused the request. After a
// deadline the Timeout method of an error returns true. No error contains a
// token.
package transport
