// Package about answers what package transport asks a source about its server.
//
// A source embeds a [Server]. So it is a tokensource.Scoper and a
// tokensource.Describer without methods of its own. Everything is safe for
// concurrent use, and nothing fails.
package about

import (
	"slices"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/hostname"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Server is what is known of an authorization server and its APIs.
type Server struct{ provider *provider.Provider }

// Of returns what is known of p, which must not change.
func Of(p *provider.Provider) Server { return Server{p} }

// APIOrigins returns the origins of the provider's API, and those that came
// with the grant of tok. A member that names a host which the provider does not
// allow gives none: the token would go there.
func (s Server) APIOrigins(tok *oauth2.Token) []string {
	list := slices.Clone(s.provider.APIOrigins)
	if tok == nil {
		return list
	}
	for member, hosts := range s.provider.GrantOrigins {
		raw, _ := tok.Extra(member).(string)
		if origin := hostname.Origin(raw, hosts); origin != "" && !slices.Contains(list, origin) {
			list = append(list, origin)
		}
	}
	return list
}

// Endpoints returns the endpoints of the authorization server.
func (s Server) Endpoints() []string { return s.provider.Endpoints() }

// APIFacts says how the provider's API answers.
func (s Server) APIFacts() tokensource.APIFacts {
	facts := s.provider.API.Clone()
	for _, hosts := range s.provider.GrantOrigins {
		facts.GrantHosts = append(facts.GrantHosts, hosts...)
	}
	facts.InsecureHTTP = facts.InsecureHTTP || s.provider.InsecureHTTP
	return facts
}
