package xapi_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const (
	appTokenURL   = "https://api.x.com" + xapi.PathAppToken
	invalidateURL = "https://api.x.com" + xapi.PathInvalidate
	appOnlyError  = `{"errors":[{"code":99,"label":"authenticity_token_error","message":"Unable to verify your credentials"}]}`
)

func revoke(t *testing.T, s *xapi.Server, app oauthtest.App, token, hint string) answered {
	t.Helper()
	return do(t, s, formRequest(t, revokeURL, app, values("token", token, "token_type_hint", hint)))
}

func TestRevokeParameters(t *testing.T) {
	s := fake(t, nil)
	tok := issue(t, s, ci)
	if got := do(t, s, request(t, http.MethodGet, revokeURL, "")); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET revoke = %d, want 405", got.status)
	}
	wantInvalid(t, "nothing", do(t, s, formRequest(t, revokeURL, ci, values())), "Missing required parameter [token].")
	wantInvalid(t, "no hint", revoke(t, s, ci, tok.Access, ""), "Missing required parameter [token_type_hint].")
	wantInvalid(t, "bad hint", revoke(t, s, ci, tok.Access, "id_token"), "Value passed for the token type hint was invalid.")
	wantInvalid(t, "no client", revoke(t, s, oauthtest.App{}, tok.Access, "access_token"), "Missing required parameter [client_id].")
	for _, tt := range badAuth {
		req := formRequest(t, revokeURL, ci, values("token", tok.Refresh, "token_type_hint", "refresh_token", "client_id", ci.ClientID))
		tt.change(req)
		wantAnswer(t, tt.name, do(t, s, req), http.StatusUnauthorized, unauthorizedClient)
	}
	parseTokens(t, refresh(t, s, ci, tok.Refresh))
	s.Set(func(k *xapi.Knobs) { k.Revoke.HintOptional = true })
	wantAnswer(t, "HintOptional", revoke(t, s, ci, "x", ""), http.StatusOK, `{"revoked":true}`)
}

func TestRevoke(t *testing.T) {
	tests := []struct {
		name            string
		knobs           func(*xapi.Knobs)
		hint            string
		access, refresh bool // which tokens live on
	}{
		{"access", nil, "access_token", false, true},
		{"access ends all", func(k *xapi.Knobs) { k.Revoke.AccessEndsGrant = true }, "access_token", false, false},
		{"refresh", nil, "refresh_token", false, false},
		{"refresh only", func(k *xapi.Knobs) { k.Revoke.RefreshOnlyItself = true }, "refresh_token", true, false},
	}
	for _, tt := range tests {
		for _, app := range []oauthtest.App{ci, na} {
			s := fake(t, tt.knobs)
			tok := issue(t, s, app)
			token := tok.Access
			if tt.hint == "refresh_token" {
				token = tok.Refresh
			}
			for range 2 {
				wantAnswer(t, tt.name, revoke(t, s, app, token, tt.hint), http.StatusOK, `{"revoked":true}`)
			}
			if got := call(t, s, http.MethodGet, meURL, tok.Access, "").status == http.StatusOK; got != tt.access {
				t.Errorf("%s: access token good = %v, want %v", tt.name, got, tt.access)
			}
			if got := refresh(t, s, app, tok.Refresh).status == http.StatusOK; got != tt.refresh {
				t.Errorf("%s: refresh token good = %v, want %v", tt.name, got, tt.refresh)
			}
		}
	}
}

func TestUnknownTokens(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		s := fake(t, func(k *xapi.Knobs) { k.Revoke.RefuseUnknown = refuse })
		foreign := issue(t, s, na).Refresh
		for _, token := range []string{"x", foreign} {
			got := revoke(t, s, ci, token, "refresh_token")
			if refuse {
				wantInvalid(t, "unknown token", got, badToken)
			} else {
				wantAnswer(t, "unknown token", got, http.StatusOK, `{"revoked":true}`)
			}
		}
		parseTokens(t, refresh(t, s, na, foreign))
	}
}

