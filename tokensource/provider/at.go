package provider

import (
	"net/url"
	"strings"
)

// InsecureAt returns p with its endpoints and its API at base, such as
// http://127.0.0.1:9999, where a fake of the server runs:
//
//	server := provider.X()
//	if base := os.Getenv("X_SERVER"); base != "" {
//		server = server.InsecureAt(base)
//	}
//
// Paths and queries stay, and so do all other facts, such as Issuer. A server
// with several hosts (TokenHosts) has one. Http is allowed on a loopback
// address (Provider.InsecureLoopback). If base is no URL such as the one above,
// Validate and oauth.New refuse the result.
//
// What is lost: the server at base gets the secret of the app, the codes and
// the tokens. So base must not come from a user.
func (p *Provider) InsecureAt(base string) *Provider {
	c := p.Clone()
	base = strings.TrimSuffix(base, "/")
	for _, endpoint := range []*string{
		&c.AuthorizationURL, &c.TokenURL, &c.RefreshURL, &c.Trade.First.URL, &c.Trade.Next.URL, &c.RevocationURL,
		&c.PushedAuthorizationURL, &c.RegistrationURL, &c.DeviceAuthorizationURL, &c.ClientCredentialsURL,
		&c.IdentityURL, &c.JWKSURL, &c.EndSessionURL,
		&c.MTLS.TokenURL, &c.MTLS.RevocationURL, &c.MTLS.PushedAuthorizationURL, &c.MTLS.ClientCredentialsURL, &c.MTLS.DeviceAuthorizationURL,
	} {
		*endpoint = moved(*endpoint, base)
	}
	for i, endpoint := range c.OtherEndpoints {
		c.OtherEndpoints[i] = moved(endpoint, base)
	}
	c.TokenHostParam, c.TokenHosts = "", nil
	c.APIOrigins = []string{base}
	c.InsecureLoopback = strings.HasPrefix(base, "http://")
	return c
}

// moved returns an endpoint at another server. An empty one stays empty.
func moved(endpoint, base string) string {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return endpoint
	}
	return base + u.RequestURI()
}
