package transport

import (
	"fmt"
	"net/http"
	"net/url"

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
	if !c.origins.has(req.URL) && !c.grantHas(req) {
		return false
	}
	return !c.endpoints.has(req.URL)
}

// grantHas reports whether req goes to an origin that came with the grant of
// its subject. Such an origin must be https. Without a token there is no such
// origin, and the request passes.
func (c *core) grantHas(req *http.Request) bool {
	if c.scoper == nil || req.URL == nil || req.URL.Opaque != "" || req.URL.Scheme != "https" {
		return false
	}
	tok, err := c.src.Token(req.Context())
	if err != nil || tok == nil {
		return false
	}
	for _, raw := range c.scoper.APIOrigins(tok) {
		if o, err := parseOrigin(raw, false); err == nil && o.at(req.URL) {
			return true
		}
	}
	return false
}
