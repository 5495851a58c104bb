package middleware

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/loopback"
)

// site is where the app is, as the browsers of its users see it. All of it
// comes from the configuration, and nothing from a Host header (RFC 9700
// section 4.13).
type site struct {
	callback                      // of the client
	callbacks          []callback // of all redirect URLs, the client's first
	prefix             string     // Options.PathPrefix
	authorize          string
	logout, disconnect string
	backChannel        string // of BackChannelLogout; empty if there is none
	connects           bool   // there is no logout
}

// callback is a redirect URL in parts.
type callback struct {
	url    string
	origin string // scheme and host
	host   string // with the port
	port   string // empty if it is that of the scheme
	path   string
	secure bool // https
}

func newSite(redirectURL string, o *Options) (site, error) {
	s := site{prefix: strings.TrimSuffix(o.PathPrefix, "/"), authorize: o.AuthorizePath, logout: o.LogoutPath, disconnect: o.DisconnectPath}
	s.backChannel, s.connects = o.BackChannelLogoutPath, o.Connections != nil
	for _, raw := range append([]string{redirectURL}, o.RedirectURLs...) {
		c, err := newCallback(raw)
		if err != nil {
			return site{}, err
		}
		if !slices.Contains(s.callbacks, c) {
			s.callbacks = append(s.callbacks, c)
		}
	}
	s.callback = s.callbacks[0]
	folder := s.path[:strings.LastIndex(strings.TrimSuffix(s.path, "/"), "/")+1]
	for name, path := range map[string]*string{"authorize": &s.authorize, "logout": &s.logout, "disconnect": &s.disconnect} {
		if *path == "" {
			*path = folder + name
		}
	}
	if s.connects && o.AuthorizePath == "" {
		s.authorize = folder + "connect"
	}
	return s, s.check()
}

func newCallback(raw string) (callback, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return callback{}, errors.New("middleware: a redirect URL is no web address: register one like https://app.example/auth/callback")
	case u.Scheme == "http" && !loopback.Site(u.Hostname()):
		return callback{}, errors.New("middleware: a redirect URL is http on a public host: use https, cookies and code would travel in clear")
	case u.Path == "" || u.Path == "/":
		return callback{}, errors.New("middleware: a redirect URL needs a path of its own, such as /auth/callback")
	case u.Path != u.EscapedPath():
		return callback{}, errors.New("middleware: the path of a redirect URL has escaped characters: register a plain one")
	}
	host, port := strings.ToLower(u.Host), u.Port()
	if port == defaultPort(u.Scheme) {
		host, port = strings.TrimSuffix(host, ":"+port), "" // as browsers write it
	}
	return callback{url: raw, origin: u.Scheme + "://" + host, host: host, port: port, path: u.Path, secure: u.Scheme == "https"}, nil
}

// check refuses paths that routers would read in different ways, and paths that
// collide.
func (s site) check() error {
	type named struct{ name, path string }
	routes := []named{{"Options.AuthorizePath", s.authorize}, {"Options.LogoutPath", s.logout}, {"Options.DisconnectPath", s.disconnect}}
	if s.backChannel != "" {
		routes = append(routes, named{"Options.BackChannelLogoutPath", s.backChannel})
	}
	fixed := len(routes)
	for _, c := range s.callbacks {
		routes = append(routes, named{"the path of a redirect URL", c.path})
		if c.secure != s.secure {
			return errors.New("middleware: some redirect URLs are https and some are http: their cookies cannot have one name")
		}
	}
	for _, p := range append(routes, named{"Options.PathPrefix", s.prefix + "/x"}) {
		if !localPath(p.path) || p.path == "/" || strings.ContainsAny(p.path, "{}*?#%:") {
			return fmt.Errorf("middleware: %s %q cannot be a route: write it like /auth/login", p.name, p.path)
		}
	}
	for i, p := range routes {
		if !strings.HasPrefix(p.path, s.prefix+"/") {
			return fmt.Errorf("middleware: %s %q does not begin with Options.PathPrefix %q: all paths are public ones", p.name, p.path, s.prefix)
		}
		for j, other := range routes[:i] {
			if p.path == other.path && j < fixed { // two redirect URLs may share a path
				return fmt.Errorf("middleware: the routes need different paths, and two are %s: set Options.AuthorizePath, LogoutPath and so on", p.path)
			}
		}
	}
	return nil
}

