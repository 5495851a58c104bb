package transport

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/tokensource"
)

// endpoints are URLs of the authorization server itself. No request to one of
// them gets a token (T9), also if the server and its API have the same origin.
type endpoints []endpoint

// endpoint is one such URL. Its query does not count.
type endpoint struct {
	origin origin
	path   string
}

// endpointsOf returns the endpoints that src names.
func endpointsOf(src tokensource.Source) (endpoints, error) {
	scoper, ok := src.(tokensource.Scoper)
	if !ok {
		return nil, nil
	}
	var list endpoints
	for _, raw := range scoper.Endpoints() {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("transport: the source names an endpoint that is not a URL")
		}
		o, err := parseOrigin(u.Scheme+"://"+u.Host, true)
		if err != nil {
			return nil, fmt.Errorf("transport: the source names an endpoint that cannot be one: %w", err)
		}
		list = append(list, endpoint{o, rooted(u.Path)})
	}
	return list, nil
}

// rooted returns the path that a client sends for path.
func rooted(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// has reports whether u is one of the endpoints. The path is compared first:
// paths of an API seldom have the length of one of these, so that a comparison
// costs about a nanosecond.
func (s endpoints) has(u *url.URL) bool {
	path := rooted(u.Path)
	for i := range s {
		if s[i].path == path && s[i].origin.at(u) {
			return true
		}
	}
	return false
}

// sendsTokenTo reports whether req gets a token.
func (c *core) sendsTokenTo(req *http.Request) bool {
	return c.origins.has(req.URL) && !c.endpoints.has(req.URL) && !ownRequest(req)
}

// ownRequest reports whether package oauth made req with a token of its own, to
// ask who a user is (T9). Only such a request comes with an Authorization
// header under a marked context, and the header is the cheaper one to look at.
func ownRequest(req *http.Request) bool {
	return req.Header[authorization] != nil && backchannel.Is(req.Context())
}
