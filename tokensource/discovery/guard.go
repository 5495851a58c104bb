package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrAddress means that a host has an address to which [Guard] makes no
// connection.
var ErrAddress = errors.New("discovery: the address is not one of a public server")

// A Guard makes connections to public servers only. It is for URLs that come
// from outside: in metadata, in a challenge, or typed by a user. Such a URL
// could otherwise make this program send requests into the network in which it
// runs ([RFC 8414] section 6.2, [RFC 9728] section 7.7).
//
// The address is checked after the name was resolved, directly before each
// connection. So a name whose address changes gets around nothing. Refused are
// loopback, private, link-local, shared (carrier-grade NAT), multicast,
// unspecified, reserved and documentation addresses, those at which a cloud
// serves its machines, and IPv6 forms of all these. The zero Guard refuses them
// all. A Guard is safe for concurrent use.
//
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
type Guard struct {
	// InsecureLoopback allows loopback addresses, for tests and demonstrations.
	// What is lost: a URL from outside reaches the other servers of this
	// machine.
	InsecureLoopback bool

	// InsecurePrivate allows private and shared addresses, for authorization
	// servers in the network of an organisation. What is lost: a URL from
	// outside reaches all servers of that network. Addresses that are
	// link-local or that serve a cloud's machines are refused all the same.
	InsecurePrivate bool
}

// Check returns an error that matches [ErrAddress] if no connection to a is
// allowed.
func (g Guard) Check(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("%w: %v has a zone", ErrAddress, a)
	}
	for _, inner := range append(embedded(a), a.Unmap()) {
		if kind := g.refused(inner); kind != "" {
			return fmt.Errorf("%w: %v is a %s address", ErrAddress, a, kind)
		}
	}
	return nil
}

// refused returns what kind of address a is, if that kind is not allowed.
func (g Guard) refused(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "malformed"
	case slices.Contains(clouds, a):
		return "cloud's own"
	case a.IsLoopback():
		return unless(g.InsecureLoopback, "loopback")
	case a.IsPrivate(), shared.Contains(a):
		return unless(g.InsecurePrivate, "private")
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast():
		return "multicast"
	case a.IsUnspecified():
		return "unspecified"
	}
	if slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return "reserved"
	}
	return ""
}

func unless(allowed bool, kind string) string {
	if allowed {
		return ""
	}
	return kind
}

// Control is for the field of that name in a net.Dialer. It refuses the
// connection if Check refuses the address, and anything but TCP.
func (g Guard) Control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", ErrAddress, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: no address", ErrAddress)
	}
	return g.Check(to.Addr())
}

// Transport returns a transport whose connections pass the Guard. It uses no
// proxy: a proxy would connect in its place, and is named by the environment.
func (g Guard) Transport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: g.Control}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		MaxIdleConns:           20,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    dialTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Client returns an http.Client with the Guard's transport. It follows no
// redirect.
func (g Guard) Client() *http.Client {
	return &http.Client{Transport: g.Transport(), CheckRedirect: noRedirect}
}

const dialTimeout = 10 * time.Second

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
