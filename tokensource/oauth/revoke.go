package oauth

import (
	"context"
	"errors"
	"net/url"

	"github.com/authtrip/authtrip/tokensource"
)

// The token type hints of RFC 7009 section 2.1.
const (
	HintAccessToken  = "access_token"
	HintRefreshToken = "refresh_token"
)

// Revoke tells the server that token is no longer needed ([RFC 7009] section
// 2). The hint says which kind of token it is, and is always sent: X demands
// it, and some servers ignore a token with a wrong hint. A token that the
// server does not know, or that is not valid any more, counts as revoked: some
// servers answer with an error code that says so, and Provider.Classify can say
// what others mean (G20).
//
// It returns a [*tokensource.Error]. ErrTemporary means that the token may
// still be valid. errors.ErrUnsupported means that the provider has no
// revocation endpoint.
//
// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
func (c *Client) Revoke(ctx context.Context, token, hint string) error {
	if token == "" {
		return errors.New("oauth: the token to revoke is empty")
	}
	if hint != HintAccessToken && hint != HintRefreshToken {
		return errors.New("oauth: the hint must be HintAccessToken or HintRefreshToken")
	}
	if c.at.revocation == "" {
		return &tokensource.Error{Op: opRevoke, Err: errors.ErrUnsupported, Hint: "the provider has no RevocationURL"}
	}
	a, err := c.post(ctx, call{
		op: opRevoke, endpoint: c.at.revocation,
		form: url.Values{"token": {token}, "token_type_hint": {hint}},
	})
	switch {
	case err != nil:
		return err
	case a.success(): // the body means nothing (RFC 7009 section 2.2), even if it was cut off
		return nil
	}
	failed := c.failure(opRevoke, a)
	if errors.Is(failed, tokensource.ErrReauthorize) || errors.Is(failed, tokensource.ErrClient) && gone(a.code()) {
		return nil
	}
	return failed
}
