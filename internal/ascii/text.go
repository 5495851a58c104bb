package ascii

import "strings"

// Text reports whether s consists of printable ASCII characters only, with no
// space at its ends. RFC 6749 appendix A allows a space inside a client secret
// and a refresh token. A space at an end, or a line break, comes from a file
// that was read and not trimmed.
func Text(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) && strings.TrimSpace(s) == s
}
