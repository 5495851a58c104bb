package xapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestHandlerListenerAndMemory(t *testing.T) {
	s := fake(t, nil)
	plain, secure := listen(t, s), httptest.NewTLSServer(s)
	defer secure.Close()
	token := issue(t, s, ci).Access
	for base, client := range map[string]*http.Client{
		plain.URL: plain.Client(), secure.URL: secure.Client(), "https://api.x.com": {Transport: s.Transport()},
	} {
		req := request(t, http.MethodGet, base+xapi.PathMe, "")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), userID) {
			t.Errorf("GET %s = %d %s, want 200 and the user", base, resp.StatusCode, body)
		}
	}
	requests := s.Requests()
	if got := []bool{requests[0].TLS, requests[1].TLS, requests[2].TLS}; fmt.Sprint(got) == "[false false false]" {
		t.Errorf("TLS = %v, want it recorded", got)
	}
}

func TestProviderPointsAtTheFake(t *testing.T) {
	s := fake(t, nil)
	for _, base := range []string{"", "http://127.0.0.1:8080/", "https://fake.example"} {
		p := s.Provider(base)
		if err := p.Validate(); err != nil {
			t.Errorf("Provider(%q).Validate() = %v, want nil", base, err)
		}
		want := strings.TrimSuffix(base, "/")
		if base == "" {
			want = "https://api.x.com"
		}
		if p.TokenURL != want+xapi.PathToken {
			t.Errorf("Provider(%q).TokenURL = %q, want it at %q", base, p.TokenURL, want)
		}
	}
}

func TestHostsAreKeptApart(t *testing.T) {
	s := fake(t, nil)
	tests := []struct {
		url    string
		status int
	}{
		{authorizeURL(authorizeQuery(ci)), http.StatusFound},
		{"https://twitter.com" + xapi.PathAuthorize, http.StatusBadRequest},
		{"https://api.x.com" + xapi.PathAuthorize, http.StatusNotFound},
		{"https://x.com" + xapi.PathMe, http.StatusNotFound},
		{"https://api.twitter.com" + xapi.PathMe, http.StatusUnauthorized},
		{"https://api.x.com/nothing", http.StatusNotFound},
		{"https://elsewhere.test/" + xapi.PathMe, http.StatusOK},
	}
	for _, tt := range tests {
		if got := do(t, s, request(t, http.MethodGet, tt.url, "")); got.status != tt.status {
			t.Errorf("GET %.40s = %d, want %d", tt.url, got.status, tt.status)
		}
	}
}

func TestClockAndSkew(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := xapi.New(t, &oauthtest.Options{Clock: func() time.Time { return begin }})
	token := issue(t, s, ci).Access
	date := func() string { return call(t, s, http.MethodGet, meURL, token, "").header.Get("Date") }
	if got, want := date(), "Fri, 02 Jan 2026 03:04:05 GMT"; got != want {
		t.Errorf("Date = %q, want %q", got, want)
	}
	s.Set(func(k *xapi.Knobs) { k.ClockSkew = 5 * time.Hour })
	if got, want := date(), "Fri, 02 Jan 2026 08:04:05 GMT"; got != want {
		t.Errorf("Date with ClockSkew = %q, want %q", got, want)
	}
	if got := call(t, s, http.MethodGet, meURL, token, "").status; got != http.StatusOK {
		t.Errorf("status with ClockSkew = %d, want 200: skew expires nothing", got)
	}
	s.Advance(2 * time.Hour)
	if got := call(t, s, http.MethodGet, meURL, token, "").status; got != http.StatusUnauthorized {
		t.Errorf("status after Advance(2h) = %d, want 401", got)
	}
}

