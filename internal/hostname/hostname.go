// Package hostname compares the host of an origin that comes with a grant with
// the hosts that are allowed.
//
// A token goes to such an origin. So everything here fails closed: what is not
// certainly allowed is refused. All functions are safe for concurrent use.
package hostname

import (
	"net/url"
	"strings"
)

// Matches reports whether host, without a port, is one of the patterns, or
// below one that begins with "*.". Upper case makes no difference. An empty
// label, a dot at the end and letters beyond ASCII match nothing.
func Matches(host string, patterns []string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
	if host == "" || strings.Trim(host, letters) != "" ||
		strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	host = strings.ToLower(host)
	for _, p := range patterns {
		if domain, ok := strings.CutPrefix(p, "*"); ok && strings.HasSuffix(host, domain) || host == p {
			return true
		}
	}
	return false
}

// Origin returns the origin of a URL at an allowed host, or an empty text. Only
// https counts, at its own port.
func Origin(raw string, patterns []string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" || !Matches(u.Hostname(), patterns) {
		return ""
	}
	return "https://" + strings.ToLower(u.Hostname())
}