func TestAppOnly(t *testing.T) {
	s := fake(t, nil)
	keys := apiKeys(ci)
	ask := func(app oauthtest.App, form url.Values) answered {
		return do(t, s, formRequest(t, appTokenURL, app, form))
	}
	good := ask(keys, values("grant_type", "client_credentials"))
	shape := regexp.MustCompile(`^\{"token_type":"bearer","access_token":"(AAAAAAAAAAAAAAAAAAAAA[\w%-]+%2F[\w%-]+%3D)"\}$`)
	found := shape.FindStringSubmatch(good.body)
	if found == nil {
		t.Fatalf("app token = %d %s, want %v", good.status, good.body, shape)
	}
	wantAnswer(t, "again", ask(keys, values("grant_type", "client_credentials")), http.StatusOK, good.body)
	if got := call(t, s, http.MethodGet, tweetsURL, found[1], "").status; got != http.StatusOK {
		t.Errorf("GET tweets with the bearer = %d, want 200", got)
	}
	tests := map[string]answered{
		"OAuth 2.0 credentials": ask(ci, values("grant_type", "client_credentials")),
		"wrong secret":          ask(keys.WithSecret("x"), values("grant_type", "client_credentials")),
		"wrong grant":           ask(keys, values("grant_type", "password")),
		"no Basic":              ask(oauthtest.App{}, values("grant_type", "client_credentials")),
		"app without keys":      ask(oauthtest.App{}.WithSecret("x"), values("grant_type", "client_credentials")),
		"invalidate, unknown":   do(t, s, formRequest(t, invalidateURL, keys, values("access_token", "x"))),
		"invalidate, no token":  do(t, s, formRequest(t, invalidateURL, keys, values())),
		"invalidate, no Basic":  do(t, s, formRequest(t, invalidateURL, oauthtest.App{}, values("access_token", found[1]))),
	}
	for name, got := range tests {
		wantAnswer(t, name, got, http.StatusForbidden, appOnlyError)
	}
	got := do(t, s, formRequest(t, invalidateURL, keys, values("access_token", found[1])))
	wantAnswer(t, "invalidate", got, http.StatusOK, `{"access_token":"`+found[1]+`"}`)
	if got := call(t, s, http.MethodGet, tweetsURL, found[1], "").status; got != http.StatusUnauthorized {
		t.Errorf("GET tweets with an invalidated bearer = %d, want 401", got)
	}
	if next := ask(keys, values("grant_type", "client_credentials")); next.body == good.body || next.status != http.StatusOK {
		t.Error("after invalidate the same bearer came again")
	}
	if n := s.TokenCalls("client_credentials"); n == 0 {
		t.Error("TokenCalls(client_credentials) = 0")
	}
}

func TestRevokeSuspendRotate(t *testing.T) {
	s := fake(t, nil)
	tok := issue(t, s, ci)
	if err := s.RevokeGrant(userID, na.ClientID); err == nil {
		t.Error("RevokeGrant(no grant) = nil, want an error")
	}
	if err := s.RevokeGrant(userID, ci.ClientID); err != nil {
		t.Errorf("RevokeGrant = %v, want nil", err)
	}
	wantAnswer(t, "after RevokeGrant", call(t, s, http.MethodGet, meURL, tok.Access, ""), http.StatusUnauthorized, unauthorized)

	tok = issue(t, s, ci)
	app := ci.WithSecret("another")
	if err := s.Register(app); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, "old secret", refresh(t, s, ci, tok.Refresh), http.StatusUnauthorized, unauthorizedClient)
	tok = parseTokens(t, refresh(t, s, app, tok.Refresh))
	suspended := oauthtest.DefaultUser()
	suspended.Suspended = true
	if err := s.AddUser(suspended); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, "suspended", refresh(t, s, app, tok.Refresh), badToken)
	wantAnswer(t, "suspended", call(t, s, http.MethodGet, meURL, tok.Access, ""), http.StatusUnauthorized, unauthorized)
	if _, err := s.Authorize(t.Context(), "", authorizeURL(authorizeQuery(ci))); err == nil {
		t.Error("Authorize(suspended) = nil, want an error")
	}
	if _, _, err := s.IssueToken(userID, ci.ClientID); err == nil {
		t.Error("IssueToken(suspended) = nil, want an error")
	}
	if ended := s.Grants()[1].Ended; ended != oauthtest.Withdrawn {
		t.Errorf("Ended = %q, want %q", ended, oauthtest.Withdrawn)
	}
}

func TestIssueTokenDefaults(t *testing.T) {
	s := fake(t, nil)
	if _, _, err := s.IssueToken("", ""); err != nil {
		t.Errorf("IssueToken() = %v, want nil", err)
	}
	for _, ids := range [][2]string{{"nobody", ""}, {"", "nobody"}} {
		if _, _, err := s.IssueToken(ids[0], ids[1]); err == nil {
			t.Errorf("IssueToken(%v) = nil, want an error", ids)
		}
	}
	if _, r, _ := s.IssueToken("", "", "tweet.read"); r != "" {
		t.Error("IssueToken without offline.access gave a refresh token")
	}
	if g := s.Grants()[0]; g.UserID != userID || g.ClientID != ci.ClientID {
		t.Errorf("grant %+v, want the first user and app", g)
	}
}
