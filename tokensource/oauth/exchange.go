package oauth

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The names of operations in errors. An Answer of package provider has them
// too.
const (
	opExchange          = "exchange"
	opRefresh           = "refresh"
	opClientCredentials = "client_credentials"
	opRevoke            = "revoke"
	opIdentity          = "identity"
)

// Exchange trades an authorization code for a token ([RFC 6749] section 4.1.3,
// [RFC 7636] section 4.5). The code is sent once, whatever happens.
//
// It returns a [*tokensource.Error]: ErrReauthorize if the code is no longer
// valid, ErrClient if the client was refused, ErrTemporary otherwise. See
// [Unusable] for tokens that came and cannot be used.
//
// All members of the answer are in Extra of the token, as package oauth2 has
// them: a number is a float64, or a json.Number if it is an integer that a
// float64 cannot hold. The exception is Extra("scope"): the granted scopes with
// spaces between them, however the server separates them. An empty text means
// that they are those that were asked for.
//
// Extra has two members more, if the server says how long a refresh token lives
// (refresh_token_expires_in or refresh_expires_in), and the authorization of
// the user (authorization_expires_in): refresh_token_expires_at and
// authorization_expires_at, as a float64 of seconds since 1970. Package grant
// keeps them, and authorization_details ([RFC 9396]), with every grant.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
// [RFC 9396]: https://www.rfc-editor.org/rfc/rfc9396
func (c *Client) Exchange(ctx context.Context, code, verifier string) (*oauth2.Token, error) {
	if code == "" {
		return nil, errors.New("oauth: code is empty")
	}
	if err := c.checkKey(); err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type":   {"authorization_code"},
		"code":         {code},
		"redirect_uri": {c.registration.RedirectURL},
	}
	if c.provider.PKCE != provider.NoPKCE {
		if !validVerifier(verifier) {
			return nil, errors.New("oauth: verifier is not the one of the authorization request (RFC 7636 section 4.1)")
		}
		form.Set("code_verifier", verifier)
	}
	return c.token(ctx, call{op: opExchange, endpoint: c.homeOf(ctx, c.at.token), singleUse: true, form: form})
}

// Refresh trades a refresh token for a new token ([RFC 6749] section 6). It is
// one request and no retry, since a refresh token may be single-use. Package
// grant decides when a token may be sent again. A token without RefreshToken
// means that the old refresh token stays valid.
//
// It returns a [*tokensource.Error]: ErrReauthorize if the refresh token is no
// longer valid, ErrClient if the client was refused, ErrTemporary otherwise.
// See [Unusable] for tokens that came and cannot be used.
//
// InDoubt is set if the server may have redeemed the token although no token
// came back: no answer came, or one that grants and was cut off. After an
// answer with another status it is not set, 502 and 504 of a gateway included:
// an outage may last, and ends no grant.
//
// At a server without refresh tokens that trades access tokens
// (Provider.Trade), refreshToken is the access token.
//
// After the deadline of ctx nothing is sent. An empty refreshToken sends
// nothing and gives ErrReauthorize with a hint that says how to get one.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, &tokensource.Error{
			Op: opRefresh, Kind: tokensource.ErrReauthorize, Reason: tokensource.ReasonNoRefreshToken, Hint: c.refreshHint(),
		}
	}
	if c.trades() {
		return c.token(ctx, c.trade(ctx, refreshToken))
	}
	endpoint := c.homeOf(ctx, cmp.Or(c.provider.RefreshURL, c.at.token))
	return c.token(ctx, call{op: opRefresh, endpoint: endpoint, singleUse: true, form: url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refreshToken},
	}})
}

// ClientCredentials asks for the app's own token ([RFC 6749] section 4.4), with
// the scopes of the registration. The token has no refresh token. It returns a
// [*tokensource.Error]: ErrClient if the credentials were refused, ErrTemporary
// otherwise.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (c *Client) ClientCredentials(ctx context.Context) (*oauth2.Token, error) {
	if err := c.checkKey(); err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	c.addScopes(form)
	tok, err := c.token(ctx, call{op: opClientCredentials, endpoint: c.at.clientCredentials, form: form})
	if err != nil {
		return nil, err
	}
	tok.RefreshToken = "" // must not be used with this grant (RFC 6749 section 4.4.3)
	return tok, nil
}

// refreshHint says why there may be no refresh token.
func (c *Client) refreshHint() string {
	if c.trades() {
		return "the access token was not replaced while the server allowed it: keep grants alive with package upkeep"
	}
	if s := c.provider.RefreshScope; s != "" {
		return "the provider issues refresh tokens only with scope " + s
	}
	return "the provider issued none: look up which scope or parameter asks for one"
}

// token sends a call to a token endpoint and reads the answer.
func (c *Client) token(ctx context.Context, call call) (*oauth2.Token, error) {
	if err := c.unbound(call.op); err != nil {
		return nil, err
	}
	c.addResources(call.form)
	a, err := c.post(ctx, call)
	if err != nil {
		return nil, err
	}
	if !a.success() {
		if a.cut != nil && !hasError(read(a.body)) {
			return nil, &tokensource.Error{Op: call.op, Kind: tokensource.ErrTemporary, Status: a.status, Err: a.cut}
		}
		return nil, c.failure(call.op, a)
	}
	assumed := c.provider.ExpiresIn
	if !ofUsers(call.op) {
		// ExpiresIn is a fact about user tokens. An app's own token may live until
		// it is invalidated.
		assumed = 0
	}
	r := c.readResponse(a.body, a.sent, assumed)
	switch {
	case hasError(r.members): // no means no (G15)
		return nil, c.failure(call.op, a)
	case r.complete() && r.bad != nil:
		return nil, notUsable(call.op, a, r)
	case r.complete(): // yes means yes (G14)
		return r.tok, nil
	case a.mayGrant() || r.tok != nil:
		return nil, cutShort(call.op, a)
	}
	return nil, c.failure(call.op, a)
}

// mayGrant reports whether an answer without complete tokens may have granted:
// it was cut off, or it names a token and cannot be read to its end. A page in
// HTML grants nothing (G15).
func (a answer) mayGrant() bool {
	body := bytes.TrimSpace(a.body)
	if bytes.HasPrefix(body, []byte("<")) {
		return false
	}
	object, ok := members.Read(body)
	return a.cut != nil || ok && !object.Whole && bytes.Contains(body, []byte(`_token"`))
}

// cutShort is the failure after an answer that grants, or may have granted, and
// that was cut off before it had named all tokens.
func cutShort(op string, a answer) *tokensource.Error {
	err := a.cut
	if err == nil {
		err = errors.New("the answer is cut short, or is not valid JSON behind its first token")
	}
	return &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: a.status, InDoubt: true, Err: err}
}
