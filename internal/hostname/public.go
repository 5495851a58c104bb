package hostname

import (
	"slices"
	"strings"
)

// local are names of the top level that no public DNS server knows: those of
// RFC 6761, RFC 6762 and RFC 7686, and those that networks use for themselves.
var local = []string{
	"arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "onion", "private", "test",
}

// Public reports whether host, without a port, can be the name of a server in
// the public DNS. An address is none, in whatever form. The name may still lead
// to a private address: only a check of each connection finds that out.
func Public(host string) bool {
	labels := strings.Split(Lower(host), ".")
	if len(host) > 253 || len(labels) < 2 || slices.ContainsFunc(labels, func(l string) bool { return !label(l) }) {
		return false
	}
	top := labels[len(labels)-1]
	return top[0] >= 'a' && !slices.Contains(local, top) // an address ends with a digit, or with one in base 16
}

// Lower returns s with its letters of ASCII in lower case. Other letters stay,
// because some of them would become a letter of ASCII.
func Lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// label reports whether s, in lower case, can be a part of the name of a host
// (RFC 1123 section 2.1).
func label(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-' && s[len(s)-1] != '-'
}
