// Package responseparams keeps parameters of an authorization response that the
// facts of a provider name: those that an app needs later, such as realmId, and
// the one that names the server of the user.
//
// All functions are safe for concurrent use. Errors say what is wrong with a
// response, and quote nothing of it.
package responseparams

import (
	"errors"
	"maps"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// longest is the longest parameter that is kept, in bytes.
const longest = 2 << 10

// Names returns the names of the parameters to keep.
func Names(p *provider.Provider) []string {
	names := slices.Clone(p.KeepCallback)
	if p.TokenHostParam != "" {
		names = append(names, p.TokenHostParam)
	}
	return names
}

// Read returns the parameters to keep that the query of a response has. An
// error means that the response is refused, before any request.
func Read(p *provider.Provider, query url.Values) (map[string]string, error) {
	kept := map[string]string{}
	for _, name := range Names(p) {
		values := query[name]
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1:
			return nil, errors.New("parameter " + name + " came twice")
		case len(values[0]) > longest:
			return nil, errors.New("parameter " + name + " is too long")
		case !printable(values[0]):
			return nil, errors.New("parameter " + name + " has characters that it cannot have")
		case name == p.TokenHostParam && values[0] != "" && !slices.Contains(p.TokenHosts, values[0]):
			return nil, errors.New("it names a server that is not one of the provider's")
		case values[0] != "":
			kept[name] = values[0]
		}
	}
	return kept, nil
}

// printable reports whether s has printable ASCII only (RFC 6749 appendix A).
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Add returns tok with the kept parameters among its members. A member of the
// token answer wins: it came directly from the server. The token stays bound to
// its key.
func Add(tok *oauth2.Token, kept map[string]string) *oauth2.Token {
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
	return proving.Bind(tok, extra, proving.KeyOf(tok))
}
