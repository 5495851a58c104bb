package oauth

import (
	"cmp"
	"context"
	"errors"
	"maps"
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
// what others mean (G20). Any 2xx counts as revoked, also a page in HTML: the
// body of the answer means nothing.
//
// It returns a [*tokensource.Error]. ErrTemporary means that the token may
// still be valid. errors.ErrUnsupported means that the provider cannot revoke
// tokens, or no tokens of this kind.
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
	if only := c.provider.Revocation.Only; only != "" && only != hint {
		return &tokensource.Error{Op: opRevoke, Err: errors.ErrUnsupported, Hint: "the provider cannot revoke a token of this kind"}
	}
	var err error
	for _, endpoint := range c.revocationEndpoints(ctx) {
		if err = c.revokeAt(ctx, endpoint, token, hint); err == nil {
			break
		}
	}
	return err
}

// revokeAt revokes token at one endpoint.
func (c *Client) revokeAt(ctx context.Context, endpoint, token, hint string) error {
	a, err := c.post(ctx, c.revocation(endpoint, token, hint))
	switch {
	case err != nil:
		return err
	case c.provider.Revocation.Auth == "token" && c.rejects(a): // the token is not valid any more
		return nil
	case a.success(): // the body means nothing (RFC 7009 section 2.2), even if it was cut off
		return nil
	}
	failed := c.failure(opRevoke, a)
	if errors.Is(failed, tokensource.ErrReauthorize) || errors.Is(failed, tokensource.ErrClient) && gone(a.code()) {
		return nil
	}
	return failed
}

// revocation returns the call that revokes a token, as Provider.Revocation
// wants it.
func (c *Client) revocation(endpoint, token, hint string) call {
	facts := c.provider.Revocation
	form := url.Values{}
	maps.Copy(form, facts.Params)
	if facts.Auth != "token" {
		form.Set(cmp.Or(facts.TokenParam, "token"), token)
		if !facts.NoHint {
			form.Set("token_type_hint", hint)
		}
	}
	return call{
		op: opRevoke, endpoint: endpoint, form: form,
		how: how{method: facts.Method, auth: facts.Auth, token: token, json: facts.JSON},
	}
}
