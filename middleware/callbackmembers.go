package middleware

import (
	"maps"
	"net/http"
	"slices"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/members"
)

// maxKept is the longest parameter that is kept, in bytes.
const maxKept = 2 << 10

// keptParams returns the parameters of an authorization response that the
// provider names in KeepCallback, such as realmId. They are stored with the
// grant. The error is an *Error of kind ErrBadCallback, before any request.
func (l *login) keptParams(r *http.Request) (map[string]string, error) {
	p := l.client.Provider()
	names := p.KeepCallback
	if p.TokenHostParam != "" {
		names = append(slices.Clone(names), p.TokenHostParam)
	}
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to keep
	}
	bad := func(cause string) (map[string]string, error) {
		return nil, &Error{Op: opCallback, Kind: ErrBadCallback, Cause: cause}
	}
	query, ok := readQuery(r.URL.RawQuery, names...)
	if !ok {
		return bad("the query is not well formed")
	}
	kept := map[string]string{}
	for name, values := range query {
		switch {
		case len(values) > 1:
			return bad("parameter " + name + " came twice")
		case len(values[0]) > maxKept:
			return bad("parameter " + name + " is too long")
		case !visible(values[0]):
			return bad("parameter " + name + " has characters that it cannot have")
		case name == p.TokenHostParam && values[0] != "" && !slices.Contains(p.TokenHosts, values[0]):
			return bad("it names a server that is not one of the provider's")
		case values[0] != "":
			kept[name] = values[0]
		}
	}
	return kept, nil
}

// withParams returns tok with the kept parameters among its members. A member
// of the token answer wins: it came directly from the server.
func withParams(tok *oauth2.Token, kept map[string]string) *oauth2.Token {
	if len(kept) == 0 {
		return tok
	}
	names, _ := tok.Extra(members.Names).([]string)
	extra := map[string]any{}
	for name, value := range kept {
		extra[name] = value
	}
	for _, name := range names {
		extra[name] = tok.Extra(name)
	}
	extra[members.Names] = slices.Collect(maps.Keys(extra))
	return tok.WithExtra(extra)
}
