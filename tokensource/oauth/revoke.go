package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/tokensource"
)

// The token type hints of RFC 7009 section 2.1.
const (
	HintAccessToken  = "access_token"
	HintRefreshToken = "refresh_token"
)

// Revoke tells the server that token is no longer needed (RFC 7009 section 2). hint says which kind it is and is always
// sent: X demands it, and some servers ignore a token with a wrong one. An unknown or expired token is a success. It
// returns an *tokensource.Error: ErrTemporary means that the token still exists, and errors.ErrUnsupported that the provider has no
// revocation endpoint.
func (c *Client) Revoke(ctx context.Context, token, hint string) error {
	if token == "" {
		return errors.New("oauth: the token to revoke is empty")
	}
	if hint != HintAccessToken && hint != HintRefreshToken {
		return errors.New("oauth: the hint must be HintAccessToken or HintRefreshToken")
	}
	if c.provider.RevocationURL == "" {
		return &tokensource.Error{Op: "revoke", Err: errors.ErrUnsupported, Hint: "the provider has no RevocationURL"}
	}
	a, err := c.post(ctx, "revoke", c.provider.RevocationURL, url.Values{"token": {token}, "token_type_hint": {hint}})
	if err != nil && a.status != http.StatusOK {
		return err
	}
	if a.status != http.StatusOK {
		return c.failure("revoke", "", a, token)
	}
	return nil // the body is of no interest (RFC 7009 section 2.2)
}
