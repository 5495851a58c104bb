package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/internal/loopback"
)

// A place is where the answer to a login comes to.
type place struct {
	url       string // the redirect URL, with the port in use
	host      string // what the Host header of the answer must be
	path      string
	listeners []net.Listener
}

// close stops to listen.
func (p *place) close() {
	for _, l := range p.listeners {
		_ = l.Close() // nobody can do anything about a failure
	}
}

// listen listens at a redirect URL, and nowhere else: on the address that it
// names, and for a name such as localhost on both loopback addresses. With
// anyPort the system chooses the port.
func listen(ctx context.Context, redirectURL string, anyPort bool) (*place, error) {
	u, err := url.Parse(redirectURL)
	switch {
	case err != nil:
		return nil, errors.New("nativeapp: the redirect URL cannot be parsed")
	case u.Scheme != "http" || !loopback.Site(u.Hostname()):
		return nil, fmt.Errorf("nativeapp: the redirect URL %q is not on this machine: register one such as http://127.0.0.1/callback (RFC 8252 section 7.3)", redirectURL)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	if anyPort || port == "0" {
		port = "0"
	}
	p := &place{path: u.Path}
	if p.path == "" {
		p.path = "/"
	}
	if p.listeners, err = listenAll(ctx, addresses(u.Hostname()), port); err != nil {
		return nil, err
	}
	if port == "0" {
		_, port, err = net.SplitHostPort(p.listeners[0].Addr().String())
		if err != nil {
			p.close()
			return nil, fmt.Errorf("nativeapp: listen: %w", err)
		}
		u.Host = net.JoinHostPort(u.Hostname(), port)
		redirectURL = u.String()
	}
	p.url, p.host = redirectURL, strings.ToLower(strings.TrimSuffix(u.Host, ":80"))
	return p, nil
}

// addresses returns the loopback addresses that a browser may use for host.
func addresses(host string) []string {
	if net.ParseIP(host) != nil {
		return []string{host}
	}
	return []string{"127.0.0.1", "::1"}
}

// portTries is how often a free port of one address is looked for that is free
// at the other address too.
const portTries = 8

// listenAll listens on all addresses, with the same port. An address that this
// machine does not have is left out. A port that somebody else has at one of
// them is not used: that program would receive answers.
func listenAll(ctx context.Context, hosts []string, port string) ([]net.Listener, error) {
	var err error
	for range portTries {
		var list []net.Listener
		if list, err = listenOnce(ctx, hosts, port); err == nil {
			return list, nil
		}
		if port != "0" {
			break
		}
	}
	hint := "another program uses the port, or it needs a privilege: register a redirect URL with another port"
	return nil, fmt.Errorf("nativeapp: listen for the answer: %w: %s", err, hint)
}

func listenOnce(ctx context.Context, hosts []string, port string) ([]net.Listener, error) {
	var (
		config net.ListenConfig
		list   []net.Listener
		last   error
	)
	for _, host := range hosts {
		l, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
		switch {
		case err == nil:
			list = append(list, l)
			if _, chosen, split := net.SplitHostPort(l.Addr().String()); split == nil {
				port = chosen
			}
		case len(hosts) > 1 && missing(host):
			last = err
		default:
			(&place{listeners: list}).close()
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, last
	}
	return list, nil
}

// missing reports whether this machine does not have a loopback address.
func missing(host string) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(net.ParseIP(host)) {
			return false
		}
	}
	return true
}
