package postgresstore

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// requireTLS removes the attempts to connect without TLS that nobody asked for.
//
// Without an sslmode, as with sslmode=prefer, the driver tries a host with TLS
// and then without. So an attacker, or a server that has lost its certificate,
// would get the password in clear. The driver also accepts any certificate.
// Here such a host must use TLS, and show a certificate for its name.
//
// A host of this machine may have any certificate. It may do without TLS if
// there is no password. Every other sslmode says what it means, and stays:
// "disable" never uses TLS, and "require" accepts any certificate. With
// sslnegotiation=direct, the driver takes "require" where no mode is named.
func requireTLS(c *pgconn.Config, named bool) {
	all := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	direct := c.SSLNegotiation == "direct" && !named
	here := map[string]bool{}
	var kept []*pgconn.FallbackConfig
	for _, a := range all {
		if !direct && !hasBoth(all, a) {
			kept = append(kept, a)
			continue
		}
		local := isLocal(a.Host)
		here[a.Host] = local
		if a.TLSConfig == nil && (!local || c.Password != "") {
			continue
		}
		if a.TLSConfig != nil && !local {
			a.TLSConfig.InsecureSkipVerify = false // in place: the driver knows the client's certificate by this pointer
			a.TLSConfig.ServerName = a.Host
		}
		kept = append(kept, a)
	}
	c.Host, c.Port, c.TLSConfig, c.Fallbacks = kept[0].Host, kept[0].Port, kept[0].TLSConfig, kept[1:]
	c.LookupFunc = loopback(c.LookupFunc, here)
}

// loopback returns a lookup that refuses addresses of other machines for the
// hosts that are said to be here. A name server can give such an address to a
// name below localhost.
func loopback(lookup pgconn.LookupFunc, here map[string]bool) pgconn.LookupFunc {
	return func(ctx context.Context, host string) ([]string, error) {
		addrs, err := lookup(ctx, host)
		if !here[host] {
			return addrs, err
		}
		for _, addr := range addrs {
			if !isLocal(addr) {
				return nil, errors.New("the name has an address of another machine: name an sslmode in the URL")
			}
		}
		return addrs, err
	}
}

// modeForm finds an sslmode in a URL, or in a list of settings.
var modeForm = regexp.MustCompile(`(?:^|[?&\s])sslmode\s*=\s*'?([a-z-]+)`)

// namesMode reports whether a URL or the environment names an sslmode that
// says what it means.
func namesMode(url string) bool {
	mode := os.Getenv("PGSSLMODE")
	if m := modeForm.FindStringSubmatch(url); m != nil {
		mode = m[1]
	}
	return mode != "" && mode != "prefer" && mode != "allow"
}

// hasBoth reports whether the host of an attempt is tried with and without TLS.
func hasBoth(all []*pgconn.FallbackConfig, a *pgconn.FallbackConfig) bool {
	with, without := false, false
	for _, other := range all {
		if other.Host == a.Host && other.Port == a.Port {
			with = with || other.TLSConfig != nil
			without = without || other.TLSConfig == nil
		}
	}
	return with && without
}

// isLocal reports whether a host is this machine: a socket of the file system,
// a loopback address, or a name that never leaves the machine ([RFC 6761],
// section 6.3).
//
// [RFC 6761]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
func isLocal(host string) bool {
	if network, _ := pgconn.NetworkAddress(host, 0); network == "unix" {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// hosts returns how many servers a configuration names.
func hosts(c *pgconn.Config) int {
	type server struct {
		host string
		port uint16
	}
	found := map[server]bool{{c.Host, c.Port}: true}
	for _, f := range c.Fallbacks {
		found[server{f.Host, f.Port}] = true
	}
	return len(found)
}
