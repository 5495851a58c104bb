package oauth

import (
	"cmp"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// endpoints are where a client sends its requests. One that is empty does not
// exist.
type endpoints struct {
	token, revocation, push, clientCredentials, device string
}

// endpointsOf returns the endpoints of p. A client with a certificate uses
// those that are made for it ([RFC 8705] section 5).
//
// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
func endpointsOf(p *provider.Provider, certificate bool) endpoints {
	alias := p.MTLS
	if !certificate {
		alias = provider.Provider{}.MTLS
	}
	token := cmp.Or(alias.TokenURL, p.TokenURL)
	return endpoints{
		token:             token,
		revocation:        cmp.Or(alias.RevocationURL, p.RevocationURL),
		push:              cmp.Or(alias.PushedAuthorizationURL, p.PushedAuthorizationURL),
		clientCredentials: cmp.Or(alias.ClientCredentialsURL, p.ClientCredentialsURL, token),
		device:            cmp.Or(alias.DeviceAuthorizationURL, p.DeviceAuthorizationURL),
	}
}
