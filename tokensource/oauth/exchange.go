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

// Exchange trades an authorization code for a token (RFC 6749 section 4.1.3, RFC 7636 section 4.5). The code is sent
// once, whatever happens. It returns an *tokensource.Error: ErrReauthorize if the code is dead, ErrClient if the client was refused,
// ErrTemporary otherwise. The granted scopes are in the token's Extra("scope"); empty means as requested.
func (c *Client) Exchange(ctx context.Context, code, verifier string) (*oauth2.Token, error) {
	if code == "" {
		return nil, errors.New("oauth: code is empty")
	}
	if !validVerifier(verifier) {
		return nil, errors.New("oauth: verifier is not the one of the authorization request (RFC 7636 section 4.1)")
	}
	return c.token(ctx, "exchange", c.provider.TokenURL, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {c.registration.RedirectURL},
		"code_verifier": {verifier},
	}, code, verifier)
}

// Refresh trades a refresh token for a new token (RFC 6749 section 6). It is one request: no retry, since a refresh
// token may be single-use; use Grants, which decides that safely. A token without RefreshToken in the answer means that
// the old refresh token stays good. It returns an *tokensource.Error: ErrReauthorize if the refresh token is dead, ErrClient if the
// client was refused, ErrTemporary otherwise, with InDoubt if the token may have been redeemed all the same.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return c.refresh(ctx, refreshToken, time.Now().Add(c.timeout))
}

// refresh is Refresh that sends nothing, and waits for nothing, after notAfter.
func (c *Client) refresh(ctx context.Context, refreshToken string, notAfter time.Time) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Reason: tokensource.ReasonNoRefreshToken, Hint: c.refreshHint()}
	}
	ctx, cancel := context.WithDeadline(ctx, notAfter)
	defer cancel()
	return c.token(ctx, "refresh", c.provider.TokenURL, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refreshToken},
	}, refreshToken)
}

// ClientCredentials asks for the app's own token (RFC 6749 section 4.4), with
// the scopes of the registration. The token has no refresh token. It returns a
// [*tokensource.Error]: ErrClient if the credentials were refused, ErrTemporary
// otherwise.
func (c *Client) ClientCredentials(ctx context.Context) (*oauth2.Token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.registration.Scopes) > 0 {
		form.Set("scope", strings.Join(c.registration.Scopes, " "))
	}
	endpoint := c.provider.ClientCredentialsURL
	if endpoint == "" {
		endpoint = c.provider.TokenURL
	}
	tok, err := c.token(ctx, "client_credentials", endpoint, form)
	if err != nil {
		return nil, err
	}
	tok.RefreshToken = "" // not to be used with this grant (RFC 6749 section 4.4.3)
	return tok, nil
}

// refreshHint says why there may be no refresh token.
func (c *Client) refreshHint() string {
	if s := c.provider.RefreshScope; s != "" {
		return "the provider issues refresh tokens only with scope " + s
	}
	return "the provider issued none: look up which scope or parameter asks for one"
}

func (c *Client) token(ctx context.Context, op, endpoint string, form url.Values, secrets ...string) (*oauth2.Token, error) {
	grantType := form.Get("grant_type")
	a, err := c.post(ctx, op, endpoint, form)
	if err != nil {
		return nil, err
	}
	if !a.success() {
		return nil, c.failure(op, grantType, a, secrets...)
	}
	// From here on the server has said yes: whatever cannot be read leaves the outcome in doubt.
	if a.status != http.StatusOK {
		err := errors.New("no token comes with this status (RFC 6749 section 5.1)")
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: a.status, InDoubt: true, Err: err}
	}
	if !a.json() {
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: a.status, InDoubt: true, Err: errors.New("the answer is not application/json")}
	}
	assumed := c.provider.ExpiresIn
	if grantType == "client_credentials" {
		assumed = 0 // ExpiresIn speaks of user tokens; an app's own token may live until it is invalidated
	}
	tok, err := parseToken(a.body, time.Now(), assumed)
	if err != nil {
		return nil, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: a.status, InDoubt: true, Err: err}
	}
	return tok, nil
}
