package mcp

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// Client returns an http.Client for the MCP server. It sends the token with
// every request to the MCP server, also a token that is bound to a key, and
// logs the user in when the server demands it. Requests elsewhere pass without
// a token. Use it without the Handler: as HTTPClient of the SDK's
// StreamableClientTransport, or alone.
//
// After a login the request is sent once more if it has no body, or GetBody. If
// the server rejects a token that was just renewed, the program gets the answer
// with status 401: see [ErrRejected].
func (h *Handler) Client() *http.Client {
	return &http.Client{Transport: roundTripper{h}}
}

type roundTripper struct{ h *Handler }

// maxTries is how often one request is sent, at most.
const maxTries = 5

// RoundTrip implements http.RoundTripper.
func (rt roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	h := rt.h
	if !h.covers(req.URL) {
		return h.options.base().RoundTrip(req)
	}
	next := req
	for try := 1; ; try++ {
		since := h.count()
		resp, sent, err := rt.send(next)
		if sent == carried && err == nil && resp.StatusCode != http.StatusUnauthorized {
			h.accepted()
		}
		demands := err == nil && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden)
		if !demands || try == maxTries {
			return resp, err
		}
		next = again(req)
		if next == nil || !wants(resp) {
			return resp, nil
		}
		err = h.authorize(req.Context(), attempt{req: req, resp: resp, since: since, renewed: sent == carried, ended: sent == ended, told: true})
		if err != nil && next.Body != nil {
			_ = next.Body.Close()
		}
		if errors.Is(err, ErrRejected) {
			return resp, nil // no token helps: the answer is the program's
		}
		_ = resp.Body.Close() // it may have no end, so it is not drained
		if err != nil {
			return nil, err
		}
	}
}

// wants reports whether an answer asks for authorization.
func wants(resp *http.Response) bool {
	_, lacks := transport.InsufficientFrom(resp)
	return resp.StatusCode == http.StatusUnauthorized || lacks
}

// sending says how a request was sent.
type sending int

const (
	bare    sending = iota // without a token: there is none
	ended                  // without a token: that of the connection cannot be renewed
	carried                // with the token
)

// send sends a request, with the token if there is one.
func (rt roundTripper) send(req *http.Request) (*http.Response, sending, error) {
	c, err := rt.h.connection(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, bare, err
	}
	how := bare
	if c != nil && !c.over.Load() {
		again := again(req)
		resp, err := c.tokens.RoundTrip(req)
		if err == nil || again == nil {
			return resp, carried, err
		}
		if lost := rt.h.lost(req.Context(), c, err); lost != nil {
			if again.Body != nil {
				_ = again.Body.Close()
			}
			return nil, carried, lost
		}
		if errors.Is(err, tokensource.ErrReauthorize) {
			how = ended
		}
		req = again // the answer without a token says what to do
	}
	plain := req.Clone(req.Context())
	plain.Header.Del("Authorization")
	resp, err := rt.h.options.base().RoundTrip(plain)
	return resp, how, err
}

// again returns the request for another try, or nil if its body is gone then.
func again(req *http.Request) *http.Request {
	next := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return next
	}
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	next.Body = body
	return next
}

// covers reports whether a URL is one of the MCP server.
func (h *Handler) covers(u *url.URL) bool { return covers(h.at, u) }

// covers reports whether a URL has the origin of an endpoint, and its path or
// one below it. A token for one MCP server must not reach another one on the
// same host.
func covers(at, u *url.URL) bool {
	if u == nil || !strings.EqualFold(u.Scheme, at.Scheme) || !strings.EqualFold(u.Host, at.Host) {
		return false
	}
	base := strings.TrimSuffix(at.EscapedPath(), "/")
	path := u.EscapedPath()
	return path == base || strings.HasPrefix(path, base+"/") && !strings.Contains(u.Path, "/..")
}

// only sends tokens to one endpoint.
type only struct {
	at           *url.URL
	tokens, base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (o only) RoundTrip(req *http.Request) (*http.Response, error) {
	if covers(o.at, req.URL) {
		return o.tokens.RoundTrip(req)
	}
	return o.base.RoundTrip(req)
}
