package oauth

import (
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// FromConfig reads an oauth2.Config, for programs that have one. X's
// endpoints, under any of their host names, give provider.X. Any other server
// becomes a plain Provider of the given name. The caller adds what an
// oauth2.Config does not contain: RevocationURL, APIOrigins, IdentityURL. An
// AuthStyle of AutoDetect becomes Basic for a client with a secret, because a
// Client never tries one method after another.
func FromConfig(name string, config *oauth2.Config) (*provider.Provider, Registration, error) {
	if config == nil {
		return nil, Registration{}, errors.New("oauth: nil oauth2.Config")
	}
	r := Registration{
		ClientID: config.ClientID, Credential: Secret(config.ClientSecret),
		RedirectURL: config.RedirectURL, Scopes: config.Scopes,
	}
	if isX(config.Endpoint.TokenURL) {
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

// isX reports whether tokenURL is X's token endpoint, under its present or its
// former host name.
func isX(tokenURL string) bool {
	return tokenURL == "https://api.x.com/2/oauth2/token" || tokenURL == "https://api.twitter.com/2/oauth2/token"
}

// Config returns the client as an oauth2.Config, for libraries that need one.
// Requests of such a library have none of this package's protection: a refresh
// token that it redeems is lost to package grant. An oauth2.Config shows its
// secret wherever it is printed.
//
// It returns an error if the Credential of c is not a [Secret]: an
// oauth2.Config has no place for anything else.
func (c *Client) Config() (*oauth2.Config, error) {
	credential := c.registration.Credential
	config := &oauth2.Config{
		ClientID: c.registration.ClientID, RedirectURL: c.registration.RedirectURL, Scopes: c.Scopes(),
		Endpoint: oauth2.Endpoint{
			AuthURL: c.provider.AuthorizationURL, TokenURL: c.provider.TokenURL, AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	if c.provider.ScopeSeparator != "" && len(config.Scopes) > 0 {
		config.Scopes = []string{joinScopes(c.provider, config.Scopes)} // package oauth2 joins them with spaces
	}
	switch {
	case credential.fixed != nil:
		config.ClientSecret = credential.fixed()
	case !credential.IsZero():
		return nil, errors.New("oauth: an oauth2.Config can only hold a Secret, and this Client has another Credential")
	}
	if config.ClientSecret == "" || c.provider.ClientAuth == provider.Post {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return config, nil
}
