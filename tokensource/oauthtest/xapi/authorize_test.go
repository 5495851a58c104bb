package xapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestOnlyGet(t *testing.T) {
	s := fake(t, nil)
	got := do(t, s, request(t, http.MethodPost, authorizeURL(authorizeQuery(ci)), ""))
	if got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST authorize = %d, want 405", got.status)
	}
	spaced := strings.ReplaceAll(authorizeURL(authorizeQuery(ci)), "+", "%20")
	for _, target := range []string{spaced, authorizeURL(authorizeQuery(ci))} {
		if got, err := s.Authorize(t.Context(), "", target); err != nil || !strings.Contains(got, "code=") {
			t.Errorf("Authorize = %q, %v, want a code", got, err)
		}
	}
}

func TestUnknownClientGetsAPage(t *testing.T) {
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
		if _, err := s.Authorize(t.Context(), "", authorizeURL(q)); err == nil {
			t.Errorf("%s: Authorize = nil, want an error", tt.name)
		}
	}
}

func TestLocalhostIsNotLoopback(t *testing.T) {
	s := fake(t, nil)
	app := ci
	app.RedirectURLs = []string{"http://127.0.0.1:8080/callback"}
	if err := s.Register(app); err != nil {
		t.Fatal(err)
	}
	for target, ok := range map[string]bool{"http://127.0.0.1:8080/callback": true, "http://localhost:8080/callback": false} {
		q := authorizeQuery(app)
		q.Set("redirect_uri", target)
		if _, err := s.Authorize(t.Context(), "", authorizeURL(q)); (err == nil) != ok {
			t.Errorf("Authorize(%s) = %v, want ok %v", target, err, ok)
		}
	}
}

