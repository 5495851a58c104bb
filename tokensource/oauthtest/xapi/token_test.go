package xapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const unauthorizedClient = `{"error":"unauthorized_client","error_description":"Missing valid authorization header"}`

func TestOnlyFormPosts(t *testing.T) {
	s := fake(t, nil)
	if got := do(t, s, request(t, http.MethodGet, tokenURL, "")); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
		t.Errorf("GET token = %d, want 405 and Allow", got.status)
	}
	form := refreshForm(issue(t, s, ci).Refresh)
	for contentType, ok := range map[string]bool{
		"":                 false,
		"application/json": false,
		"application/x-www-form-urlencoded; charset=UTF-8": true,
	} {
		req := formRequest(t, tokenURL, ci, form)
		req.Header.Set("Content-Type", contentType)
		got := do(t, s, req)
		if ok {
			parseTokens(t, got)
		} else {
			wantInvalid(t, "Content-Type "+contentType, got, "Missing required parameter [grant_type].")
		}
	}
}

func TestQueryIsNoBody(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, na).Refresh
	got := do(t, s, formRequest(t, tokenURL+"?client_id="+na.ClientID, oauthtest.App{}, refreshForm(token)))
	wantInvalid(t, "client_id in the query", got, "Missing required parameter [client_id].")
	s.Set(func(k *xapi.Knobs) { k.Token.StrictQuery = true })
	if got := do(t, s, formRequest(t, tokenURL+"?a=b", na, refreshForm(token))); got.status != http.StatusBadRequest {
		t.Errorf("query with StrictQuery = %d, want 400", got.status)
	}
	parseTokens(t, refresh(t, s, na, token))
}

func TestBasicIsDecoded(t *testing.T) {
	app := ci
	app.ClientID, app = "id:with colon", app.WithSecret("s%cret+:/ü")
	s := xapi.New(t, &oauthtest.Options{Apps: []oauthtest.App{app}})
	token := issue(t, s, app).Refresh
	send := func(id, secret string) answered {
		req := formRequest(t, tokenURL, oauthtest.App{}, refreshForm(token))
		req.SetBasicAuth(id, secret)
		return do(t, s, req)
	}
	token = parseTokens(t, send(url.QueryEscape(app.ClientID), url.QueryEscape(app.Secret()))).Refresh
	wantAnswer(t, "raw halves", send(app.ClientID, app.Secret()), http.StatusUnauthorized, unauthorizedClient)

	app.ClientID = "plain-id"
	if err := s.Register(app); err != nil {
		t.Fatal(err)
	}
	token = issue(t, s, app).Refresh
	s.Set(func(k *xapi.Knobs) { k.Token.RawBasic = true })
	wantAnswer(t, "encoded halves, RawBasic", send(app.ClientID, url.QueryEscape(app.Secret())), http.StatusUnauthorized, unauthorizedClient)
	parseTokens(t, send(app.ClientID, app.Secret()))
}

func TestClientIDMissing(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, ci).Refresh
	got := do(t, s, formRequest(t, tokenURL, oauthtest.App{}, refreshForm(token)))
	wantInvalid(t, "no client", got, "Missing required parameter [client_id].")
	s.Set(func(k *xapi.Knobs) { k.Token.RequireBodyClientID = true })
	wantInvalid(t, "RequireBodyClientID", refresh(t, s, ci, token), "Missing required parameter [client_id].")
	form := refreshForm(token)
	form.Set("client_id", ci.ClientID)
	parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, form)))
}

// badAuth are the ways in which a confidential client fails to authenticate.
var badAuth = []struct {
	name   string
	change func(*http.Request)
}{
	{"no Basic", func(r *http.Request) { r.Header.Del("Authorization") }},
	{"wrong secret", func(r *http.Request) { r.SetBasicAuth(ci.ClientID, "wrong") }},
	{"empty secret", func(r *http.Request) { r.SetBasicAuth(ci.ClientID, "") }},
	{"secret with a newline", func(r *http.Request) { r.SetBasicAuth(ci.ClientID, ci.Secret()+"\n") }},
	{"not base64", func(r *http.Request) { r.Header.Set("Authorization", "Basic !!!") }},
	{"no colon", func(r *http.Request) {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(ci.ClientID)))
	}},
	{"another scheme", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }},
	{"two headers", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }},
	{"two clients", func(r *http.Request) { r.SetBasicAuth(na.ClientID, "x") }},
}

