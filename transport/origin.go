package transport

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/authtrip/authtrip/internal/loopback"
)

// origins is where the token may go.
type origins []origin

// origin is one scheme, host and port. All of it is lower-case ASCII; port is
// never empty.
type origin struct {
	scheme, host, port string
	authority          string // host and port as URLs usually have them: compared first
	mixed              bool   // an endpoint that gets no token is at this origin too
}

// has reports whether u is at one of the origins. It fails closed: a host in
// another spelling, such as Unicode or with a trailing dot, is another host,
// and an opaque URL is nowhere, since it may name a second host.
func (s origins) has(u *url.URL) bool { return s.of(u) != nil }

// of returns the origin of u, or nil if it is none of them.
func (s origins) of(u *url.URL) *origin {
	if u == nil || u.Opaque != "" {
		return nil
	}
	for i := range s {
		if s[i].at(u) {
			return &s[i]
		}
	}
	return nil
}

// at reports whether u, which is not opaque, is at o.
func (o *origin) at(u *url.URL) bool {
	return u.Scheme == o.scheme && (u.Host == o.authority || o.same(u))
}

// same compares host and port when the usual spelling did not match.
func (o *origin) same(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return port == o.port && equalFoldASCII(u.Hostname(), o.host)
}

// parseOrigin reads what a program configured. Its errors say what to write
// instead.
func parseOrigin(raw string, insecureHTTP bool) (origin, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return origin{}, errors.New("transport: an origin is not a URL: write scheme and host only, such as \"https://api.x.com\"")
	}
	if u.User != nil {
		return origin{}, errors.New("transport: an origin carries a user name: write scheme and host only, such as \"https://api.x.com\"")
	}
	if u.Scheme == "" || u.Host == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, raw) {
		return origin{}, fmt.Errorf("transport: %q is not an origin: write scheme and host only, such as %q", raw, "https://api.x.com")
	}
	o := origin{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port(), authority: strings.ToLower(u.Host)}
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	switch {
	case o.scheme != "https" && o.scheme != "http":
		return origin{}, fmt.Errorf("transport: %q is neither https nor http", raw)
	case !plainHost(o.host):
		return origin{}, fmt.Errorf("transport: %q: write the host in ASCII (xn--… for other scripts), without wildcard or trailing dot", raw)
	case !plainPort(o.port) || strings.HasSuffix(u.Host, ":"):
		return origin{}, fmt.Errorf("transport: %q has no usable port: leave it out, or write 1 to 65535", raw)
	case o.scheme == "http" && !insecureHTTP && !loopback.Host(o.host):
		return origin{}, fmt.Errorf("transport: %q must be https: over http anybody on the way reads the token (Options.InsecureHTTP allows it)", raw)
	}
	return o, nil
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// plainHost accepts DNS names and IP addresses as URLs write them, in lower
// case.
func plainHost(host string) bool {
	if host == "" || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._:") == ""
}

func plainPort(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535 && port == strconv.Itoa(n)
}

// equalFoldASCII is strings.EqualFold without Unicode, which would let the
// Kelvin sign pass for a k. The second argument is in lower case.
func equalFoldASCII(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
