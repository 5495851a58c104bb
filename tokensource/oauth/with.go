package oauth

import (
	"fmt"
	"slices"

	"github.com/authtrip/authtrip/internal/deviceauth"
)

// With returns a Client that has another redirect URL of the app, or asks for
// other scopes, and is like c otherwise. An empty redirectURL and nil scopes
// mean those of c. It refuses what [New] would refuse. It is cheap, so a
// program can make a Client for one login.
//
// The code of a login must be exchanged by a Client with the redirect URL of
// its authorization request ([RFC 6749] section 4.1.3).
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (c *Client) With(redirectURL string, scopes []string) (*Client, error) {
	with, registration := *c, *c.registration
	if redirectURL != "" {
		if err := checkRedirectURL(redirectURL); err != nil {
			return nil, fmt.Errorf("oauth: redirect URL %w", err)
		}
		if err := checkFAPI2Redirect(redirectURL); c.fapi && err != nil {
			return nil, fmt.Errorf("oauth: Options.FAPI2: %w", err)
		}
		registration.RedirectURL = redirectURL
	}
	if scopes != nil {
		if err := checkScopes(scopes, c.provider.Scopes); err != nil {
			return nil, err
		}
		registration.Scopes = slices.Clone(scopes)
	}
	with.registration = &registration
	with.Endpoint = deviceauth.New(with.askDeviceCode)
	return &with, nil
}
