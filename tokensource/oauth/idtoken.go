package oauth

import (
	"context"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// An IDTokenVerifier verifies what OpenID Connect adds to OAuth 2.0. Package
// tokensource/oidc, a module of its own, has one. Give it to [New] in
// Options.IDTokens: package middleware then knows from the ID token who has
// logged in, and package grant refuses refreshed tokens of another user. Its
// methods are called concurrently.
//
// Errors are [*tokensource.Error]: ErrTemporary if a later call may succeed,
// and ErrReauthorize if the user has to authenticate again or in another way.
// With any other error the token is refused. No text contains a token.
type IDTokenVerifier interface {
	// VerifyIDToken verifies the ID token that came with tok ([OpenID Connect
	// Core] section 3.1.3.7, and 12.2 for a refreshed one). It is the member
	// "id_token" in Extra of tok. If there is none, the token is refused.
	//
	// [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html
	VerifyIDToken(ctx context.Context, tok *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error)

	// VerifyLogoutToken verifies a logout token ([OpenID Connect Back-Channel
	// Logout] section 2.6). Whether it has been used before is not asked.
	//
	// [OpenID Connect Back-Channel Logout]: https://openid.net/specs/openid-connect-backchannel-1_0.html
	VerifyLogoutToken(ctx context.Context, raw string) (provider.LogoutToken, error)
}

// IDTokens returns the verifier that Options.IDTokens has given to c, or nil.
func (c *Client) IDTokens() IDTokenVerifier {
	if c.idTokens == nil {
		return nil
	}
	return c.idTokens()
}
