package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// Exchange trades an authorization code for a token ([RFC 6749] section 4.1.3,
// [RFC 7636] section 4.5). The code is sent once, whatever happens.
//
// It returns a [*tokensource.Error]: ErrReauthorize if the code is no longer
// valid, ErrClient if the client was refused, ErrTemporary otherwise. The
// granted scopes are in Extra("scope") of the token. An empty text means that
// they are those that were asked for.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
func (c *Client) Exchange(ctx context.Context, code, verifier string) (*oauth2.Token, error) {
	if code == "" {
		return nil, errors.New("oauth: code is empty")
	}
	if !validVerifier(verifier) {
		return nil, errors.New("oauth: verifier is not the one of the authorization request (RFC 7636 section 4.1)")
	}
	return c.token(ctx, call{op: "exchange", endpoint: c.provider.TokenURL, singleUse: true, form: url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {c.registration.RedirectURL},
		"code_verifier": {verifier},
	}})
}

// Refresh trades a refresh token for a new token ([RFC 6749] section 6). It is
// one request and no retry, since a refresh token may be single-use. Package
// grant decides when a token may be sent again. A token without RefreshToken
// means that the old refresh token stays valid.
//
// It returns a [*tokensource.Error]: ErrReauthorize if the refresh token is no
// longer valid, ErrClient if the client was refused, ErrTemporary otherwise.
// InDoubt is set if the server may have redeemed the token although no token
// came back. After the deadline of ctx nothing is sent. An empty refreshToken
// sends nothing and gives ErrReauthorize with a hint that says how to get one.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, &tokensource.Error{
			Op: "refresh", Kind: tokensource.ErrReauthorize, Reason: tokensource.ReasonNoRefreshToken, Hint: c.refreshHint(),
		}
	}
	return c.token(ctx, call{op: "refresh", endpoint: c.provider.TokenURL, singleUse: true, form: url.Values{
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
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.registration.Scopes) > 0 {
		form.Set("scope", strings.Join(c.registration.Scopes, " "))
	}
	endpoint := c.provider.ClientCredentialsURL
	if endpoint == "" {
		endpoint = c.provider.TokenURL
	}
	tok, err := c.token(ctx, call{op: "client_credentials", endpoint: endpoint, form: form})
	if err != nil {
		return nil, err
	}
	tok.RefreshToken = "" // must not be used with this grant (RFC 6749 section 4.4.3)
	return tok, nil
}

// refreshHint says why there may be no refresh token.
func (c *Client) refreshHint() string {
	if s := c.provider.RefreshScope; s != "" {
		return "the provider issues refresh tokens only with scope " + s
	}
	return "the provider issued none: look up which scope or parameter asks for one"
}

// token sends a call to a token endpoint and reads the answer.
func (c *Client) token(ctx context.Context, call call) (*oauth2.Token, error) {
	grantType := call.form.Get("grant_type")
	a, err := c.post(ctx, call)
	if err != nil {
		return nil, err
	}
	if !a.success() {
		return nil, c.failure(call.op, grantType, a)
	}
	assumed := c.provider.ExpiresIn
	if grantType == "client_credentials" {
		// ExpiresIn is a fact about user tokens. An app's own token may live until
		// it is invalidated.
		assumed = 0
	}
	tok, err := granted(a, assumed)
	if err != nil {
		// The server granted. What cannot be read leaves the outcome in doubt.
		return nil, &tokensource.Error{Op: call.op, Kind: tokensource.ErrTemporary, Status: a.status, InDoubt: true, Err: err}
	}
	return tok, nil
}

// granted reads the token of an answer with a status that means success.
func granted(a answer, assumed time.Duration) (*oauth2.Token, error) {
	if a.status != http.StatusOK {
		return nil, errors.New("no token comes with this status (RFC 6749 section 5.1)")
	}
	if !a.json() {
		return nil, errors.New("the answer is not application/json")
	}
	return parseToken(a.body, time.Now(), assumed)
}
