package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// errNoTLS does not name the server: its name is a part of the URL.
var errNoTLS = errors.New("redis:// has no TLS, and the server is another machine: nothing was sent; write rediss://, " +
	"or set Options.InsecureNoTLS where nobody can listen to the connection")

// checkTLS returns an error if a connection would leave this machine without
// TLS.
func (o *Options) checkTLS(settings *redis.Options) error {
	if o.InsecureNoTLS || settings.TLSConfig != nil || settings.Network == "unix" || isLocal(settings.Addr) {
		return nil
	}
	return errNoTLS
}

// isLocal reports whether an address is one of this machine: a loopback
// address, or a name that never leaves the machine ([RFC 6761], section 6.3).
//
// [RFC 6761]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// dialer returns the dialer for a client, or nil for the client's own. Without
// TLS it connects to this machine only, whatever the server says: the nodes of
// a Cluster name each other, and one of them may be another machine.
func (o *Options) dialer(config *tls.Config, limit time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.InsecureNoTLS || config != nil {
		return nil
	}
	return localDialer(limit)
}

// localDialer returns a dialer that connects to this machine only.
func localDialer(limit time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if limit == 0 {
		limit = dialTime
	}
	d := net.Dialer{Timeout: limit, Control: loopback}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if network != "unix" && !isLocal(addr) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errNoTLS}
		}
		return d.DialContext(ctx, network, addr)
	}
}

// loopback refuses an address of another machine, which a name server can give
// to a name below localhost. It is called before a connection is made.
func loopback(network, addr string, _ syscall.RawConn) error {
	if network != "unix" && !isLocal(addr) {
		return errNoTLS
	}
	return nil
}

// dialTime is how long a new connection may take, as the client has it.
const dialTime = 5 * time.Second
