package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/tokensource"
)

// Transport is an http.RoundTripper that authenticates requests to its origins.
// It passes any other request to the base unchanged, also when the request
// follows a redirect. New makes one. The zero value cannot be used. It is safe
// for concurrent use.
type Transport struct {
	core func() *core // in a closure, so that a Transport that is printed does not show its source
}

// core is a Transport whose fields nobody can print by accident.
type core struct {
	src        tokensource.Source
	renewer    tokensource.Renewer           // src, or nil if it cannot renew
	authorizer tokensource.RequestAuthorizer // src, or nil if its tokens are sent as Bearer tokens
	ready      bearer.Ready                  // the header values of src, or nil if it keeps none
	wraps      bool                          // src embeds an engine, and may supply tokens of its own
	base       http.RoundTripper
	fresh      func() http.RoundTripper // base for the requests of the engine
	origins    origins
	own        grantOrigins
	form       *form // nil means the usual one
	endpoints  endpoints
	rejected   func(*http.Response) bool
	retry      *retrier // nil means no retries
	limits     *rateLimits
	maxReplay  int64
	headers    headers
	futile     *futile
	onEvent    func(context.Context, tokensource.Event)
	strict     bool
}

// RoundTrip sends req with the token of the source. The token replaces any
// Authorization header of the caller, and any such trailer. RoundTrip never
// modifies req.
//
// If the server rejects the token (Options.Rejected), the source renews it and
// the request is replayed once. If the body cannot be replayed, or the token
// was renewed moments ago, the caller gets the answer of the server unchanged.
// The Request of the response is req, which does not contain the token.
//
// Errors of the source are wrapped. Match tokensource.ErrReauthorize and the
// others with errors.Is. ErrTokenType and ErrBadToken mean that the token of
// the source cannot be sent, and ErrOtherOrigin that Options.Strict refused the
// request. After a deadline the Timeout method of the error returns true, as
// with http.Transport.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.core()
	if !c.sendsTokenTo(req) {
		own, err := c.sendsOwnTokenTo(req)
		if err != nil {
			return c.withoutGrant(req, err)
		}
		if !own {
			return c.pass(req)
		}
	}
	body, kept := c.keepBody(req)
	if kept != nil {
		defer kept.release()
	}
	var resp *http.Response
	var err error
	if c.authorizer != nil && c.ready == nil {
		resp, err = c.authorized(req, body, kept)
	} else {
		resp, err = c.bearer(req, body, kept)
	}
	if err != nil {
		err = timed(req.Context(), err)
	}
	return resp, err
}

// bearer sends req with a Bearer token, renews a token that is rejected, and
// replays the request once with the new one. A token of an engine that has no
// header value is bound to a key, or cannot be sent: its source knows which.
func (c *core) bearer(req *http.Request, body io.ReadCloser, kept *keptBody) (*http.Response, error) {
	tok, auth, err := c.token(req.Context())
	if err == nil && auth == "" {
		return c.authorized(req, body, kept)
	}
	if err != nil {
		if body != nil {
			body.Close()
		}
		c.report(req, err)
		return nil, err
	}
	resp, err := c.send(req, body, carrier{auth: auth, form: c.form})
	if err != nil || !c.refused(resp) {
		c.accepted(req, resp, tok)
		return resp, err
	}
	return c.replay(req, resp, tok, kept)
}

// CloseIdleConnections closes the idle connections of the base, if it keeps
// any.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.core().base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// token returns the current token and the header value for it.
func (c *core) token(ctx context.Context) (*oauth2.Token, string, error) {
	var tok *oauth2.Token
	var auth string
	var err error
	if c.ready != nil {
		tok, auth, err = c.ready.Authorization(ctx)
	} else {
		tok, err = c.src.Token(ctx)
	}
	if err != nil {
		return nil, "", fmt.Errorf("transport: no access token: %w", err)
	}
	if auth == "" && (c.ready == nil || c.authorizer == nil) {
		auth, err = c.headers.value(tok)
	}
	return tok, auth, err
}

// send sends a copy of req that carries a token, with retries if they are on
// and the request can be repeated.
func (c *core) send(req *http.Request, body io.ReadCloser, how carrier) (*http.Response, error) {
	var resp *http.Response
	var err error
	if c.retry != nil && repeatable(req) {
		resp, err = c.retry.send(c.base, req, body, how)
	} else {
		resp, err = how.send(c.base, req, body)
	}
	if resp != nil {
		resp.Request = req // the copy carries the token, and people log responses
		if resp.StatusCode/100 == 3 {
			withoutBadLocation(resp, how)
		}
	}
	if err != nil {
		err = unquoted(err, how)
	}
	return resp, err
}
