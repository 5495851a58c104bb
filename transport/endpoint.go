package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/backchannel"
	"github.com/authtrip/authtrip/tokensource"
)

// endpoints are URLs of the authorization server itself. No request to one of
// them gets a token (T9), also if the server and its API have the same origin.
type endpoints []endpoint

// endpoint is one such URL. Its query does not count. Neither do the case of
// its path, slashes too many and parameters of its segments: servers differ in
// what they accept.
type endpoint struct {
	origin origin
	path   string
}

// endpointsOf returns the endpoints that src names, and those of the options.
func endpointsOf(src tokensource.Source, o *Options) (endpoints, error) {
	var named []string
	if scoper, ok := src.(tokensource.Scoper); ok {
		named = scoper.Endpoints()
	}
	var list endpoints
	for _, raw := range slices.Concat(named, o.Endpoints) {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, errors.New("transport: an endpoint of the source or of Options.Endpoints is not a URL")
		}
		o, err := parseOrigin(u.Scheme+"://"+u.Host, true)
		if err != nil {
			return nil, fmt.Errorf("transport: an endpoint of the source or of Options.Endpoints cannot be one: %w", err)
		}
		list = append(list, endpoint{o, cleaned(u.Path)})
	}
	return list, nil
}

// cleaned returns a path as the endpoint that a server may take it for. Some
// servers remove the parameters of a path segment, which begin with a semicolon
// (RFC 3986 section 3.3).
func cleaned(p string) string {
	if strings.Contains(p, ";") {
		segments := strings.Split(p, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		p = strings.Join(segments, "/")
	}
	return path.Clean("/" + p)
}

// clean reports whether cleaned surely returns p. Most paths are clean, so that
// a comparison costs some nanoseconds.
func clean(p string) bool {
	return p != "" && p[0] == '/' && p[len(p)-1] != '/' &&
		!strings.Contains(p, "//") && !strings.Contains(p, "/.") && !strings.Contains(p, ";")
}

// mark notes at which of the origins there are endpoints. At the others no
// request has to be compared with the endpoints.
func (s endpoints) mark(allowed origins) {
	for i := range allowed {
		o := &allowed[i]
		o.mixed = slices.ContainsFunc(s, func(e endpoint) bool {
			return e.origin.scheme == o.scheme && e.origin.host == o.host && e.origin.port == o.port
		})
	}
}

// has reports whether u is one of the endpoints.
func (s endpoints) has(u *url.URL) bool {
	if len(s) == 0 || u == nil || u.Opaque != "" {
		return false
	}
	p := u.Path
	if !clean(p) {
		p = cleaned(p)
	}
	for i := range s {
		if len(s[i].path) == len(p) && strings.EqualFold(s[i].path, p) && s[i].origin.at(u) {
			return true
		}
	}
	return false
}

// sendsTokenTo reports whether req gets a token.
func (c *core) sendsTokenTo(req *http.Request) bool {
	o := c.origins.of(req.URL)
	return o != nil && (!o.mixed || !c.endpoints.has(req.URL)) && !ownRequest(req)
}

// ownRequest reports whether package oauth made req, or a function that
// package oauth calls to prepare such a request (T9). The token of such a
// request is its own, or it has none. If it waited for one, it could wait for
// itself.
func ownRequest(req *http.Request) bool { return backchannel.Is(req.Context()) }