// paths returns the public paths of all routes.
func (s site) paths() []string {
	list := []string{s.authorize, s.disconnect}
	if !s.connects {
		list = append(list, s.logout)
	}
	if s.backChannel != "" {
		list = append(list, s.backChannel)
	}
	for _, c := range s.callbacks {
		list = append(list, c.path)
	}
	return list
}

// public returns the path that the browser has asked for if target reached this
// program. They differ behind a proxy that removes a prefix.
func (s site) public(r *http.Request, target string) string {
	if s.prefix != "" {
		return s.prefix + target
	}
	prefix := s.announced(r)
	if strings.HasPrefix(target, prefix+"/") {
		return target // the proxy names the prefix and does not remove it
	}
	return prefix + target
}

// announced returns the prefix that a proxy says it has removed. Anybody can
// send this header. So it counts only if the redirect URL has the same prefix.
func (s site) announced(r *http.Request) string {
	prefix := strings.TrimSuffix(r.Header.Get("X-Forwarded-Prefix"), "/")
	if !strings.HasPrefix(prefix, "/") || !strings.HasPrefix(s.path, prefix+"/") {
		return ""
	}
	return prefix
}

// publicPath returns the path of r as the browser knows it.
func (s site) publicPath(r *http.Request) string {
	path, _, _ := strings.Cut(requestTarget(r), "?")
	return s.public(r, path)
}

// own reports whether r is for a route of this Login. The path that the client
// sent must be the route, and the path that is left of it must fit. So no
// handler that rewrites paths can be led to another page by the first one.
func (s site) own(r *http.Request) bool {
	public := s.publicPath(r)
	return slices.Contains(s.paths(), public) && endsWith(public, r.URL.Path)
}

// routeKey is in the context of a request for a route. Its value is the path of
// the route.
type routeKey struct{}

// pass reports whether Require must let r pass, because it is for a route of
// this Login, or of another one whose Require is in front. The request that it
// returns tells the next Require so.
func (s site) pass(r *http.Request) (*http.Request, bool) {
	if path, ok := r.Context().Value(routeKey{}).(string); ok && endsWith(path, r.URL.Path) {
		return r, true
	}
	if !s.own(r) {
		return nil, false
	}
	return r.WithContext(context.WithValue(r.Context(), routeKey{}, s.publicPath(r))), true
}

// endsWith reports whether the last segments of path are those of end.
func endsWith(path, end string) bool {
	return strings.HasPrefix(end, "/") && strings.HasSuffix(path, end)
}

// hash stands for the redirect URL in a sealed flow.
func (c callback) hash() []byte {
	sum := sha256.Sum256([]byte(c.url))
	return sum[:4]
}

// arrived reports whether r, which Callback serves, can have come to the
// redirect URL c. The path decides, whole or as far as it is known. The host is
// not compared, because a proxy may have another name for it.
func (s site) arrived(r *http.Request, c callback) bool {
	public := s.publicPath(r)
	if slices.ContainsFunc(s.callbacks, func(other callback) bool { return other.path == public }) {
		return c.path == public
	}
	return endsWith(public, c.path) || endsWith(c.path, public)
}

// move returns the origin to start at if the browser came by another name of
// the loopback interface. The cookie would be set for localhost, while the
// answer comes to 127.0.0.1, which X asks to register. It compares the port, so
// that a proxy which rewrites Host causes no loop.
func (c callback) move(r *http.Request) string {
	want, err := url.Parse(c.origin)
	if err != nil || strings.EqualFold(r.Host, c.host) || !loopback.Site(want.Hostname()) {
		return ""
	}
	here, err := url.Parse(want.Scheme + "://" + r.Host)
	if err != nil || !loopback.Site(here.Hostname()) || port(here) != port(want) || strings.EqualFold(here.Hostname(), want.Hostname()) {
		return ""
	}
	return c.origin
}

func port(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return defaultPort(u.Scheme)
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}
