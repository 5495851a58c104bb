package tokensource

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Exchange trades an authorization code for a token (RFC 6749 section 4.1.3, RFC 7636 section 4.5). The code is sent
// once, whatever happens. It returns an *Error: ErrReauthorize if the code is dead, ErrClient if the client was refused,
// ErrTemporary otherwise. The granted scopes are in the token's Extra("scope"); empty means as requested.
func (c *Client) Exchange(ctx context.Context, code, verifier string) (*oauth2.Token, error) {
	if code == "" {
		return nil, errors.New("tokensource: code is empty")
	}
	if !validVerifier(verifier) {
		return nil, errors.New("tokensource: verifier is not the one of the authorization request (RFC 7636 section 4.1)")
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
// the old refresh token stays good. It returns an *Error: ErrReauthorize if the refresh token is dead, ErrClient if the
// client was refused, ErrTemporary otherwise, with InDoubt if the token may have been redeemed all the same.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return c.refresh(ctx, refreshToken, time.Now().Add(c.timeout))
}

// refresh is Refresh that sends nothing, and waits for nothing, after notAfter.
func (c *Client) refresh(ctx context.Context, refreshToken string, notAfter time.Time) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, &Error{Op: "refresh", Kind: ErrReauthorize, Reason: ReasonNoRefreshToken, Hint: c.refreshHint()}
	}
	ctx, cancel := context.WithDeadline(ctx, notAfter)
	defer cancel()
	return c.token(ctx, "refresh", c.provider.TokenURL, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refreshToken},
	}, refreshToken)
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
		return nil, &Error{Op: op, Kind: ErrTemporary, Status: a.status, InDoubt: true, Err: err}
	}
	if !a.json() {
		return nil, &Error{Op: op, Kind: ErrTemporary, Status: a.status, InDoubt: true, Err: errors.New("the answer is not application/json")}
	}
	assumed := c.provider.ExpiresIn
	if grantType == "client_credentials" {
		assumed = 0 // ExpiresIn speaks of user tokens; an app's own token may live until it is invalidated
	}
	tok, err := parseToken(a.body, time.Now(), assumed)
	if err != nil {
		return nil, &Error{Op: op, Kind: ErrTemporary, Status: a.status, InDoubt: true, Err: err}
	}
	return tok, nil
}
