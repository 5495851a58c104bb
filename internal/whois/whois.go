// Package whois finds out who has logged in, from the ID token of the login if
// the client verifies ID tokens, and otherwise from the provider.
package whois

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// Ask returns the user whom tok was issued for directly before. The ID token
// says so, if the client verifies ID tokens, and no call is made unless a fact
// is missing that the user has granted. Without a verifier, the User is that of
// Client.Identity, and all else in the result is empty. The error is a
// *tokensource.Error.
func Ask(ctx context.Context, client *oauth.Client, tok *oauth2.Token, want provider.IDTokenRequest) (provider.IDToken, error) {
	verifier := client.IDTokens()
	if verifier == nil {
		user, err := client.Identity(ctx, tok)
		return provider.IDToken{User: user}, err
	}
	id, err := verifier.VerifyIDToken(ctx, tok, want)
	if err != nil {
		return provider.IDToken{}, err
	}
	if client.Provider().IdentityURL == "" || !promised(id.Missing, granted(client, tok)) {
		return id, nil
	}
	more, err := client.Identity(ctx, tok)
	switch {
	case err != nil:
		return provider.IDToken{}, err
	case more.Subject != id.Subject: // OpenID Connect Core section 5.3.2
		return provider.IDToken{}, &tokensource.Error{Op: "identity", Err: errors.New("the provider names another user than the ID token")}
	}
	id.User = complete(id.User, more)
	return id, nil
}

// granted returns the scopes of a token.
func granted(client *oauth.Client, tok *oauth2.Token) []string {
	text, _ := tok.Extra("scope").(string)
	if list := strings.Fields(text); len(list) > 0 {
		return list
	}
	return client.Scopes()
}

// promised reports whether one of the missing claims can be expected for the
// scopes. Those of OpenID Connect Core section 5.4 have a scope of their own.
func promised(missing, scopes []string) bool {
	return slices.ContainsFunc(missing, func(claim string) bool {
		scope := map[string]string{"name": "profile", "picture": "profile", "email": "email", "email_verified": "email"}[claim]
		return scope == "" || slices.Contains(scopes, scope)
	})
}

// complete returns user with what only more has.
func complete(user, more provider.Identity) provider.Identity {
	for mine, other := range map[*string]string{&user.Username: more.Username, &user.Name: more.Name, &user.Picture: more.Picture} {
		if *mine == "" {
			*mine = other
		}
	}
	all := maps.Clone(more.Claims)
	if all == nil {
		all = map[string]string{}
	}
	own := maps.Clone(user.Claims)
	for claim, verified := range map[string]string{"email": "email_verified", "phone_number": "phone_number_verified"} {
		switch theirs := more.Claims[claim]; { // verified is said of one address
		case theirs == own[claim]:
		case own[claim] == "":
			delete(own, verified)
		default:
			delete(all, verified)
		}
	}
	maps.Copy(all, own)
	if len(all) > 0 {
		user.Claims = all
	}
	return user
}
