package oauthtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestRule07_OnlyGet(t *testing.T) {
	s := fake(t, nil)
	got := do(t, s, request(t, http.MethodPost, authorizeURL(authorizeQuery(ci)), ""))
	if got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST authorize = %d, want 405", got.status)
	}
	spaced := strings.ReplaceAll(authorizeURL(authorizeQuery(ci)), "+", "%20")
	for _, target := range []string{spaced, authorizeURL(authorizeQuery(ci))} {
		if got, err := s.Authorize(t.Context(), target); err != nil || !strings.Contains(got, "code=") {
			t.Errorf("Authorize = %q, %v, want a code", got, err)
		}
	}
}

func TestRule08_UnknownClientGetsAPage(t *testing.T) {
	s := fake(t, nil)
	tests := []struct {
		name   string
		change func(url.Values)
	}{
		{"unknown client", func(q url.Values) { q.Set("client_id", "nobody") }},
		{"empty client", func(q url.Values) { q.Set("client_id", "") }},
		{"two clients", func(q url.Values) { q.Add("client_id", na.ClientID) }},
		{"no redirect", func(q url.Values) { q.Del("redirect_uri") }},
		{"two redirects", func(q url.Values) { q.Add("redirect_uri", "https://evil.example/") }},
		{"trailing slash", func(q url.Values) { q.Set("redirect_uri", redirectURL+"/") }},
		{"query", func(q url.Values) { q.Set("redirect_uri", redirectURL+"?a=b") }},
		{"other port", func(q url.Values) { q.Set("redirect_uri", "http://127.0.0.1:8081/callback") }},
		{"other case", func(q url.Values) { q.Set("redirect_uri", "https://APP.example/callback") }},
	}
	for _, tt := range tests {
		q := authorizeQuery(ci)
		tt.change(q)
		got := do(t, s, request(t, http.MethodGet, authorizeURL(q), ""))
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" ||
			!strings.Contains(got.body, "Something went wrong") ||
			!strings.Contains(got.body, "You weren't able to give access to the App. Go back and try logging in again.") {
			t.Errorf("%s: authorize = %d %q, want X's page with 400", tt.name, got.status, got.body)
		}
		if _, err := s.Authorize(t.Context(), authorizeURL(q)); err == nil {
			t.Errorf("%s: Authorize = nil, want an error", tt.name)
		}
	}
}

func TestRule08_LocalhostIsNotLoopback(t *testing.T) {
	s := fake(t, nil)
	app := ci
	app.RedirectURLs = []string{"http://127.0.0.1:8080/callback"}
	if err := s.Register(app); err != nil {
		t.Fatal(err)
	}
	for target, ok := range map[string]bool{"http://127.0.0.1:8080/callback": true, "http://localhost:8080/callback": false} {
		q := authorizeQuery(app)
		q.Set("redirect_uri", target)
		if _, err := s.Authorize(t.Context(), authorizeURL(q)); (err == nil) != ok {
			t.Errorf("Authorize(%s) = %v, want ok %v", target, err, ok)
		}
	}
}

func TestRule09_BadParametersAreSentBack(t *testing.T) {
	s := fake(t, nil)
	tests := []struct {
		name   string
		change func(url.Values)
		want   string
	}{
		{"response_type", func(q url.Values) { q.Set("response_type", "token") }, "invalid_request"},
		{"no challenge", func(q url.Values) { q.Del("code_challenge") }, "invalid_request"},
		{"method", func(q url.Values) { q.Set("code_challenge_method", "S512") }, "invalid_request"},
		{"duplicate", func(q url.Values) { q.Add("scope", "tweet.read") }, "invalid_request"},
		{"unknown scope", func(q url.Values) { q.Set("scope", "tweet.read account.follows.read") }, "invalid_scope"},
		{"no scope", func(q url.Values) { q.Del("scope") }, "invalid_scope"},
		{"s256", func(q url.Values) { q.Set("code_challenge_method", "s256") }, ""},
		{"plain", func(q url.Values) { q.Set("code_challenge_method", "plain") }, ""},
		{"plain by default", func(q url.Values) { q.Del("code_challenge_method") }, ""},
	}
	for _, tt := range tests {
		q := authorizeQuery(ci)
		tt.change(q)
		got := callback(t, s, q)
		if got.Get("error") != tt.want || got.Get("state") != "the-state" || got.Has("code") == (tt.want != "") {
			t.Errorf("%s: callback = %v, want error %q and the state", tt.name, got, tt.want)
		}
	}
	s.Set(func(k *oauthtest.Knobs) { k.Authorize.DropUnknownScopes = true })
	q := authorizeQuery(ci)
	q.Set("scope", "tweet.read nothing")
	if got := callback(t, s, q); !got.Has("code") {
		t.Errorf("callback with DropUnknownScopes = %v, want a code", got)
	}
}

