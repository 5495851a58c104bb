package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// VerifyIDToken verifies the ID token that came with tok, the member "id_token"
// in Extra of tok ([OpenID Connect Core] section 3.1.3.7, and section 12.2 for
// a refreshed one). See [Options] for what is allowed beside the defaults. It
// implements oauth.IDTokenVerifier.
//
// [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html
func (v *Verifier) VerifyIDToken(ctx context.Context, tok *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error) {
	if tok == nil {
		return provider.IDToken{}, errors.New("oidc: VerifyIDToken needs the token that came with the ID token")
	}
	raw, _ := tok.Extra("id_token").(string)
	if raw == "" {
		return provider.IDToken{}, &tokensource.Error{
			Op: opIDToken, Err: errors.New("the answer of the token endpoint has no ID token"),
			Hint: "ask for the scope openid, and look up whether the client is registered for OpenID Connect",
		}
	}
	t, err := v.open(ctx, opIDToken, raw, want.Refreshed)
	if err != nil {
		return provider.IDToken{}, err
	}
	if want.At.IsZero() {
		want.At = time.Now()
	}
	subject, err := v.party(t)
	if err == nil {
		err = errors.Join(t.checkType(), v.times(t, want))
	}
	if err == nil && !want.Refreshed && t.AccessTokenHash != "" && t.VerifyAccessToken(tok.AccessToken) != nil {
		err = errors.New("it was issued with another access token")
	}
	if err == nil && want.Refreshed && want.Subject != "" && subject != want.Subject {
		err = errors.New("it is for another user than the ID token of the login")
	}
	if err == nil && !want.Refreshed && subtle.ConstantTimeCompare([]byte(t.claims.text("nonce")), []byte(want.Nonce)) != 1 {
		err = errors.New("its nonce is not that of this login")
	}
	if err != nil {
		return provider.IDToken{}, refused(opIDToken, "%w", err)
	}
	if err := v.authenticated(t, want); err != nil {
		return provider.IDToken{}, err
	}
	user := t.claims.identity(v.chosen)
	user.Subject = subject
	return provider.IDToken{
		User: user, Subject: t.Subject, Session: t.claims.text("sid"), Missing: missing(user, v.wanted),
	}, nil
}

// checkType refuses signed tokens that are for another purpose (RFC 8725
// section 3.11).
func (t signed) checkType() error {
	if slices.Contains([]string{"logout+jwt", "at+jwt", "secevent+jwt", "dpop+jwt"}, t.typ) {
		return errors.New("it is a token of another kind")
	}
	return nil
}

// party checks who has issued a token and for whom. It returns the user.
func (v *Verifier) party(t signed) (subject string, err error) {
	tenant, ok := v.issuerOf(t.Issuer)
	if !ok {
		return "", errors.New("it is of another issuer")
	}
	if tid := t.claims.text("tid"); tenant != "" && tid != "" && tid != tenant {
		return "", errors.New("it names two tenants")
	}
	if t.Subject == "" {
		return "", errors.New("it names no user")
	}
	if err := v.audience(t); err != nil {
		return "", err
	}
	return subjectOf(tenant, t.Subject), nil
}

// audience checks that a token is for this client (sections 3.1.3.7 and 2).
func (v *Verifier) audience(t signed) error {
	if !slices.Contains(t.Audience, v.clientID) {
		return errors.New("it is for another client")
	}
	others := false
	for _, a := range t.Audience {
		if a != v.clientID && !slices.Contains(v.audiences, a) {
			return errors.New("it is also for an audience that is not in Options.Audiences")
		}
		others = others || a != v.clientID
	}
	switch azp := t.claims.text("azp"); {
	case azp == "" && !others && !t.claims.has("azp"), azp == v.clientID:
		return nil
	}
	return errors.New("it was issued to another client")
}

// times checks when a token was issued and when it expires.
func (v *Verifier) times(t signed, want provider.IDTokenRequest) error {
	issued, hasIssued := t.claims.time("iat")
	expires, hasExpiry := t.claims.time("exp")
	notBefore, hasNotBefore := t.claims.time("nbf")
	if want.Refreshed {
		return refreshedTimes(issued, hasIssued, want)
	}
	switch {
	case !hasIssued || !hasExpiry:
		return errors.New("it does not say when it was issued, or when it expires")
	case issued.After(want.At.Add(v.skew)):
		return errors.New("it was issued in the future: the clock of this machine or of the server is wrong")
	case hasNotBefore && notBefore.After(want.At.Add(v.skew)):
		return errors.New("it is not valid yet: the clock of this machine or of the server is wrong")
	case !want.At.Before(expires.Add(v.skew)):
		return errors.New("it has expired: the clock of this machine or of the server may be wrong")
	}
	return nil
}

// refreshedTimes checks when a refreshed token was issued. A server may send
// the one of the login once more, which may have expired: it grants nothing.
// The clocks may differ by more than at a login, because a refusal would cost
// the user the access.
func refreshedTimes(issued time.Time, known bool, want provider.IDTokenRequest) error {
	switch {
	case !known:
		return errors.New("it does not say when it was issued")
	case issued.Before(want.IssuedAfter.Add(-longestSkew)):
		return errors.New("it is older than the login")
	case issued.After(want.At.Add(longestSkew)):
		return errors.New("it was issued in the future: the clock of this machine or of the server is wrong")
	}
	return nil
}

// authenticated checks when and how the user authenticated, if the login asked
// for that (section 3.1.2.1). Another login can do better.
func (v *Verifier) authenticated(t signed, want provider.IDTokenRequest) error {
	var cause error
	at, known := t.claims.time("auth_time")
	switch {
	case !want.AuthenticatedAfter.IsZero() && !known:
		cause = errors.New("it does not say when the user authenticated, although the login had a max_age")
	case !want.AuthenticatedAfter.IsZero() && at.Before(want.AuthenticatedAfter.Add(-v.skew)):
		cause = errors.New("the user authenticated too long ago for the max_age of the login")
	case len(want.ACR) > 0 && !slices.Contains(want.ACR, t.claims.text("acr")):
		cause = errors.New("the user did not authenticate in one of the ways that acr_values names")
	default:
		return nil
	}
	return &tokensource.Error{Op: opIDToken, Kind: tokensource.ErrReauthorize, Err: cause}
}
