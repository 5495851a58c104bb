package transport

import (
	"net/http"

	"github.com/authtrip/authtrip/internal/challenge"
)

// Challenge is one challenge of a WWW-Authenticate header (RFC 9110 section
// 11.6.1).
type Challenge struct {
	Scheme  string            // as the server wrote it; compare with strings.EqualFold
	Token68 string            // what follows the scheme of schemes that have no parameters, or empty
	Params  map[string]string // by name in lower case; the first value of a repeated name
}

// Challenges returns the challenges of all WWW-Authenticate headers of h, in
// order. It skips what it cannot parse, so it returns no error. Several
// challenges in one header, several headers, and commas in quoted text are
// recognised.
func Challenges(h http.Header) []Challenge {
	var list []Challenge
	for _, c := range challenge.Parse(h) {
		list = append(list, Challenge(c))
	}
	return list
}
