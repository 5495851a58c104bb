package transport

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/tokensource"
)

// Transport is an http.RoundTripper that authenticates requests to its origins. Any other request passes to the base
// untouched, also when it is a hop of a redirect. New makes one; the zero value cannot be used. It is safe for concurrent
// use.
type Transport struct {
	// Behind a pointer, so that printing a struct which holds a Transport in an unexported field, where fmt does not
	// call Format, shows an address and not a source with its tokens.
	*parts
}

type parts struct {
	src       tokensource.Source
	renewer   tokensource.Renewer // src, or nil if it cannot renew
	ready     bearer.Ready        // the header values of src, or nil if it keeps none
	base      http.RoundTripper
	origins   origins
	rejected  func(*http.Response) bool
	retry     *retrier // nil means no retries
	maxReplay int64
	headers   headers
}

// RoundTrip sends req with the token of the source, in place of any Authorization header of the caller's, and never
// modifies req. If the server rejects the token (Options.Rejected), the source renews it and the request is replayed once;
// if the body cannot be replayed, or the token was renewed moments ago, the caller gets the server's answer as it came.
// The response's Request is req, which does not carry the token.
//
// Errors of the source are wrapped: match tokensource.ErrReauthorize and the others with errors.Is. ErrTokenType and
// ErrBadToken mean that the source's token cannot be sent.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.origins.has(req.URL) {
		return t.base.RoundTrip(req)
	}
	tok, auth, err := t.token(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	kept := t.keepBody(req)
	body := req.Body
	if kept != nil {
		body = kept
	}
	resp, err := t.send(req, body, auth)
	if err != nil || !t.refused(resp) {
		return resp, err
	}
	return t.replay(req, resp, tok, kept)
}

// CloseIdleConnections closes the idle connections of the base, if it keeps any.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// token returns the current token and the header value for it.
func (t *Transport) token(ctx context.Context) (*oauth2.Token, string, error) {
	var tok *oauth2.Token
	var auth string
	var err error
	if t.ready != nil {
		tok, auth, err = t.ready.Authorization(ctx)
	} else {
		tok, err = t.src.Token(ctx)
	}
	if err != nil {
		return nil, "", fmt.Errorf("transport: no access token: %w", err)
	}
	if auth == "" {
		auth, err = t.headers.value(tok)
	}
	return tok, auth, err
}

// send sends a stamped copy of req, with retries if they are on and the request can be repeated.
func (t *Transport) send(req *http.Request, body io.ReadCloser, auth string) (*http.Response, error) {
	var resp *http.Response
	var err error
	if t.retry != nil && repeatable(req) {
		resp, err = t.retry.send(t.base, req, body, auth)
	} else {
		resp, err = t.base.RoundTrip(stamp(req, body, auth))
	}
	if resp != nil {
		resp.Request = req // the copy carries the token, and people log responses
	}
	return resp, err
}

// refused reports whether resp means that another token should be tried.
func (t *Transport) refused(resp *http.Response) bool {
	return resp != nil && resp.StatusCode >= 400 && t.renewer != nil && t.rejected(resp)
}

// String names the origins and nothing else.
func (t *Transport) String() string {
	names := make([]string, len(t.origins))
	for i, o := range t.origins {
		names[i] = o.scheme + "://" + o.authority
	}
	return "transport.Transport(" + strings.Join(names, " ") + ")"
}

// Format prints String under every verb, so that no token can be printed.
func (t *Transport) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, t.String())
}

// LogValue logs String.
func (t *Transport) LogValue() slog.Value {
	return slog.StringValue(t.String())
}
