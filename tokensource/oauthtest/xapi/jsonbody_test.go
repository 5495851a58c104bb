package xapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// jsonRequest is a token request as node-twitter-api-v2 sends it: JSON, and the
// secret in the body beside Basic.
func jsonRequest(t *testing.T, target string, app oauthtest.App, members map[string]any) *http.Request {
	t.Helper()
	members = maps.Clone(members)
	members["client_id"] = app.ClientID
	if app.Secret() != "" {
		members["client_secret"] = app.Secret()
	}
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	req := request(t, http.MethodPost, target, string(body))
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	if app.Secret() != "" {
		req.SetBasicAuth(app.ClientID, app.Secret())
	}
	return req
}

func TestJSONBodies(t *testing.T) {
	for _, app := range []oauthtest.App{ci, na} {
		s := fake(t, nil)
		code := callback(t, s, authorizeQuery(app)).Get("code")
		first := parseTokens(t, do(t, s, jsonRequest(t, tokenURL, app, map[string]any{
			"grant_type": "authorization_code", "code": code, "redirect_uri": redirectURL, "code_verifier": verifier,
		})))
		second := parseTokens(t, do(t, s, jsonRequest(t, tokenURL, app, map[string]any{
			"grant_type": "refresh_token", "refresh_token": first.Refresh, "a number": 7, "an object": map[string]any{},
		})))
		if second.Refresh == first.Refresh || s.TokenCalls("refresh_token") != 1 {
			t.Errorf("%s: the refresh token did not rotate", app.Name)
		}
		got := do(t, s, jsonRequest(t, revokeURL, app, map[string]any{"token": second.Refresh, "token_type_hint": "refresh_token"}))
		wantAnswer(t, app.Name+": revocation", got, http.StatusOK, `{"revoked":true}`)
		if s.Token(second.Access).Dead == "" {
			t.Errorf("%s: the grant lives after its revocation", app.Name)
		}
	}
}

func TestBodiesThatAreNoObject(t *testing.T) {
	s := fake(t, nil)
	for _, body := range []string{"", "{", "null", "[]", `"grant_type"`, `{"grant_type":7}`} {
		req := request(t, http.MethodPost, tokenURL, body)
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth(ci.ClientID, ci.Secret())
		wantInvalid(t, body, do(t, s, req), "Missing required parameter [grant_type].")
	}
}

// TestASecretInAJSONBodyIsNotEnough leaves Basic out.
func TestASecretInAJSONBodyIsNotEnough(t *testing.T) {
	s := fake(t, nil)
	req := jsonRequest(t, tokenURL, ci, map[string]any{"grant_type": "refresh_token", "refresh_token": "x"})
	req.Header.Del("Authorization")
	if got := do(t, s, req); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "Missing valid authorization header") {
		t.Errorf("without Basic = %d %s, want X's 401", got.status, got.body)
	}
}
