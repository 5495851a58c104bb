// Package oidc verifies the ID tokens and logout tokens of OpenID Connect. It
// is a module of its own, on github.com/coreos/go-oidc.
//
// # What it is for
//
// An authorization server of OpenID Connect says in a signed ID token who has
// logged in. So no other call is needed to find out, and the answer is for this
// app and for this login. A [Verifier] does what [OpenID Connect Core] section
// 3.1.3.7 demands before that is believed.
//
// # Types
//
// [New] makes a Verifier for a provider and a client ID. Give it to oauth.New:
// then package middleware sends a nonce with each login, knows the user from
// the ID token, and can log the user out at the authorization server. Package
// grant refuses refreshed tokens that are for another user. [Options] say which
// claims of the user are kept. [ParseUserInfo] reads the answer of a UserInfo
// endpoint in the same way, for provider.Provider.ParseIdentity.
//
// # Example
//
//	verifier, err := oidc.New(p, clientID, nil)
//	client, err := oauth.New(p, registration, &oauth.Options{IDTokens: verifier})
//
// # Keys
//
// The keys of the authorization server are read from Provider.JWKSURL, and from
// nowhere else. They are kept in memory for an hour. A token with an unknown
// key causes one more request, at most one in a minute. If that request fails,
// the keys are used for a day.
//
// # Concurrency
//
// A Verifier is safe for concurrent use. Callers that need the keys at once
// share one request.
//
// # Errors
//
// Errors of a Verifier are a *tokensource.Error. It matches
// tokensource.ErrTemporary if the keys cannot be read now,
// tokensource.ErrReauthorize if the user has to authenticate again or in
// another way (max_age, acr_values). If the token is refused, it matches none
// of these two. No text contains a token.
//
// [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html
package oidc
