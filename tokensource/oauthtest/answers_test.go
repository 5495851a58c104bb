package oauthtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// refusals are requests that every server refuses, the answer of RFC 6749
// section 5.2 or RFC 7009 section 2.2.1, and the topic of Options.Answer.
var refusals = []struct {
	name   string
	topic  string
	status int
	code   string
	send   func(*peer) answered
}{
	{"no grant type", "missing grant_type", 400, "invalid_request", func(c *peer) answered { return c.post(c.p.TokenURL) }},
	{"no form", "missing grant_type", 400, "invalid_request", func(c *peer) answered {
		req := c.form(c.p.TokenURL, "grant_type", "refresh_token")
		req.Header.Set("Content-Type", "application/json")
		return c.do(req)
	}},
	{"no client", "missing client_id", 400, "invalid_request", func(c *peer) answered {
		req := c.form(c.p.TokenURL, "grant_type", "refresh_token")
		req.Header.Del("Authorization")
		return c.do(req)
	}},
	{"no code", "missing code", 400, "invalid_request", func(c *peer) answered { return c.exchange("") }},
	{"no redirect URL", "missing redirect_uri", 400, "invalid_request", func(c *peer) answered {
		return c.exchange("x", "redirect_uri", "")
	}},
	{"no refresh token", "missing refresh_token", 400, "invalid_request", func(c *peer) answered { return c.refresh("") }},
	{"no token", "missing token", 400, "invalid_request", func(c *peer) answered { return c.post(c.p.RevocationURL) }},
	{"wrong secret", "client", 401, "invalid_client", func(c *peer) answered { return c.as(ci.WithSecret("wrong")).refresh("x") }},
	{"unknown client", "unknown client", 401, "invalid_client", func(c *peer) answered {
		return c.as(oauthtest.App{ClientID: "nobody"}).refresh("x")
	}},
	{"grant type", "grant_type", 400, "unsupported_grant_type", func(c *peer) answered {
		return c.post(c.p.TokenURL, "grant_type", "password")
	}},
	{"code", "code", 400, "invalid_grant", func(c *peer) answered { return c.exchange("x") }},
	{"redirect URL", "redirect_uri", 400, "invalid_grant", func(c *peer) answered {
		return c.exchange(c.callback().Get("code"), "redirect_uri", "https://other.example/")
	}},
	{"verifier", "code_verifier", 400, "invalid_grant", func(c *peer) answered {
		return c.exchange(c.callback().Get("code"), "code_verifier", "wrong")
	}},
	{"verifier without a challenge", "code_verifier", 400, "invalid_grant", func(c *peer) answered {
		return c.exchange(c.callback("code_challenge", "", "code_challenge_method", "").Get("code"))
	}},
	{"no verifier", "code_verifier", 400, "invalid_grant", func(c *peer) answered {
		return c.exchange(c.callback().Get("code"), "code_verifier", "")
	}},
	{"refresh token", "refresh_token", 400, "invalid_grant", func(c *peer) answered { return c.refresh("x") }},
	{"hint", "token_type_hint", 400, "unsupported_token_type", func(c *peer) answered {
		return c.post(c.p.RevocationURL, "token", "x", "token_type_hint", "id_token")
	}},
	{"unknown token", "token", 400, "invalid_request", func(c *peer) answered {
		c.Set(func(k *oauthtest.Knobs) { k.Revoke.RefuseUnknown = true })
		return c.post(c.p.RevocationURL, "token", "x")
	}},
	{"query", "query", 400, "invalid_request", func(c *peer) answered {
		c.Set(func(k *oauthtest.Knobs) { k.Token.StrictQuery = true })
		return c.post(c.p.TokenURL + "?a=b")
	}},
	{"revoked", "revoked", 200, "", func(c *peer) answered { return c.post(c.p.RevocationURL, "token", "x") }},
	{"page", "page", 400, "", func(c *peer) answered { return c.get(c.authorizeURL("client_id", "nobody"), "") }},
	{"method", "method POST", 405, "", func(c *peer) answered { return c.get(c.p.TokenURL, "") }},
	{"path", "path", 404, "", func(c *peer) answered { return c.get("https://auth.example/nothing", "") }},
}

