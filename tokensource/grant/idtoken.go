package grant

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// foreign is the failure if an ID token came with refreshed tokens that is not
// for the user of the grant, or not for this client (OpenID Connect Core
// section 12.2). It is nil if there is no ID token, or if it is as it should be.
//
// What cannot be verified now is no reason to lose a refresh: the tokens came
// from the token endpoint.
func (r *run) foreign(ctx context.Context, tok *oauth2.Token) *tokensource.Error {
	verifier := r.client.IDTokens()
	if raw, _ := tok.Extra("id_token").(string); verifier == nil || raw == "" {
		return nil
	}
	_, err := verifier.VerifyIDToken(ctx, tok, provider.IDTokenRequest{
		At: r.clock.Wall(), Refreshed: true, Subject: r.user, IssuedAfter: r.exchanged,
	})
	if err == nil || errors.Is(err, tokensource.ErrTemporary) {
		return nil
	}
	return &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrClient, Err: err,
		Hint: "the ID token that came with the refreshed tokens is refused, so they are stored and not used",
	}
}

// withoutAccess returns the tokens of an answer without the access token, which must
// not be used.
func withoutAccess(tok *oauth2.Token) *oauth2.Token {
	unused := *tok
	unused.AccessToken = ""
	return &unused
}
