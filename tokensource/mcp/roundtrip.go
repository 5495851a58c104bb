package mcp

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// Client returns an http.Client for the MCP server. It sends the token with
// every request to the MCP server, also a token that is bound to a key, and logs
// the user in when the server demands it. Requests elsewhere pass without a
// token. Use it without the Handler: as HTTPClient of the SDK's
// StreamableClientTransport, or alone.
//
// After a login the request is sent once more if it has no body, or GetBody.
func (h *Handler) Client() *http.Client {
	return &http.Client{Transport: roundTripper{h}}
}

type roundTripper struct{ h *Handler }

// maxTries is how often one request is sent, at most.
const maxTries = 4

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
		demands := err == nil && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden)
		if !demands || try == maxTries {
			return resp, err
		}
		next = again(req)
		if next == nil || !wants(resp) {
			return resp, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		_ = resp.Body.Close()
		err = h.authorize(req.Context(), attempt{req: req, resp: resp, since: since, renewed: sent})
		if err != nil {
			if next.Body != nil {
				_ = next.Body.Close()
			}
			return nil, err
		}
	}
}

// wants reports whether an answer asks for authorization.
func wants(resp *http.Response) bool {
	_, lacks := transport.InsufficientFrom(resp)
	return resp.StatusCode == http.StatusUnauthorized || lacks
}

// send sends a request, with the token if there is one, and reports whether
// there was one.
func (rt roundTripper) send(req *http.Request) (*http.Response, bool, error) {
	c, err := rt.h.connection(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, false, err
	}
	if c != nil {
		again := again(req)
		resp, err := c.tokens.RoundTrip(req)
		if again == nil || !errors.Is(err, tokensource.ErrReauthorize) {
			return resp, true, err
		}
		req = again // the answer without a token says what to do
	}
	bare := req.Clone(req.Context())
	bare.Header.Del("Authorization")
	resp, err := rt.h.options.base().RoundTrip(bare)
	return resp, false, err
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

// covers reports whether a URL is one of the MCP server: the same origin, and
// the path of the endpoint or one below it.
func (h *Handler) covers(u *url.URL) bool {
	if u == nil || !strings.EqualFold(u.Scheme, h.at.Scheme) || !strings.EqualFold(u.Host, h.at.Host) {
		return false
	}
	base := strings.TrimSuffix(h.at.EscapedPath(), "/")
	path := u.EscapedPath()
	return path == base || path == base+"/" || strings.HasPrefix(path, base+"/") && !strings.Contains(u.Path, "/..")
}