func TestAnswersAreThoseOfTheRFCs(t *testing.T) {
	for _, tt := range refusals {
		c := play(t, nil)
		got := tt.send(c)
		if got.status != tt.status || got.code() != tt.code {
			t.Errorf("%s = %d %s, want %d %q", tt.name, got.status, got.body, tt.status, tt.code)
		}
		if challenge := got.header.Get("WWW-Authenticate"); (challenge != "") != (tt.status == 401) {
			t.Errorf("%s: WWW-Authenticate = %q", tt.name, challenge)
		}
	}
}

// TestAnswersCanBeWorded replaces each of those answers.
func TestAnswersCanBeWorded(t *testing.T) {
	for _, tt := range refusals {
		c := play(t, &oauthtest.Options{Answer: func(topic, parameter string) *oauthtest.Answer {
			if strings.TrimSpace(topic+" "+parameter) != tt.topic {
				return nil
			}
			return &oauthtest.Answer{Status: http.StatusTeapot, Header: http.Header{"x-own": {"yes"}}, Body: "own words"}
		}})
		if got := tt.send(c); got.status != http.StatusTeapot || got.body != "own words" || got.header.Get("X-Own") != "yes" {
			t.Errorf("%s with words of its own = %d %q, want them for topic %q", tt.name, got.status, got.body, tt.topic)
		}
	}
}

func TestAuthorizationRequestsThatAreSentBack(t *testing.T) {
	strict := func(t *testing.T) *peer {
		return play(t, &oauthtest.Options{RequireState: true, RequirePKCE: true, RequireHint: true})
	}
	for _, tt := range []struct {
		name, want, wantStrict string
		params                 []string
	}{
		{"no response type", "invalid_request", "invalid_request", []string{"response_type", ""}},
		{"response type", "unsupported_response_type", "unsupported_response_type", []string{"response_type", "token"}},
		{"challenge method", "invalid_request", "invalid_request", []string{"code_challenge_method", "S512"}},
		{"no challenge", "", "invalid_request", []string{"code_challenge", "", "code_challenge_method", ""}},
		{"no state", "", "invalid_request", []string{"state", ""}},
		{"nothing wrong", "", "", nil},
	} {
		if got := play(t, nil).callback(tt.params...).Get("error"); got != tt.want {
			t.Errorf("%s: error = %q, want %q", tt.name, got, tt.want)
		}
		if got := strict(t).callback(tt.params...).Get("error"); got != tt.wantStrict {
			t.Errorf("%s at a strict server: error = %q, want %q", tt.name, got, tt.wantStrict)
		}
	}
	c := strict(t)
	if got := c.exchange(c.callback().Get("code"), "code_verifier", ""); got.code() != "invalid_request" {
		t.Errorf("no verifier at a strict server = %s, want invalid_request", got.body)
	}
	if got := c.post(c.p.RevocationURL, "token", "x"); got.code() != "invalid_request" {
		t.Errorf("no hint at a strict server = %s, want invalid_request", got.body)
	}
	c.Set(func(k *oauthtest.Knobs) { k.Authorize.AllowMissingState, k.Revoke.HintOptional = true, true })
	if got := c.callback("state", "").Get("error"); got != "" {
		t.Errorf("no state with AllowMissingState = %q, want no error", got)
	}
	if got := c.post(c.p.RevocationURL, "token", "x").status; got != http.StatusOK {
		t.Errorf("no hint with HintOptional = %d, want 200", got)
	}
}

func TestAnyLoopbackPort(t *testing.T) {
	app := ci
	app.RedirectURLs = []string{"http://127.0.0.1/callback", "http://localhost/callback"}
	for _, tt := range []struct {
		target string
		knob   bool
		ok     bool
	}{
		{"http://127.0.0.1:4711/callback", false, false},
		{"http://127.0.0.1:4711/callback", true, true},
		{"http://127.0.0.1:4711/other", true, false},
		{"https://127.0.0.1:4711/callback", true, false},
		{"http://localhost:4711/callback", true, false},
	} {
		c := play(t, &oauthtest.Options{Apps: []oauthtest.App{app}}).as(app)
		c.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = tt.knob })
		if _, err := c.Authorize(t.Context(), "", c.authorizeURL("redirect_uri", tt.target)); (err == nil) != tt.ok {
			t.Errorf("Authorize(%s), knob %v = %v, want ok %v", tt.target, tt.knob, err, tt.ok)
		}
	}
}

