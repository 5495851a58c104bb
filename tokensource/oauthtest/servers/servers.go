// Package servers makes the fake of package oauthtest answer as authorization
// servers that people run.
//
// # What it is for
//
// Servers differ in how they rotate refresh tokens, in what a revocation ends,
// and in how they word their refusals. A test that runs with the knobs of each
// server shows that a program works with all of them. A test of a program for
// one server that is in the catalogue gives the fake that Provider, and needs
// no knobs.
//
// # Types
//
// [Known] returns functions for [oauthtest.Server.Set], by the name of a
// server.
//
// # Example
//
//	for name, like := range servers.Known() {
//		t.Run(name, func(t *testing.T) {
//			fake := oauthtest.New(t, nil)
//			fake.Set(like)
//			…
//		})
//	}
//
// # Concurrency
//
// Known is safe for concurrent use.
//
// # Errors
//
// Known cannot fail.
package servers

import (
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Known returns, by the name of a server, a function for
// [oauthtest.Server.Set]. It sets knobs that have their zero value, to what was
// measured of that server over loopback. It does not make the fake that server:
// the endpoints stay those of the provider.
//
// The names are "oidc-provider", "glewlwyd", "zitadel", "fosite", "hydra",
// "dex", "django-oauth-toolkit", "node-oauth2-server", "go-oauth2", "go-oidc"
// and "oauth2-mock-server".
func Known() map[string]func(*oauthtest.Knobs) {
	return map[string]func(*oauthtest.Knobs){
		"oidc-provider":        likeOIDCProvider,
		"glewlwyd":             likeGlewlwyd,
		"zitadel":              likeZitadel,
		"fosite":               likeFosite,
		"hydra":                likeHydra,
		"dex":                  likeDex,
		"django-oauth-toolkit": likeDjango,
		"node-oauth2-server":   likeNodeOAuth,
		"go-oauth2":            likeGoOAuth2,
		"go-oidc":              likeGoOIDC,
		"oauth2-mock-server":   likeMockServer,
	}
}

func likeOIDCProvider(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.KeepCode, k.Token.RevokeOnCodeReuse, k.Token.AnyClientAuth = "Bearer", true, true, true
	k.Revoke.AccessEndsGrant = true
	k.Authorize.Status = http.StatusSeeOther
	k.Authorize.PromptNone = "login_required"
}

func likeGlewlwyd(k *oauthtest.Knobs) {
	k.Token.RawBasic, k.Token.KeepCode, k.Token.RevokeOnCodeReuse, k.Token.ReuseSparesAccess = true, true, true, true
	k.Token.ExtraJSON = map[string]any{"iat": 1700000000}
	k.Revoke.RefreshOnlyItself, k.Revoke.TrustHint, k.Revoke.RefusePublic = true, true, true
	k.Rejected = &oauthtest.Answer{Status: http.StatusUnauthorized}
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token":  {Status: http.StatusBadRequest},
		"grant_type":     {Status: http.StatusBadRequest},
		"code":           jsonAnswer(http.StatusForbidden, `{"error":"invalid_code"}`),
		"redirect_uri":   jsonAnswer(http.StatusForbidden, `{"error":"unauthorized_client"}`),
		"client":         jsonAnswer(http.StatusForbidden, `{"error":"unauthorized_client"}`),
		"unknown client": jsonAnswer(http.StatusForbidden, `{"error":"unauthorized_client"}`),
	})
}

func likeZitadel(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.KillOldAccess, k.Token.NoFamilyRevocation = "Bearer", true, true
	k.Token.KeepCode, k.Token.AnyClientAuth = true, true
	k.Authorize.PromptNone = "login_required"
	k.Rejected = jsonAnswer(http.StatusForbidden, `{}`)
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token": jsonAnswer(http.StatusBadRequest, `{"error":"invalid_grant"}`),
		"client":        jsonAnswer(http.StatusBadRequest, `{"error":"invalid_grant"}`), // the code is looked up first
	})
}

func likeFosite(k *oauthtest.Knobs) {
	k.Token.KillOldAccess, k.Token.RevokeOnCodeReuse = true, true
	k.Revoke.AccessEndsGrant = true
	k.Authorize.ExtraParams = url.Values{"scope": {"offline_access"}}
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token": jsonAnswer(http.StatusBadRequest, `{"error":"invalid_grant","error_description":"`+fositePreamble+`The refresh token has not been found."}`),
		"grant_type":    jsonAnswer(http.StatusBadRequest, `{"error":"invalid_request"}`),
	})
}

const fositePreamble = "The provided authorization grant (e.g., authorization code, resource owner credentials) or refresh token is invalid, " +
	"expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client. "

