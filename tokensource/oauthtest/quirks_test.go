package oauthtest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestGrantedRewordsTheAnswersThatIssueTokens(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) {
		k.Token.Granted = func(a *oauthtest.Answer) {
			a.Status, a.Body = http.StatusCreated, "\ufeff"+a.Body
			a.Header.Set("Content-Type", "text/html")
		}
	})
	got := c.exchange(c.callback().Get("code"))
	if got.status != http.StatusCreated || got.header.Get("Content-Type") != "text/html" || !strings.HasPrefix(got.body, "\ufeff{") ||
		!strings.Contains(got.body, "access_token") {
		t.Errorf("reworded = %d %v %s", got.status, got.header, got.body)
	}
	if got := c.refresh("x"); got.status != http.StatusBadRequest {
		t.Errorf("a refusal = %d, want it as it was", got.status)
	}
}

func TestAnswerKnobOverrulesTheOption(t *testing.T) {
	say := func(body string, topics ...string) func(string, string) *oauthtest.Answer {
		return func(topic, _ string) *oauthtest.Answer {
			if strings.Contains(strings.Join(topics, " "), topic) {
				return &oauthtest.Answer{Status: http.StatusTeapot, Body: body}
			}
			return nil
		}
	}
	c := play(t, &oauthtest.Options{Answer: say("option", "refresh_token", "client")})
	c.Set(func(k *oauthtest.Knobs) { k.Answer = say("knob", "refresh_token") })
	if got := c.refresh("x").body; got != "knob" {
		t.Errorf("refusal = %q, want the knob's", got)
	}
	if got := c.as(ci.WithSecret("wrong")).refresh("x").body; got != "option" {
		t.Errorf("client refusal = %q, want the option's", got)
	}
	if got := c.exchange("x").code(); got != "invalid_grant" {
		t.Errorf("code refusal = %q, want the RFC's", got)
	}
}

func TestRejectedKnob(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Rejected = &oauthtest.Answer{Status: http.StatusForbidden, Body: "{}"} })
	got := c.get(c.p.IdentityURL, "x")
	if got.status != http.StatusForbidden || got.body != "{}" || got.header.Get("WWW-Authenticate") != "" {
		t.Errorf("rejected = %d %v %q, want 403 without a challenge", got.status, got.header, got.body)
	}
}

func TestRotateAfterReturnsAYoungRefreshTokenAgain(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Token.RotateAfter = time.Minute })
	first := c.login()
	second := c.parse(c.refresh(first.Refresh))
	c.Advance(time.Minute)
	third := c.parse(c.refresh(second.Refresh))
	if second.Refresh != first.Refresh || third.Refresh == first.Refresh || third.Refresh == "" {
		t.Error("a young refresh token rotated, or an old one did not")
	}
}

func TestReuseSparesAccessTokens(t *testing.T) {
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Token.ReuseSparesAccess = true })
	first := c.login()
	second := c.parse(c.refresh(first.Refresh))
	c.refresh(first.Refresh)
	if got := c.refresh(second.Refresh).code(); got != "invalid_grant" || !c.works(first.Access) || !c.works(second.Access) {
		t.Errorf("after reuse the newer refresh token is answered with %q, want it dead and the access tokens alive", got)
	}
}

func TestAnyClientAuth(t *testing.T) {
	c := play(t, nil)
	send := func(secret string) string {
		req := c.request(http.MethodPost, c.p.TokenURL, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {ci.ClientID}, "client_secret": {secret},
		}.Encode())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return c.do(req).code()
	}
	if got := send(ci.Secret()); got != "invalid_client" {
		t.Errorf("secret in the body = %q, want invalid_client", got)
	}
	c.Set(func(k *oauthtest.Knobs) { k.Token.AnyClientAuth = true })
	if got := send(ci.Secret()); got != "invalid_grant" {
		t.Errorf("secret in the body with the knob = %q, want invalid_grant", got)
	}
	if got := send("wrong"); got != "invalid_client" {
		t.Errorf("wrong secret in the body = %q, want invalid_client", got)
	}
	if got := c.refresh("x").code(); got != "invalid_grant" {
		t.Errorf("secret in the header = %q, want invalid_grant", got)
	}
}