func TestAPIAnswers(t *testing.T) {
	c := play(t, nil)
	tok := c.login()
	things := "https://api.example/things"
	if got := c.get(things, ""); got.status != 401 || got.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("no token = %d %q, want 401 and a bare challenge", got.status, got.header.Get("WWW-Authenticate"))
	}
	if got := c.get(things, tok.Refresh); got.status != 401 || got.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
		t.Errorf("a refresh token = %d %q, want 401 and invalid_token", got.status, got.header.Get("WWW-Authenticate"))
	}
	who, err := c.p.ParseIdentity([]byte(c.get(c.p.IdentityURL, tok.Access).body))
	if err != nil || who.Subject != userID || who.Username != "XDevelopers" || who.Name != "X Developers" {
		t.Errorf("identity = %+v, %v, want the user", who, err)
	}
	if _, err := c.p.ParseIdentity([]byte(`{"name":"x"}`)); err == nil {
		t.Error("ParseIdentity without sub = nil, want an error")
	}
	own := c.parse(c.post(c.p.TokenURL, "grant_type", "client_credentials"))
	if got := c.get(c.p.IdentityURL, own.Access); got.status != http.StatusForbidden {
		t.Errorf("identity with an app's own token = %d, want 403", got.status)
	}
	c.Set(func(k *oauthtest.Knobs) { k.RejectStatus, k.Challenge = 403, "-" })
	if got := c.get(things, "x"); got.status != 403 || got.header.Get("WWW-Authenticate") != "" {
		t.Errorf("knobs = %d %q, want 403 and no challenge", got.status, got.header.Get("WWW-Authenticate"))
	}
	c.Set(func(k *oauthtest.Knobs) { k.Challenge = "DPoP" })
	if got := c.get(things, "x").header.Get("WWW-Authenticate"); got != "DPoP" {
		t.Errorf("WWW-Authenticate = %q, want the knob's", got)
	}
}

// TestHandle has an API of its own: one path, the server's answer with a
// header, and the server's answer alone.
func TestHandle(t *testing.T) {
	var bearers []oauthtest.Reason
	c := play(t, &oauthtest.Options{
		Handle: func(r *http.Request, seen oauthtest.Request, bearer oauthtest.Token) *oauthtest.Answer {
			bearers = append(bearers, bearer.Dead)
			switch r.URL.Path {
			case "/own":
				return &oauthtest.Answer{Status: http.StatusAccepted, Body: bearer.User.Username + " " + seen.Op, Note: "handled"}
			case "/more":
				return &oauthtest.Answer{Header: http.Header{"x-more": {"yes"}}}
			}
			return nil
		},
		Stamp: func(h http.Header, seen oauthtest.Request) { h.Set("X-Number", seen.Path) },
	})
	tok := c.issue()
	if got := c.get("https://api.example/own", tok.Access); got.status != 202 || got.body != "XDevelopers api" {
		t.Errorf("GET own = %d %q, want the handler's answer", got.status, got.body)
	}
	if got := c.Requests()[0]; len(got.Notes) != 1 || got.Notes[0] != "handled" || got.UserID != userID {
		t.Errorf("recorded %+v, want the note and the user", got)
	}
	if got := c.get("https://api.example/more", "x"); got.status != 200 || got.header.Get("X-More") != "yes" || got.header.Get("X-Number") != "/more" {
		t.Errorf("GET more = %d %v, want the server's answer with both headers", got.status, got.header)
	}
	if got := c.get("https://api.example/rest", "x").status; got != 401 {
		t.Errorf("GET rest = %d, want 401", got)
	}
	want := []oauthtest.Reason{"", oauthtest.Unknown, oauthtest.Unknown}
	for i, got := range bearers {
		if got != want[i] {
			t.Errorf("bearer %d is %q, want %q", i, got, want[i])
		}
	}
}