func TestClientAuthentication(t *testing.T) {
	for _, tt := range badAuth {
		s := fake(t, nil)
		token := issue(t, s, ci).Refresh
		form := refreshForm(token)
		form.Set("client_id", ci.ClientID)
		req := formRequest(t, tokenURL, ci, form)
		tt.change(req)
		wantAnswer(t, tt.name, do(t, s, req), http.StatusUnauthorized, unauthorizedClient)
		parseTokens(t, refresh(t, s, ci, token)) // not consumed
	}
	s := fake(t, nil)
	form := refreshForm(issue(t, s, ci).Refresh)
	form.Set("client_id", ci.ClientID)
	form.Set("client_secret", ci.Secret())
	got := do(t, s, formRequest(t, tokenURL, oauthtest.App{}, form))
	wantAnswer(t, "secret in the body", got, http.StatusUnauthorized, unauthorizedClient)
	got = do(t, s, formRequest(t, tokenURL, ci, form)) // tolerated beside Basic
	form = refreshForm(parseTokens(t, got).Refresh)
	form.Set("client_id", na.ClientID)
	got = do(t, s, formRequest(t, tokenURL, ci, form))
	wantAnswer(t, "another client in the body", got, http.StatusUnauthorized, unauthorizedClient)
}

func TestConsumeBeforeAuth(t *testing.T) {
	s := fake(t, func(k *xapi.Knobs) { k.Token.ConsumeBeforeAuth = true })
	code := callback(t, s, authorizeQuery(ci)).Get("code")
	token := issue(t, s, ci).Refresh
	wrong := ci.WithSecret("wrong")
	do(t, s, formRequest(t, tokenURL, wrong, exchangeForm(code)))
	refresh(t, s, wrong, token)
	got := do(t, s, formRequest(t, tokenURL, ci, exchangeForm(code)))
	wantInvalid(t, "code", got, "Value passed for the authorization code was invalid.")
	wantInvalid(t, "refresh token", refresh(t, s, ci, token), "Value passed for the token was invalid.")
}

func TestUnknownClient(t *testing.T) {
	s := fake(t, nil)
	for _, app := range []oauthtest.App{{ClientID: "nobody"}, oauthtest.App{ClientID: "nobody"}.WithSecret("x")} {
		wantAnswer(t, "unknown client", refresh(t, s, app, "x"), http.StatusUnauthorized, `{"error":"invalid_client"}`)
	}
}

func TestPublicAppWithBasic(t *testing.T) {
	s := fake(t, nil)
	token := issue(t, s, na).Refresh
	app := na.WithSecret("any")
	wantAnswer(t, "Basic", refresh(t, s, app, token), http.StatusUnauthorized, unauthorizedClient)
	s.Set(func(k *xapi.Knobs) { k.Token.AllowPublicBasic = true })
	parseTokens(t, refresh(t, s, app, token))
}

func TestGrantType(t *testing.T) {
	s := fake(t, nil)
	for grant, want := range map[string]string{
		"":                   "Missing required parameter [grant_type].",
		"client_credentials": "Value passed for the grant type was invalid. Grant type should be one of [authorization_code, refresh_token].",
		"password":           "Value passed for the grant type was invalid. Grant type should be one of [authorization_code, refresh_token].",
	} {
		wantInvalid(t, grant, do(t, s, formRequest(t, tokenURL, ci, values("grant_type", grant))), want)
	}
}

func TestMissingParametersInOrder(t *testing.T) {
	s := fake(t, nil)
	for _, missing := range [][]string{{"code", "redirect_uri", "code_verifier"}, {"redirect_uri", "code_verifier"}, {"code_verifier"}} {
		form := exchangeForm("x")
		for _, name := range missing {
			form.Del(name)
		}
		wantInvalid(t, missing[0], do(t, s, formRequest(t, tokenURL, ci, form)), "Missing required parameter ["+missing[0]+"].")
	}
}

func TestBadCodes(t *testing.T) {
	const bad = "Value passed for the authorization code was invalid."
	for _, revoke := range []bool{false, true} {
		s := fake(t, func(k *xapi.Knobs) { k.Token.RevokeOnCodeReuse = revoke })
		wantInvalid(t, "unknown", do(t, s, formRequest(t, tokenURL, ci, exchangeForm("x"))), bad)
		code := callback(t, s, authorizeQuery(ci)).Get("code")
		wantInvalid(t, "another client", do(t, s, formRequest(t, tokenURL, na, exchangeForm(code))), bad)
		token := parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, exchangeForm(code)))).Access
		wantInvalid(t, "used", do(t, s, formRequest(t, tokenURL, ci, exchangeForm(code))), bad)
		if got := call(t, s, http.MethodGet, meURL, token, "").status; (got == http.StatusOK) == revoke {
			t.Errorf("RevokeOnCodeReuse %v: GET me = %d", revoke, got)
		}
	}
}

