// Package loopback recognizes hosts that name this machine itself.
//
// Plain http is allowed for such hosts only: what is sent to them does not
// leave the machine. The package has two functions, which return no error and
// may be called from several goroutines at once.
package loopback

import (
	"net"
	"strings"
)

// Host reports whether host names the loopback interface of this machine: it is
// localhost, or an address that [net.IP.IsLoopback] accepts. Host has no port
// and no brackets. Upper case makes no difference.
func Host(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Site reports whether a browser opens host on its own machine. This is so for
// every host of [Host], and for the names below localhost (RFC 6761 section
// 6.3). Browsers resolve these names themselves. Go asks the resolver of the
// machine, which may send them to another one, so Host does not accept them.
func Site(host string) bool {
	return Host(host) || strings.HasSuffix(strings.ToLower(host), ".localhost")
}
