package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RetryOptions say how requests are repeated. A request is repeated
//
//   - after 429 (Too Many Requests), and after other answers that the source
//     knows as rate limits (tokensource.APIFacts), whatever its method, because
//     the server did not process it;
//   - after 500, 502, 503, 504 and failed connections, if it may be processed
//     twice: GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 section 9.2.2),
//     and any request with an Idempotency-Key header.
//
// A request whose body has no GetBody is sent once, because no body is kept in
// memory for a retry. The caller gets the last answer unchanged.
type RetryOptions struct {
	// MaxRetries is how often a request is repeated at most. Zero means 3.
	MaxRetries int

	// MaxWait is the longest pause before a repetition. Zero means 15 seconds. If
	// the server asks for a longer pause (Retry-After, or rate-limit headers), or
	// if the context of the request ends earlier, the request is not repeated.
	// The caller gets the answer at once, and RateLimitFrom says when to try again.
	MaxWait time.Duration

	// FirstWait is the upper bound of the first pause when the server asks for
	// none. The bound doubles each time, up to MaxWait. The pause is a random part
	// of it. Zero means 500 milliseconds.
	FirstWait time.Duration
}

// retrier holds checked RetryOptions.
type retrier struct {
	max                int
	maxWait, firstWait time.Duration
	limits             *rateLimits
}

func newRetrier(o *RetryOptions, limits *rateLimits) (*retrier, error) {
	if o == nil {
		return nil, nil
	}
	if o.MaxRetries < 0 || o.MaxWait < 0 || o.FirstWait < 0 {
		return nil, errors.New("transport: a setting in RetryOptions is negative: leave Options.Retry nil for no retries")
	}
	r := &retrier{max: o.MaxRetries, maxWait: o.MaxWait, firstWait: o.FirstWait, limits: limits}
	if r.max == 0 {
		r.max = 3
	}
	if r.maxWait == 0 {
		r.maxWait = 15 * time.Second
	}
	if r.firstWait == 0 {
		r.firstWait = 500 * time.Millisecond
	}
	return r, nil
}

// send sends stamped copies of req, which is repeatable, through base until one
// attempt is final. A first attempt that is final costs nothing more than
// without retries.
func (r *retrier) send(base http.RoundTripper, req *http.Request, body io.ReadCloser, how carrier) (*http.Response, error) {
	resp, err := how.send(base, req, body)
	if err == nil && resp != nil && !r.limits.hit(resp) && !serverFailed(resp) {
		return resp, nil
	}
	c := &retryCall{retrier: r, base: base, req: req, how: how, idempotent: idempotent(req), resp: resp, err: err}
	return c.run()
}

// retryCall is one request with its attempts, one after another. It is the
// http.RoundTripper below the retrying client.
type retryCall struct {
	*retrier
	base       http.RoundTripper
	req        *http.Request
	how        carrier
	idempotent bool

	attempts int
	pausing  bool          // an attempt is to follow
	pause    time.Duration // before that attempt
	resp     *http.Response
	err      error
}

// run lets the retrying client loop and pause. The client is given an empty
// stand-in for the request, for three reasons: it reads bodies into memory
// unless it knows their type, it repeats what a base has done to the headers,
// and http.Client refuses requests that an http.RoundTripper may be given.
func (c *retryCall) run() (*http.Response, error) {
	client := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: c},
		RetryMax:     c.max,
		CheckRetry:   c.check,
		Backoff:      c.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	standIn := (&http.Request{Method: c.req.Method, URL: c.req.URL}).WithContext(c.req.Context())
	_, err := client.Do(&retryablehttp.Request{Request: standIn})
	if c.pausing {
		return nil, context.Cause(c.req.Context()) // the pause before the next attempt was cut short
	}
	if c.resp == nil && c.err == nil {
		return nil, err // a base that returns nothing at all
	}
	return c.resp, c.err
}

// RoundTrip makes one attempt, or hands over the first, which was made already.
// The request given to it is the stand-in.
func (c *retryCall) RoundTrip(*http.Request) (*http.Response, error) {
	c.pausing = false
	c.attempts++
	if c.attempts > 1 {
		c.resp, c.err = c.again()
	}
	if c.err == nil && c.resp != nil && c.resp.StatusCode/100 == 3 {
		// The caller's client follows a redirect. The http.Client of the loop must not
		// even look at it.
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	}
	return c.resp, c.err
}

func (c *retryCall) again() (*http.Response, error) {
	body, err := freshBody(c.req)
	if err != nil {
		c.attempts = c.max + 1 // nothing can be repeated any more
		return nil, fmt.Errorf("transport: opening the request body again: %w", err)
	}
	return c.how.send(c.base, c.req, body)
}

// check decides whether another attempt follows, and after which pause.
func (c *retryCall) check(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if c.attempts > c.max || !c.worthwhile(ctx, err) {
		return false, nil
	}
	c.pause = c.nextPause()
	deadline, limited := ctx.Deadline()
	if c.pause > c.maxWait || limited && !time.Now().Add(c.pause).Before(deadline) {
		return false, nil
	}
	c.pausing = true
	if err == nil { // the client would drain the body without bounds, and it may never end
		discard(c.resp)
		c.resp.Body = http.NoBody
	}
	return true, nil
}

// worthwhile reports whether an attempt that ended like this may and should be
// repeated.
func (c *retryCall) worthwhile(ctx context.Context, err error) bool {
	if c.how.failed() {
		return false // the source has no token: that is no failure of the connection
	}
	if err != nil {
		again, _ := retryablehttp.DefaultRetryPolicy(ctx, nil, err) // not after a bad certificate, scheme or header
		return again && c.idempotent
	}
	return c.limits.hit(c.resp) || serverFailed(c.resp) && c.idempotent
}

// serverFailed reports a status after which the same request may succeed.
func serverFailed(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// idempotent reports whether req may be processed twice.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get("Idempotency-Key") != ""
}
