package oauth

import (
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// FromConfig reads an oauth2.Config, for programs that have one. X's endpoints, under any of their host names, give
// provider.X; any other server becomes a plain Provider of the given name, to which the caller adds what an oauth2.Config
// does not know: RevocationURL, APIOrigins, IdentityURL. An AuthStyle of AutoDetect becomes Basic for a client with a
// secret: nothing is ever probed.
func FromConfig(name string, config *oauth2.Config) (*provider.Provider, Registration, error) {
	if config == nil {
		return nil, Registration{}, errors.New("tokensource: nil oauth2.Config")
	}
	r := Registration{
		ClientID: config.ClientID, ClientSecret: config.ClientSecret,
		RedirectURL: config.RedirectURL, Scopes: config.Scopes,
	}
	if provider.IsX(config.Endpoint.TokenURL) {
		return provider.X(), r, nil
	}
	p := &provider.Provider{
		Name: name, AuthorizationURL: config.Endpoint.AuthURL, TokenURL: config.Endpoint.TokenURL,
	}
	if config.Endpoint.AuthStyle == oauth2.AuthStyleInParams {
		p.ClientAuth = provider.Post
	}
	return p, r, p.Validate()
}

// Config returns the client as an oauth2.Config, for libraries that ask for one. What goes through it has none of this
// package's protection: a refresh token that it redeems is lost to Grants.
func (c *Client) Config() *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if c.registration.ClientSecret == "" || c.provider.ClientAuth == provider.Post {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: c.registration.ClientID, ClientSecret: c.registration.ClientSecret,
		RedirectURL: c.registration.RedirectURL, Scopes: c.Scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: c.provider.AuthorizationURL, TokenURL: c.provider.TokenURL, AuthStyle: style},
	}
}