func likeHydra(k *oauthtest.Knobs) {
	likeFosite(k)
	k.Token.GraceWindow, k.Token.GraceFresh = 10*time.Second, true
	k.Authorize.PromptNone = "login_required"
	k.Challenge = `Bearer error="request_unauthorized",error_description="The request could not be authorized"`
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token": jsonAnswer(http.StatusUnauthorized, `{"error":"token_inactive","error_description":"Token is inactive because it is malformed, expired or otherwise invalid."}`),
		"grant_type":    jsonAnswer(http.StatusBadRequest, `{"error":"invalid_request"}`),
	})
}

func likeDex(k *oauthtest.Knobs) {
	k.Token.NoFamilyRevocation, k.Token.KeepCode, k.Token.OmitScope, k.Token.AnyClientAuth = true, true, true, true
	k.Token.RotateAfter, k.Token.GraceWindow = 3*time.Second, 3*time.Second
	k.Authorize.PromptNone = "interaction_required"
	k.Rejected = jsonAnswer(http.StatusForbidden, `{"error":"access_denied"}`)
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token": jsonAnswer(http.StatusBadRequest, `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`),
		"redirect_uri":  jsonAnswer(http.StatusBadRequest, `{"error":"invalid_request","error_description":"redirect_uri did not match URI from initial request."}`),
	})
}

func likeDjango(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.KillOldAccess, k.Token.NoFamilyRevocation = "Bearer", true, true
	k.Token.GraceWindow, k.Token.KeepCode, k.Token.AnyClientAuth = 10*time.Second, true, true
	k.Rejected = pageAnswer(http.StatusForbidden, "<h1>403 Forbidden</h1>")
	unauthorized := jsonAnswer(http.StatusUnauthorized, `{"error":"invalid_client"}`)
	unauthorized.Header.Set("WWW-Authenticate", `Bearer error="invalid_client"`)
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token": jsonAnswer(http.StatusBadRequest, `{"error":"invalid_grant"}`),
		"redirect_uri":  jsonAnswer(http.StatusBadRequest, `{"error":"invalid_request","error_description":"Mismatching redirect URI."}`),
		"client":        unauthorized, "unknown client": unauthorized,
		"revoked": pageAnswer(http.StatusOK, ""),
	})
}

func likeNodeOAuth(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.RawBasic, k.Token.AnyClientAuth = "Bearer", true, true
	k.Challenge = `Bearer realm="Service",error="invalid_token"`
	k.Answer = worded(map[string]*oauthtest.Answer{
		"redirect_uri": jsonAnswer(http.StatusBadRequest, `{"error":"invalid_request"}`),
		"grant_type":   jsonAnswer(http.StatusBadRequest, `{"error":"invalid_client"}`),
	})
}

func likeGoOAuth2(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.RawBasic, k.Token.KillOldAccess, k.Token.NoFamilyRevocation = "Bearer", true, true, true
	k.Answer = worded(map[string]*oauthtest.Answer{
		"refresh_token":  jsonAnswer(http.StatusUnauthorized, `{"error":"invalid_grant"}`),
		"code":           jsonAnswer(http.StatusUnauthorized, `{"error":"invalid_grant"}`),
		"grant_type":     jsonAnswer(http.StatusUnauthorized, `{"error":"unsupported_grant_type"}`),
		"unknown client": jsonAnswer(http.StatusInternalServerError, `{"error":"server_error"}`),
	})
}

func likeGoOIDC(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.OmitRefresh, k.Token.RevokeOnCodeReuse = "Bearer", true, true
	k.Rejected = jsonAnswer(http.StatusUnauthorized, `{"error":"invalid_token"}`)
	k.Answer = worded(map[string]*oauthtest.Answer{"code": jsonAnswer(http.StatusBadRequest, `{"error":"expired_token"}`)})
}

func likeMockServer(k *oauthtest.Knobs) {
	k.Token.TokenType, k.Token.RepeatRefresh = "Bearer", true
	problem := &oauthtest.Answer{
		Status: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: `{"type":"about:blank","title":"Bad Request","status":400}`,
	}
	k.Answer = worded(map[string]*oauthtest.Answer{"code": problem, "client": problem, "unknown client": problem})
}

// worded answers the topics that it knows.
func worded(answers map[string]*oauthtest.Answer) func(topic, parameter string) *oauthtest.Answer {
	return func(topic, _ string) *oauthtest.Answer { return answers[topic] }
}

func jsonAnswer(status int, body string) *oauthtest.Answer {
	return &oauthtest.Answer{Status: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: body}
}

func pageAnswer(status int, body string) *oauthtest.Answer {
	return &oauthtest.Answer{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: body}
}