func TestRule10_State(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) }
	tests := []struct {
		name  string
		state string
		knobs oauthtest.AuthorizeKnobs
		want  string
	}{
		{"500 characters", long(500), oauthtest.AuthorizeKnobs{}, ""},
		{"501 characters", long(501), oauthtest.AuthorizeKnobs{}, "?error=invalid_request&error_description=Redirect+is+requested.&state="},
		{"knob", "123456", oauthtest.AuthorizeKnobs{MaxState: 5}, "?error=invalid_request&error_description=Redirect+is+requested.&state="},
		{"missing", "", oauthtest.AuthorizeKnobs{}, "?error=invalid_request"},
		{"missing, allowed", "", oauthtest.AuthorizeKnobs{AllowMissingState: true}, ""},
	}
	for _, tt := range tests {
		s := fake(t, func(k *oauthtest.Knobs) { k.Authorize = tt.knobs })
		q := authorizeQuery(ci)
		q.Set("state", tt.state)
		got, err := s.Authorize(t.Context(), authorizeURL(q))
		if err != nil || tt.want != "" && got != redirectURL+tt.want || tt.want == "" && !strings.Contains(got, "code=") {
			t.Errorf("%s: Authorize = %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestRule11_ChallengeLength(t *testing.T) {
	tests := []struct {
		challenge string
		strict    bool
		ok        bool
	}{
		{"c", false, true},
		{strings.Repeat("c", 128), false, true},
		{strings.Repeat("c", 129), false, false},
		{strings.Repeat("c", 42), true, false},
		{strings.Repeat("c", 43), true, true},
		{strings.Repeat("c", 128), true, true},
		{strings.Repeat("c", 129), true, false},
		{strings.Repeat("c", 43) + "+c", true, false},
	}
	for _, tt := range tests {
		s := fake(t, func(k *oauthtest.Knobs) { k.Authorize.StrictPKCE = tt.strict })
		q := authorizeQuery(ci)
		q.Set("code_challenge", tt.challenge)
		if got := callback(t, s, q); got.Has("code") != tt.ok {
			t.Errorf("challenge of %d, strict %v: callback = %v, want ok %v", len(tt.challenge), tt.strict, got, tt.ok)
		}
	}
}

func TestRule12_ApproveAndAttack(t *testing.T) {
	tests := []struct {
		name  string
		knobs oauthtest.AuthorizeKnobs
		want  func(raw string, q url.Values) bool
	}{
		{"X", oauthtest.AuthorizeKnobs{}, func(raw string, q url.Values) bool {
			return strings.HasPrefix(raw, redirectURL+"?state=the-state&code=") && len(q) == 2
		}},
		{"iss", oauthtest.AuthorizeKnobs{SendIss: "https://evil.example"}, func(_ string, q url.Values) bool {
			return q.Get("iss") == "https://evil.example"
		}},
		{"tampered", oauthtest.AuthorizeKnobs{TamperState: true}, func(_ string, q url.Values) bool {
			return q.Get("state") != "the-state" && len(q.Get("state")) == len("the-state")
		}},
		{"no state", oauthtest.AuthorizeKnobs{OmitState: true}, func(_ string, q url.Values) bool { return !q.Has("state") }},
		{"two codes", oauthtest.AuthorizeKnobs{DuplicateCode: true}, func(_ string, q url.Values) bool {
			return len(q["code"]) == 2 && q["code"][0] != q["code"][1]
		}},
		{"extra", oauthtest.AuthorizeKnobs{ExtraParams: values("a", "b")}, func(_ string, q url.Values) bool { return q.Get("a") == "b" }},
	}
	for _, tt := range tests {
		s := fake(t, func(k *oauthtest.Knobs) { k.Authorize = tt.knobs })
		raw, err := s.Authorize(t.Context(), authorizeURL(authorizeQuery(ci)))
		u, _ := url.Parse(raw)
		if err != nil || !tt.want(raw, u.Query()) {
			t.Errorf("%s: Authorize = %q, %v", tt.name, raw, err)
		}
	}
}

func TestRule12_RedirectURLWithAQuery(t *testing.T) {
	s := fake(t, nil)
	app := ci
	app.RedirectURLs = []string{"https://app.example/cb?x=1"}
	if err := s.Register(app); err != nil {
		t.Fatal(err)
	}
	q := authorizeQuery(app)
	q.Set("redirect_uri", app.RedirectURLs[0])
	got, err := s.Authorize(t.Context(), authorizeURL(q))
	if err != nil || !strings.HasPrefix(got, "https://app.example/cb?x=1&state=the-state&code=") {
		t.Errorf("Authorize = %q, %v, want the parameters appended", got, err)
	}
}

func TestRule13_Deny(t *testing.T) {
	tests := []struct {
		consent oauthtest.Consent
		want    string
	}{
		{oauthtest.Deny, redirectURL + "?error=access_denied&state=the-state"},
		{oauthtest.DenyOAuth1, redirectURL + "?denied=the-state"},
		{oauthtest.DenyPage, ""},
	}
	for _, tt := range tests {
		s := fake(t, func(k *oauthtest.Knobs) { k.Authorize.Consent = tt.consent })
		got, err := s.Authorize(t.Context(), authorizeURL(authorizeQuery(ci)))
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("consent %d: Authorize = %q, %v, want %q", tt.consent, got, err, tt.want)
		}
	}
}

func TestRule04_Decide(t *testing.T) {
	s := fake(t, func(k *oauthtest.Knobs) {
		k.Authorize.Decide = func(clientID, user string, scopes []string) oauthtest.Consent {
			if clientID == ci.ClientID && user == userID && strings.Join(scopes, " ") == allScopes {
				return oauthtest.Deny
			}
			return oauthtest.Approve
		}
	})
	if got := callback(t, s, authorizeQuery(ci)).Get("error"); got != "access_denied" {
		t.Errorf("error = %q, want access_denied", got)
	}
	if got := callback(t, s, authorizeQuery(na)).Get("error"); got != "" {
		t.Errorf("error = %q, want none", got)
	}
}

func TestRule04_IgnoreNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fake(t, func(k *oauthtest.Knobs) { k.Authorize.Consent = oauthtest.Ignore })
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		began := time.Now()
		_, err := s.Authorize(ctx, authorizeURL(authorizeQuery(ci)))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Hour {
			t.Errorf("Authorize = %v after %v, want the deadline after an hour", err, time.Since(began))
		}
	})
}

