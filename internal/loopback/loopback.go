// Package loopback recognizes hosts that name this machine itself.
//
// Plain http is allowed for such hosts only: what is sent to them does not
// leave the machine. The package has one function, which returns no error and
// may be called from several goroutines at once.
package loopback

import "net"

// Host reports whether host names the loopback interface of this machine: it is
// localhost, or an address that [net.IP.IsLoopback] accepts. Host has no port
// and no brackets. Every other spelling is another host.
func Host(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