func TestRevocationKnobs(t *testing.T) {
	revoke := func(c *peer, token, hint string) int {
		return c.post(c.p.RevocationURL, "token", token, "token_type_hint", hint).status
	}
	c := play(t, nil)
	c.Set(func(k *oauthtest.Knobs) { k.Revoke.TrustHint = true })
	tok := c.login()
	if got := revoke(c, tok.Refresh, "access_token"); got != http.StatusOK || c.Token(tok.Refresh).Dead != "" {
		t.Errorf("a wrong hint = %d, %q; want 200 and nothing revoked", got, c.Token(tok.Refresh).Dead)
	}
	c.Set(func(k *oauthtest.Knobs) { k.Revoke.RefuseGone = true })
	for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
		if got := revoke(c, tok.Refresh, "refresh_token"); got != want {
			t.Errorf("revocation = %d, want %d", got, want)
		}
	}
	c.Set(func(k *oauthtest.Knobs) { k.Revoke.RefusePublic = true })
	public := c.as(na)
	tok = public.login()
	if got := revoke(public, tok.Refresh, "refresh_token"); got != http.StatusUnauthorized || c.Token(tok.Refresh).Dead != "" {
		t.Errorf("revocation by a public app = %d, want 401", got)
	}
}

func TestCallbackKnobs(t *testing.T) {
	tests := []struct {
		name   string
		change func(*oauthtest.Knobs)
		params []string // of the request
		want   string   // in the callback URL
	}{
		{"empty state", func(k *oauthtest.Knobs) { k.Authorize.EmptyState = true }, nil, "?state=&code="},
		{"fragment", func(k *oauthtest.Knobs) { k.Authorize.InFragment = true }, nil, "#state=the-state&code="},
		{"an error in the fragment", func(k *oauthtest.Knobs) { k.Authorize.InFragment = true }, []string{"response_type", "token"},
			"#error=unsupported_response_type"},
		{"prompt=none", func(k *oauthtest.Knobs) { k.Authorize.PromptNone = "login_required" }, []string{"prompt", "none"}, "?error=login_required&state=the-state"},
		{"prompt=none ignored", func(*oauthtest.Knobs) {}, []string{"prompt", "none"}, "?state=the-state&code="},
		{"another prompt", func(k *oauthtest.Knobs) { k.Authorize.PromptNone = "login_required" }, []string{"prompt", "consent"}, "?state=the-state&code="},
	}
	for _, tt := range tests {
		c := play(t, nil)
		c.Set(tt.change)
		back, err := c.Authorize(t.Context(), "", c.authorizeURL(tt.params...))
		if err != nil || !strings.Contains(back, tt.want) {
			t.Errorf("%s: callback = %.80q, %v, want %q in it", tt.name, back, err, tt.want)
		}
	}
}

func TestStatusOfTheRedirect(t *testing.T) {
	c := play(t, nil)
	for status, want := range map[int]int{0: 302, 303: 303} {
		c.Set(func(k *oauthtest.Knobs) { k.Authorize.Status = status })
		if got := c.do(c.request(http.MethodGet, c.authorizeURL(), "")).status; got != want {
			t.Errorf("redirect with Status %d = %d, want %d", status, got, want)
		}
	}
}

func TestUserInfoHasTheClaims(t *testing.T) {
	user := oauthtest.DefaultUser()
	user.Claims = map[string]any{"picture": "https://img.example/7.png", "locale": "de", "sub": "another", "name": "Renamed"}
	c := play(t, &oauthtest.Options{Users: []oauthtest.User{user}})
	const want = `{"email":"devs@x.example","locale":"de","name":"Renamed","picture":"https://img.example/7.png",` +
		`"preferred_username":"XDevelopers","sub":"2244994945"}`
	if got := c.get(c.p.IdentityURL, c.login().Access).body; got != want {
		t.Errorf("userinfo = %s, want %s", got, want)
	}
}

func TestJSONBodiesAreRefusedUnlessTheServerTakesThem(t *testing.T) {
	for _, accepted := range []bool{false, true} {
		c := play(t, &oauthtest.Options{JSONBodies: accepted})
		req := c.request(http.MethodPost, c.p.TokenURL, `{"grant_type":"refresh_token","refresh_token":"x"}`)
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth(ci.ClientID, ci.Secret())
		want := "invalid_request"
		if accepted {
			want = "invalid_grant"
		}
		if got := c.do(req).code(); got != want {
			t.Errorf("JSONBodies %v: %q, want %q", accepted, got, want)
		}
	}
}

func TestForbiddenSchemesOfAServer(t *testing.T) {
	s := oauthtest.New(t, &oauthtest.Options{ForbiddenSchemes: []string{"gopher"}})
	for redirect, ok := range map[string]bool{"gopher://a/b": false, "GOPHER://a/b": false, "javascript:x": false, "myapp://a": true} {
		if err := s.Register(oauthtest.App{ClientID: "a", RedirectURLs: []string{redirect}}); (err == nil) != ok {
			t.Errorf("Register(%s) = %v, want ok %v", redirect, err, ok)
		}
	}
}