func TestRule14_CodesLiveThirtySecondsAndOnce(t *testing.T) {
	const bad = "Value passed for the authorization code was invalid."
	for _, ttl := range []time.Duration{0, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := fake(t, func(k *oauthtest.Knobs) { k.Authorize.CodeTTL = ttl })
			lives := ttl
			if ttl == 0 {
				lives = 30 * time.Second
			}
			inTime, late := callback(t, s, authorizeQuery(ci)).Get("code"), callback(t, s, authorizeQuery(ci)).Get("code")
			s.Advance(lives - time.Millisecond)
			parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, exchangeForm(inTime))))
			wantInvalid(t, "second use", do(t, s, formRequest(t, tokenURL, ci, exchangeForm(inTime))), bad)
			s.Advance(time.Millisecond)
			wantInvalid(t, "late use", do(t, s, formRequest(t, tokenURL, ci, exchangeForm(late))), bad)
		})
	}
}

func TestRule15_OneGrantPerAppAndUser(t *testing.T) {
	good := func(s *oauthtest.Server, token string) bool {
		return call(t, s, http.MethodGet, meURL, token, "").status == http.StatusOK
	}
	tests := []struct {
		name             string
		change           func(*oauthtest.Knobs)
		consent, replace bool // whether the first grant still lives after the consent and after the exchange
	}{
		{"X", func(*oauthtest.Knobs) {}, true, false},
		{"at consent", func(k *oauthtest.Knobs) { k.Authorize.RevokeAtConsent = true }, false, false},
		{"many", func(k *oauthtest.Knobs) { k.Token.ManyGrants = true }, true, true},
	}
	for _, tt := range tests {
		s := fake(t, tt.change)
		first, other := login(t, s, ci), login(t, s, na)
		code := callback(t, s, authorizeQuery(ci)).Get("code")
		if got := good(s, first.Access); got != tt.consent {
			t.Errorf("%s: good after the consent = %v, want %v", tt.name, got, tt.consent)
		}
		parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, exchangeForm(code))))
		if got := good(s, first.Access); got != tt.replace {
			t.Errorf("%s: good after the exchange = %v, want %v", tt.name, got, tt.replace)
		}
		if got := refresh(t, s, ci, first.Refresh).status == http.StatusOK; got != tt.replace {
			t.Errorf("%s: refresh after the exchange = %v, want %v", tt.name, got, tt.replace)
		}
		if !good(s, other.Access) {
			t.Errorf("%s: the grant of another app ended", tt.name)
		}
	}
}

func TestRule16_DriveCallback(t *testing.T) {
	s := fake(t, nil)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("flow")
		if err != nil {
			t.Errorf("cookie: %v", err)
			return
		}
		io.WriteString(w, cookie.Value+r.FormValue("state"))
	}))
	defer app.Close()
	reg := ci
	reg.RedirectURLs = []string{app.URL + "/callback"}
	if err := s.Register(reg); err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	u, _ := url.Parse(app.URL)
	jar.SetCookies(u, []*http.Cookie{{Name: "flow", Value: "kept-"}})
	q := authorizeQuery(reg)
	q.Set("redirect_uri", reg.RedirectURLs[0])
	resp, err := s.DriveCallback(t.Context(), &http.Client{Jar: jar}, authorizeURL(q))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "kept-the-state" {
		t.Errorf("callback answered %q, want kept-the-state", body)
	}
	app.Close()
	_, err = s.DriveCallback(t.Context(), &http.Client{}, authorizeURL(q))
	if err == nil || strings.Contains(err.Error(), "code=") || strings.Contains(err.Error(), "the-state") {
		t.Errorf("DriveCallback to a closed app = %v, want an error without the code", err)
	}
	for _, bad := range []string{"https://x.com/elsewhere?state=the-state", "https://x.com/%zz?state=the-state"} {
		if _, err := s.Authorize(t.Context(), bad); err == nil || strings.Contains(err.Error(), "the-state") {
			t.Errorf("Authorize(%q) = %v, want an error without the state", bad, err)
		}
	}
}