func TestApps(t *testing.T) {
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprintf("https://app.example/%d", i)
	}
	tests := []struct {
		name string
		app  oauthtest.App
		ok   bool
	}{
		{"ten redirect URLs", oauthtest.App{ClientID: "a", RedirectURLs: many[:10]}, true},
		{"private scheme", oauthtest.App{ClientID: "a", RedirectURLs: []string{"myapp://back"}}, true},
		{"eleven redirect URLs", oauthtest.App{ClientID: "a", RedirectURLs: many}, false},
		{"no client ID", oauthtest.App{}, false},
		{"javascript", oauthtest.App{ClientID: "a", RedirectURLs: []string{"JavaScript:alert(1)"}}, false},
		{"data", oauthtest.App{ClientID: "a", RedirectURLs: []string{"data:text/html,x"}}, false},
		{"file", oauthtest.App{ClientID: "a", RedirectURLs: []string{"file:///etc"}}, false},
		{"relative", oauthtest.App{ClientID: "a", RedirectURLs: []string{"/callback"}}, false},
		{"no host", oauthtest.App{ClientID: "a", RedirectURLs: []string{"https:///callback"}}, false},
		{"fragment", oauthtest.App{ClientID: "a", RedirectURLs: []string{"https://app.example/#x"}}, false},
	}
	for _, tt := range tests {
		_, err := xapi.NewServer(&oauthtest.Options{Apps: []oauthtest.App{tt.app}})
		if (err == nil) != tt.ok {
			t.Errorf("NewServer(%s) = %v, want ok %v", tt.name, err, tt.ok)
		}
	}
	disallowed := strings.FieldsSeq("vbscript javascript vbs data mocha keyword livescript ftp file gopher acrobat callto daap itpc itms " +
		"firefoxurl hcp ldap mailto mmst mmsu msbd rtsp mso-offdap snews news nntp outlook stssync rlogin telnet tn3270 shell sip")
	for scheme := range disallowed {
		app := oauthtest.App{ClientID: "a", RedirectURLs: []string{strings.ToUpper(scheme) + "://back"}}
		if _, err := xapi.NewServer(&oauthtest.Options{Apps: []oauthtest.App{app}}); err == nil {
			t.Errorf("NewServer(a redirect URL with %s:) = nil, want an error", scheme)
		}
	}
	for id, suffix := range map[string]string{ci.ClientID: ":1:ci", na.ClientID: ":1:na"} {
		decoded, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil || len(id) != 34 || len(decoded) != 25 || !strings.HasSuffix(string(decoded), suffix) {
			t.Errorf("client ID %q = %q, %v, want 20 characters and %q", id, decoded, err, suffix)
		}
	}
}

func TestUsers(t *testing.T) {
	if _, err := xapi.NewServer(&oauthtest.Options{Users: []oauthtest.User{{ID: "1"}}}); err == nil {
		t.Error("NewServer(user without Username) = nil, want an error")
	}
	s := fake(t, nil)
	if err := s.AddUser(oauthtest.User{ID: "7", Name: "Seven", Username: "seven"}); err != nil {
		t.Fatal(err)
	}
	who := func(back string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		code := regexp.MustCompile("code=([^&]+)").FindStringSubmatch(back)[1]
		token := parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, exchangeForm(code)))).Access
		return call(t, s, http.MethodGet, meURL, token, "").body
	}
	target := authorizeURL(authorizeQuery(ci))
	if got := who(s.Authorize(t.Context(), "", target)); !strings.Contains(got, "XDevelopers") {
		t.Errorf("user = %s, want the first one", got)
	}
	if got := who(s.Authorize(t.Context(), "7", target)); !strings.Contains(got, "seven") {
		t.Errorf("user with AuthorizeAs(7) = %s, want seven", got)
	}
	s.Set(func(k *xapi.Knobs) { k.Authorize.User = "7" })
	if got := who(s.Authorize(t.Context(), "", target)); !strings.Contains(got, "seven") {
		t.Errorf("user with the knob = %s, want seven", got)
	}
}

func TestTokensAreShapedAsX(t *testing.T) {
	seeded := func() (string, string) {
		s := xapi.New(t, &oauthtest.Options{
			Random: rand.NewChaCha8([32]byte{1}), Clock: func() time.Time { return time.UnixMilli(1700000000123) },
		})
		got := issue(t, s, ci)
		return got.Access, got.Refresh
	}
	a, r := seeded()
	for token, want := range map[string]string{a: ":1700000000123:1:1:at:1", r: ":1700000000123:1:1:rt:1"} {
		decoded, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(token) != 91 || len(decoded) != 45+len(want) || !strings.HasSuffix(string(decoded), want) {
			t.Errorf("token of %d characters = %q, %v, want 45 random ones and %q", len(token), decoded, err, want)
		}
	}
	if again, _ := seeded(); again != a {
		t.Error("the same seed made another token")
	}
	other := fake(t, nil)
	if first, second := issue(t, other, ci), issue(t, other, ci); first.Access == second.Access {
		t.Error("two tokens are equal")
	}
}