func TestBadParametersAreSentBack(t *testing.T) {
	s := fake(t, nil)
	tests := []struct {
		name   string
		change func(url.Values)
		want   string
	}{
		{"response_type", func(q url.Values) { q.Set("response_type", "token") }, "unsupported_response_type"},
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
	s.Set(func(k *xapi.Knobs) { k.Authorize.DropUnknownScopes = true })
	q := authorizeQuery(ci)
	q.Set("scope", "tweet.read nothing")
	if got := callback(t, s, q); !got.Has("code") {
		t.Errorf("callback with DropUnknownScopes = %v, want a code", got)
	}
}

func TestState(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) }
	tests := []struct {
		name  string
		state string
		knobs func(*xapi.Knobs)
		want  string
	}{
		{"500 characters", long(500), nil, ""},
		{"501 characters", long(501), nil, "?error=invalid_request&error_description=Redirect+is+requested.&state="},
		{"knob", "123456", func(k *xapi.Knobs) { k.Authorize.MaxState = 5 }, "?error=invalid_request&error_description=Redirect+is+requested.&state="},
		{"missing", "", nil, "?error=invalid_request"},
		{"missing, allowed", "", func(k *xapi.Knobs) { k.Authorize.AllowMissingState = true }, ""},
	}
	for _, tt := range tests {
		s := fake(t, tt.knobs)
		q := authorizeQuery(ci)
		q.Set("state", tt.state)
		got, err := s.Authorize(t.Context(), "", authorizeURL(q))
		if err != nil || tt.want != "" && got != redirectURL+tt.want || tt.want == "" && !strings.Contains(got, "code=") {
			t.Errorf("%s: Authorize = %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestChallengeLength(t *testing.T) {
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
		s := fake(t, func(k *xapi.Knobs) { k.Authorize.StrictPKCE = tt.strict })
		q := authorizeQuery(ci)
		q.Set("code_challenge", tt.challenge)
		if got := callback(t, s, q); got.Has("code") != tt.ok {
			t.Errorf("challenge of %d, strict %v: callback = %v, want ok %v", len(tt.challenge), tt.strict, got, tt.ok)
		}
	}
}

func TestApproveAndAttack(t *testing.T) {
	tests := []struct {
		name  string
		knobs func(*xapi.Knobs)
		want  func(raw string, q url.Values) bool
	}{
		{"X", nil, func(raw string, q url.Values) bool {
			return strings.HasPrefix(raw, redirectURL+"?state=the-state&code=") && len(q) == 2
		}},
		{"iss", func(k *xapi.Knobs) { k.Authorize.SendIss = "https://evil.example" }, func(_ string, q url.Values) bool {
			return q.Get("iss") == "https://evil.example"
		}},
		{"tampered", func(k *xapi.Knobs) { k.Authorize.TamperState = true }, func(_ string, q url.Values) bool {
			return q.Get("state") != "the-state" && len(q.Get("state")) == len("the-state")
		}},
		{"no state", func(k *xapi.Knobs) { k.Authorize.OmitState = true }, func(_ string, q url.Values) bool { return !q.Has("state") }},
		{"two codes", func(k *xapi.Knobs) { k.Authorize.DuplicateCode = true }, func(_ string, q url.Values) bool {
			return len(q["code"]) == 2 && q["code"][0] != q["code"][1]
		}},
		{"extra", func(k *xapi.Knobs) { k.Authorize.ExtraParams = values("a", "b") }, func(_ string, q url.Values) bool { return q.Get("a") == "b" }},
	}
	for _, tt := range tests {
		s := fake(t, tt.knobs)
		raw, err := s.Authorize(t.Context(), "", authorizeURL(authorizeQuery(ci)))
		u, _ := url.Parse(raw)
		if err != nil || !tt.want(raw, u.Query()) {
			t.Errorf("%s: Authorize = %q, %v", tt.name, raw, err)
		}
	}
}

func TestRedirectURLWithAQuery(t *testing.T) {
	s := fake(t, nil)
	app := ci
	app.RedirectURLs = []string{"https://app.example/cb?x=1"}
	if err := s.Register(app); err != nil {
		t.Fatal(err)
	}
	q := authorizeQuery(app)
	q.Set("redirect_uri", app.RedirectURLs[0])
	got, err := s.Authorize(t.Context(), "", authorizeURL(q))
	if err != nil || !strings.HasPrefix(got, "https://app.example/cb?x=1&state=the-state&code=") {
		t.Errorf("Authorize = %q, %v, want the parameters appended", got, err)
	}
}

func TestDeny(t *testing.T) {
	tests := []struct {
		as   string
		want string
	}{
		{"", redirectURL + "?error=access_denied&state=the-state"},
		{"denied", redirectURL + "?denied=the-state"},
	}
	for _, tt := range tests {
		s := fake(t, func(k *xapi.Knobs) { k.Authorize.Deny, k.Authorize.DenyAs = true, tt.as })
		got, err := s.Authorize(t.Context(), "", authorizeURL(authorizeQuery(ci)))
		if got != tt.want || err != nil {
			t.Errorf("Authorize with DenyAs %q = %q, %v, want %q", tt.as, got, err, tt.want)
		}
	}
}

func TestDecide(t *testing.T) {
	s := fake(t, func(k *xapi.Knobs) {
		k.Authorize.Decide = func(clientID, user string, scopes []string) bool {
			return clientID != ci.ClientID || user != userID || strings.Join(scopes, " ") != allScopes
		}
	})
	if got := callback(t, s, authorizeQuery(ci)).Get("error"); got != "access_denied" {
		t.Errorf("error = %q, want access_denied", got)
	}
	if got := callback(t, s, authorizeQuery(na)).Get("error"); got != "" {
		t.Errorf("error = %q, want none", got)
	}
}

func TestCodesLiveThirtySecondsAndOnce(t *testing.T) {
	const bad = "Value passed for the authorization code was invalid."
	for _, ttl := range []time.Duration{0, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := fake(t, func(k *xapi.Knobs) { k.Authorize.CodeTTL = ttl })
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

func TestOneGrantPerAppAndUser(t *testing.T) {
	good := func(s *xapi.Server, token string) bool {
		return call(t, s, http.MethodGet, meURL, token, "").status == http.StatusOK
	}
	tests := []struct {
		name             string
		change           func(*xapi.Knobs)
		consent, replace bool // whether the first grant still lives after the consent and after the exchange
	}{
		{"X", func(*xapi.Knobs) {}, true, false},
		{"at consent", func(k *xapi.Knobs) { k.Authorize.RevokeAtConsent = true }, false, false},
		{"many", func(k *xapi.Knobs) { k.Token.ManyGrants = true }, true, true},
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

func TestAuthorizeKeepsTheStateToItself(t *testing.T) {
	s := fake(t, nil)
	for _, bad := range []string{"https://x.com/elsewhere?state=the-state", "https://x.com/%zz?state=the-state"} {
		if _, err := s.Authorize(t.Context(), "", bad); err == nil || strings.Contains(err.Error(), "the-state") {
			t.Errorf("Authorize(%q) = %v, want an error without the state", bad, err)
		}
	}
}
