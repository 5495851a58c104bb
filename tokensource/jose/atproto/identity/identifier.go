package identity

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// longestDID is how many bytes a DID may have. The standard allows 2 KiB, and
// no method that the AT Protocol knows needs more than a host name.
const longestDID = 300

var (
	// handleSyntax is that of a host name with at least two labels. The last
	// label begins with a letter ([handle]).
	//
	// [handle]: https://atproto.com/specs/handle
	handleSyntax = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	plcSyntax    = regexp.MustCompile(`^did:plc:[a-z2-7]{24}$`)
)

// reserved are top-level domains that no handle may have: no public server can
// be there.
var reserved = []string{"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"}

// parseHandle returns a handle in lower case.
func parseHandle(raw string) (string, error) {
	handle := strings.ToLower(raw)
	top := handle[strings.LastIndexByte(handle, '.')+1:]
	if len(handle) > 253 || !handleSyntax.MatchString(handle) || slices.Contains(reserved, top) {
		return "", fmt.Errorf("%w: %q", ErrIdentifier, cut(raw))
	}
	return handle, nil
}

// checkDID refuses what is no DID of the methods plc and web. A did:web of the
// AT Protocol is a host name, without a port and without a path.
func checkDID(did string) error {
	host, web := strings.CutPrefix(did, "did:web:")
	if web {
		if _, err := parseHandle(host); err == nil && host == strings.ToLower(host) {
			return nil
		}
	}
	if len(did) > longestDID || !plcSyntax.MatchString(did) {
		return fmt.Errorf("%w: %q", ErrIdentifier, cut(did))
	}
	return nil
}

// origin returns the origin that raw is, or an error that says what is wrong.
// A slash at the end is tolerated.
func origin(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		return "", fmt.Errorf("%q is no https URL", cut(raw))
	case u.Path != "" && u.Path != "/" || strings.ContainsAny(raw, "?#"):
		return "", fmt.Errorf("%q is more than an origin", cut(raw))
	}
	host := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(u.Host), ":443"), ":")
	return "https://" + host, nil
}

// cut returns the beginning of a text from outside, for errors.
func cut(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}
