package xapi_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

var ticketPattern = regexp.MustCompile(`name="ticket" value="([^"]+)"`)

// asking returns a server that shows the page, and the page.
func asking(t *testing.T, users ...oauthtest.User) (*xapi.Server, answered) {
	t.Helper()
	s := fake(t, func(k *xapi.Knobs) { k.Authorize.Ask = true })
	for _, u := range users {
		if err := s.AddUser(u); err != nil {
			t.Fatal(err)
		}
	}
	page := do(t, s, request(t, http.MethodGet, authorizeURL(authorizeQuery(ci)), ""))
	if page.status != http.StatusOK || ticketPattern.FindStringSubmatch(page.body) == nil {
		t.Fatalf("page = %d %s, want a form", page.status, page.body)
	}
	return s, page
}

func press(t *testing.T, s *xapi.Server, ticket, user, button string, header ...string) answered {
	t.Helper()
	req := formRequest(t, "https://x.com"+xapi.PathAuthorize, oauthtest.App{}, values("ticket", ticket, "user", user, "answer", button))
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, s, req)
}

func TestConsentPage(t *testing.T) {
	s, page := asking(t)
	for _, want := range []string{
		"Confidential App wants", "app.example", "X Developers (@XDevelopers)", "Post and repost for you",
		`id="allow"`, `id="cancel"`, `name="viewport"`,
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, not := range []string{"<script", "http://", "https://", `type="radio"`} {
		if strings.Contains(page.body, not) {
			t.Errorf("page has %q", not)
		}
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "form-action 'self' https://app.example", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("Content-Security-Policy = %q, want %q in it", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header = %v", page.header)
	}
	if _, err := s.Authorize(t.Context(), "", authorizeURL(authorizeQuery(ci))); err != nil {
		t.Errorf("Authorize = %v, want it to press the button", err)
	}
}

// The page may lead back to the app, and nowhere beyond it, as far as a policy
// can say that.
func TestConsentFormTarget(t *testing.T) {
	for back, want := range map[string]string{
		"https://app.example/callback":   "https://app.example",
		"http://127.0.0.1:8080/callback": "http://127.0.0.1:8080",
		"http://[::1]:8080/callback":     "http:",
		"https://[2001:db8::1]/callback": "https:",
		"myapp://back":                   "myapp:",
	} {
		app := oauthtest.App{ClientID: "a", RedirectURLs: []string{back}}
		s := fake(t, func(k *xapi.Knobs) { k.Authorize.Ask = true })
		if err := s.Register(app); err != nil {
			t.Fatal(err)
		}
		query := authorizeQuery(app)
		query.Set("redirect_uri", back)
		page := do(t, s, request(t, http.MethodGet, authorizeURL(query), ""))
		if policy := page.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; form-action 'self' "+want) {
			t.Errorf("page for %s has the policy %q, want it to end with %q", back, policy, want)
		}
	}
}

func TestConsentPageEscapes(t *testing.T) {
	app := ci
	app.Name = `<script>alert("x")</script>`
	s := xapi.New(t, &oauthtest.Options{
		Apps: []oauthtest.App{app}, Users: []oauthtest.User{{ID: `"><b>`, Name: "<i>", Username: "<u>"}},
	})
	s.Set(func(k *xapi.Knobs) { k.Authorize.Ask = true })
	page := do(t, s, request(t, http.MethodGet, authorizeURL(authorizeQuery(app)), ""))
	for _, not := range []string{"<script", "<b>", "<i>", "<u>"} {
		if strings.Contains(page.body, not) {
			t.Errorf("page has %q unescaped", not)
		}
	}
	if !strings.Contains(page.body, html.EscapeString("<i>")) {
		t.Error("page lacks the name")
	}
}

func TestConsentAnswers(t *testing.T) {
	s, page := asking(t, oauthtest.User{ID: "7", Name: "Seven", Username: "seven"})
	if !strings.Contains(page.body, `value="`+userID+`" checked`) || !strings.Contains(page.body, `value="7">`) {
		t.Errorf("page = %s, want a choice of users", page.body)
	}
	ticket := ticketPattern.FindStringSubmatch(page.body)[1]
	got := press(t, s, ticket, "7", "allow", "Sec-Fetch-Site", "same-origin")
	back, _ := url.Parse(got.header.Get("Location"))
	if got.status != http.StatusSeeOther || back.Query().Get("state") != "the-state" {
		t.Fatalf("allow = %d %q, want 303 to the callback", got.status, back)
	}
	token := parseTokens(t, do(t, s, formRequest(t, tokenURL, ci, exchangeForm(back.Query().Get("code"))))).Access
	if me := call(t, s, http.MethodGet, meURL, token, ""); !strings.Contains(me.body, "seven") {
		t.Errorf("me = %s, want seven", me.body)
	}
	if got := press(t, s, ticket, "7", "allow"); got.status != http.StatusBadRequest {
		t.Errorf("the same form again = %d, want 400", got.status)
	}

	s, page = asking(t)
	got = press(t, s, ticketPattern.FindStringSubmatch(page.body)[1], userID, "cancel")
	if want := redirectURL + "?error=access_denied&state=the-state"; got.status != http.StatusSeeOther || got.header.Get("Location") != want {
		t.Errorf("cancel = %d %q, want 303 %q", got.status, got.header.Get("Location"), want)
	}
}

func TestConsentRefusals(t *testing.T) {
	tests := []struct {
		name   string
		press  func(s *xapi.Server, ticket string) answered
		status int
	}{
		{"no ticket", func(s *xapi.Server, _ string) answered { return press(t, s, "", userID, "allow") }, 400},
		{"wrong ticket", func(s *xapi.Server, _ string) answered { return press(t, s, "x", userID, "allow") }, 400},
		{"unknown user", func(s *xapi.Server, ticket string) answered { return press(t, s, ticket, "9", "allow") }, 400},
		{"suspended user", func(s *xapi.Server, ticket string) answered {
			user := oauthtest.DefaultUser()
			user.Suspended = true
			if err := s.AddUser(user); err != nil {
				t.Error(err)
			}
			return press(t, s, ticket, userID, "allow")
		}, 400},
		{"too late", func(s *xapi.Server, ticket string) answered {
			s.Advance(10*time.Minute + 1)
			return press(t, s, ticket, userID, "allow")
		}, 400},
		{"another site", func(s *xapi.Server, ticket string) answered {
			return press(t, s, ticket, userID, "allow", "Sec-Fetch-Site", "cross-site")
		}, 403},
		{"another origin", func(s *xapi.Server, ticket string) answered {
			return press(t, s, ticket, userID, "allow", "Origin", "https://evil.example")
		}, 403},
	}
	for _, tt := range tests {
		s, page := asking(t)
		got := tt.press(s, ticketPattern.FindStringSubmatch(page.body)[1])
		if got.status != tt.status || got.header.Get("Location") != "" {
			t.Errorf("%s: %d %q, want %d and no redirect", tt.name, got.status, got.header.Get("Location"), tt.status)
		}
	}
}
