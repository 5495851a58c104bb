package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RetryOptions say how requests are repeated. Repeated are:
//
//   - after 429 (Too Many Requests), every request: the server did not process it;
//   - after 500, 502, 503, 504 and failed connections, requests that may be processed twice: GET, HEAD, OPTIONS, TRACE, PUT,
//     DELETE (RFC 9110 section 9.2.2), and any with an Idempotency-Key header.
//
// A request whose body has no GetBody is sent once: nothing is kept in memory for a retry. The last answer goes to the
// caller as it came.
type RetryOptions struct {
	// MaxRetries is how often a request is repeated at most. Zero means 3.
	MaxRetries int

	// MaxWait is the longest pause before a repetition. Zero means 15 seconds. If the server asks for a longer one
	// (Retry-After, or X's rate-limit headers), or if the request's context ends earlier, there is no pause: its answer
	// goes to the caller at once, and RateLimitFrom tells when to come back.
	MaxWait time.Duration

	// FirstWait bounds the first pause when the server asks for none; the bound doubles each time, up to MaxWait, and
	// the pause is a random part of it. Zero means 500 milliseconds.
	FirstWait time.Duration
}

// retrier holds checked RetryOptions.
type retrier struct {
	max                int
	maxWait, firstWait time.Duration
}

func newRetrier(o *RetryOptions) (*retrier, error) {
	if o == nil {
		return nil, nil
	}
	if o.MaxRetries < 0 || o.MaxWait < 0 || o.FirstWait < 0 {
		return nil, errors.New("transport: a setting in RetryOptions is negative: leave Options.Retry nil for no retries")
	}
	r := &retrier{max: o.MaxRetries, maxWait: o.MaxWait, firstWait: o.FirstWait}
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

// send sends stamped copies of req, which is repeatable, through base until one attempt is final.
func (r *retrier) send(base http.RoundTripper, req *http.Request, body io.ReadCloser, auth string) (*http.Response, error) {
	c := &retryCall{retrier: r, base: base, req: req, body: body, auth: auth, idempotent: idempotent(req)}
	// The client runs the loop and the pauses. It is given an empty stand-in for the request, for three reasons: it reads
	// bodies into memory unless it knows their type, it repeats what a base has done to the headers, and http.Client
	// refuses requests that http.RoundTripper allows.
	client := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: c},
		RetryMax:     r.max,
		CheckRetry:   c.check,
		Backoff:      c.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	standIn := &retryablehttp.Request{Request: (&http.Request{Method: req.Method, URL: req.URL}).WithContext(req.Context())}
	_, err := client.Do(standIn)
	if c.pausing {
		return nil, context.Cause(req.Context()) // the pause before the next attempt was cut short
	}
	if c.resp == nil && c.err == nil {
		return nil, err // a base that returns nothing at all
	}
	return c.resp, c.err
}

// retryCall is one request with its attempts, one after another. It is the http.RoundTripper below the retrying client.
type retryCall struct {
	*retrier
	base       http.RoundTripper
	req        *http.Request
	body       io.ReadCloser // of the first attempt
	auth       string
	idempotent bool

	attempts int
	pausing  bool          // an attempt is to follow
	pause    time.Duration // before that attempt
	resp     *http.Response
	err      error
}

// RoundTrip makes one attempt; the request given to it is only the stand-in.
func (c *retryCall) RoundTrip(*http.Request) (*http.Response, error) {
	c.pausing = false
	c.attempts++
	body := c.body
	if c.attempts > 1 {
		if body, c.err = freshBody(c.req); c.err != nil {
			c.resp, c.err = nil, fmt.Errorf("transport: opening the request body again: %w", c.err)
			c.attempts = c.max + 1 // nothing to repeat
			return nil, c.err
		}
	}
	c.resp, c.err = c.base.RoundTrip(stamp(c.req, body, c.auth))
	if c.err == nil && c.resp != nil && c.resp.StatusCode/100 == 3 {
		// A redirect is for the caller's client to follow: http.Client in the loop must not even look at it.
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	}
	return c.resp, c.err
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
	return true, nil
}

// worthwhile reports whether an attempt that ended like this may and should be repeated.
func (c *retryCall) worthwhile(ctx context.Context, err error) bool {
	if err != nil {
		again, _ := retryablehttp.DefaultRetryPolicy(ctx, nil, err) // not after a bad certificate, scheme or header
		return again && c.idempotent
	}
	switch c.resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return c.idempotent
	}
	return false
}

// nextPause is what the server asks for, or else a random part of a bound that doubles with each attempt.
func (c *retryCall) nextPause() time.Duration {
	if c.resp != nil {
		if asked := askedPause(c.resp); asked > 0 {
			return asked
		}
	}
	bound := c.maxWait
	if shift := c.attempts - 1; shift < 32 && c.firstWait<<shift>>shift == c.firstWait {
		bound = min(c.firstWait<<shift, c.maxWait)
	}
	return rand.N(bound) + 1
}

func (c *retryCall) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return c.pause
}

// idempotent reports whether req may be processed twice.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get("Idempotency-Key") != ""
}