func TestMismatch(t *testing.T) {
	const other = "Value passed for the authorization code was invalid."
	tests := []struct {
		name, field, value, want string
	}{
		{"redirect", "redirect_uri", "http://127.0.0.1:8080/callback", "Value passed for the redirect uri did not match the uri of the authorization code."},
		{"verifier", "code_verifier", "wrong", "Value passed for the code verifier did not match the code challenge."},
		{"challenge as verifier", "code_verifier", challenge(), "Value passed for the code verifier did not match the code challenge."},
	}
	for _, tt := range tests {
		for _, keep := range []bool{false, true} {
			s := fake(t, func(k *xapi.Knobs) { k.Token.KeepCode = keep })
			code := callback(t, s, authorizeQuery(ci)).Get("code")
			form := exchangeForm(code)
			form.Set(tt.field, tt.value)
			wantInvalid(t, tt.name, do(t, s, formRequest(t, tokenURL, ci, form)), tt.want)
			again := do(t, s, formRequest(t, tokenURL, ci, exchangeForm(code)))
			if keep {
				parseTokens(t, again)
			} else {
				wantInvalid(t, tt.name+", then right", again, other)
			}
		}
	}
	s := fake(t, nil)
	q := authorizeQuery(ci)
	q.Set("code_challenge", verifier)
	q.Set("code_challenge_method", "plain")
	parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, exchangeForm(callback(t, s, q).Get("code")))))
}

func TestSuccessBody(t *testing.T) {
	s := fake(t, nil)
	q := authorizeQuery(ci)
	q.Set("scope", "tweet.read users.read offline.access")
	got := do(t, s, formRequest(t, tokenURL, ci, exchangeForm(callback(t, s, q).Get("code"))))
	tok := parseTokens(t, got)
	wantAnswer(t, "exchange", got, http.StatusOK, `{"token_type":"bearer","expires_in":7200,"access_token":"`+tok.Access+
		`","scope":"users.read tweet.read offline.access","refresh_token":"`+tok.Refresh+`"}`)
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-cache, no-store, max-age=0",
	} {
		if v := got.header.Get(name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	q.Set("scope", "tweet.read users.read")
	if got := do(t, s, formRequest(t, tokenURL, ci, exchangeForm(callback(t, s, q).Get("code")))); strings.Contains(got.body, "refresh_token") {
		t.Errorf("without offline.access = %s, want no refresh_token", got.body)
	}
}

func TestSuccessKnobs(t *testing.T) {
	tests := []struct {
		knobs func(*xapi.Knobs)
		want  string // in the body
		not   string
	}{
		{func(k *xapi.Knobs) { k.Token.AccessTTL = 5e9 }, `"expires_in":5,`, ""},
		{func(k *xapi.Knobs) { k.Token.ExpiresIn = "-" }, `{"token_type":"bearer","access_token"`, "expires_in"},
		{func(k *xapi.Knobs) { k.Token.ExpiresIn = "0" }, `"expires_in":0,`, ""},
		{func(k *xapi.Knobs) { k.Token.ExpiresIn = "-1" }, `"expires_in":-1,`, ""},
		{func(k *xapi.Knobs) { k.Token.ExpiresIn = `"7200"` }, `"expires_in":"7200",`, ""},
		{func(k *xapi.Knobs) { k.Token.ExpiresIn = "1e12" }, `"expires_in":1e12,`, ""},
		{func(k *xapi.Knobs) { k.Token.TokenType = "Bearer" }, `"token_type":"Bearer"`, ""},
		{func(k *xapi.Knobs) { k.Token.OmitScope = true }, `"refresh_token"`, `"scope"`},
		{func(k *xapi.Knobs) { k.Token.GrantedScopes = []string{"tweet.read"} }, `"scope":"tweet.read"`, `"refresh_token"`},
		{func(k *xapi.Knobs) { k.Token.ExtraJSON = map[string]any{"b": 1, "a": []string{"x"}} }, `,"a":["x"],"b":1}`, ""},
	}
	for _, tt := range tests {
		s := fake(t, tt.knobs)
		got := do(t, s, formRequest(t, tokenURL, ci, exchangeForm(callback(t, s, authorizeQuery(ci)).Get("code"))))
		if !json.Valid([]byte(got.body)) || !strings.Contains(got.body, tt.want) || tt.not != "" && strings.Contains(got.body, tt.not) {
			t.Errorf("body = %s, want %s and not %s", got.body, tt.want, tt.not)
		}
	}
}