func TestRecorderKeepsSecretsToItself(t *testing.T) {
	var seen []oauthtest.Request
	s := xapi.New(t, &oauthtest.Options{OnRequest: func(r oauthtest.Request) { seen = append(seen, r) }})
	got := login(t, s, ci)
	refresh(t, s, ci, got.Refresh)
	all := s.Requests(oauthtest.Match{Op: "token"})
	if len(all) != 2 || len(seen) != 3 || s.TokenCalls("refresh_token") != 1 || s.TokenCalls("authorization_code") != 1 {
		t.Fatalf("recorded %d token requests, observed %d, want 2 and 3", len(all), len(seen))
	}
	if v := all[1].Raw().PostForm.Get("refresh_token"); v != got.Refresh {
		t.Error("RawForm() lost the refresh token")
	}
	if all[1].Raw().Header.Get("Authorization") == "" || !strings.Contains(seen[0].Raw().URL.String(), "the-state") {
		t.Error("RawHeader() or RawURL() lost something")
	}
	secrets := []string{got.Refresh, got.Access, ci.Secret(), verifier, "the-state", all[1].Raw().Header.Get("Authorization")}
	type outer struct {
		r oauthtest.Request
		R oauthtest.Request
		s *xapi.Server
		S *xapi.Server
		O oauthtest.Options
	}
	value := outer{seen[1], all[1], s, s, oauthtest.Options{Apps: []oauthtest.App{ci}}}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+verb+verb+verb+verb, value, all[1], &all[1], ci, s)
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("", "r", all[1], "app", ci, "s", s, "outer", value.R)
	slog.New(slog.NewTextHandler(&b, nil)).Info("", "r", all[1], "app", ci, "s", s)
	for _, v := range []any{all, ci, s, map[string]any{"a": ci, "r": seen}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	for _, secret := range secrets {
		if strings.Contains(b.String(), secret) || strings.Contains(b.String(), fmt.Sprintf("%x", secret)) {
			t.Errorf("a secret of %d characters was printed", len(secret))
		}
	}
	if want := `POST api.x.com/2/oauth2/token "refresh_token" -> 200`; !strings.Contains(all[1].String(), want) {
		t.Errorf("String() = %q, want %q in it", all[1], want)
	}
}

func TestRecordIsBounded(t *testing.T) {
	for limit, want := range map[int]int{2: 2, -1: 0, 0: 5} {
		s := xapi.New(t, &oauthtest.Options{RecordLimit: limit})
		for range 5 {
			refresh(t, s, ci, "x")
		}
		got := s.Requests()
		if len(got) != want || s.TokenCalls("refresh_token") != 5 {
			t.Errorf("RecordLimit %d keeps %d, counts %d, want %d and 5", limit, len(got), s.TokenCalls("refresh_token"), want)
		}
		if want == 2 && (got[0].Number != 4 || got[1].Number != 5) {
			t.Errorf("kept %v, want the latest two in order", got)
		}
	}
}

func TestAuditTellsWhatClientsDoWrong(t *testing.T) {
	bearer := func(r *http.Request) *http.Request {
		r.Header.Set("Authorization", "Bearer x")
		return r
	}
	tests := []struct {
		want string
		send func(*testing.T) *http.Request
	}{
		{"a client secret in the body", func(t *testing.T) *http.Request {
			return formRequest(t, tokenURL, oauthtest.App{}, values("client_secret", "x"))
		}},
		{"a client secret in the URL", func(t *testing.T) *http.Request {
			return request(t, http.MethodPost, tokenURL+"?client_secret=x", "")
		}},
		{"a bearer token in the URL", func(t *testing.T) *http.Request {
			return request(t, http.MethodGet, meURL+"?access_token=x", "")
		}},
		{"credentials went to a stranger", func(t *testing.T) *http.Request {
			return bearer(request(t, http.MethodGet, "https://elsewhere.test/", ""))
		}},
		{"credentials without TLS", func(t *testing.T) *http.Request {
			return bearer(request(t, http.MethodGet, "http://api.x.com/2/users/me", ""))
		}},
		{"a code_verifier used twice", func(t *testing.T) *http.Request {
			return formRequest(t, tokenURL, ci, exchangeForm("x"))
		}},
	}
	for _, tt := range tests {
		s := fake(t, nil)
		if strings.Contains(tt.want, "twice") {
			do(t, s, tt.send(t))
		}
		if err := s.Audit(); err != nil {
			t.Errorf("Audit() before %q = %v, want nil", tt.want, err)
		}
		do(t, s, tt.send(t))
		if err := s.Audit(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Audit() = %v, want %q", err, tt.want)
		}
	}
}
