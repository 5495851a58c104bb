package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// M3: A callback with a wrong, missing or replayed state, another issuer, or
// duplicate or oversized parameters is refused before any request.
//
// TestM3_Refused sends what the callback must refuse before any request, to a
// browser with a flow under way.
func TestM3_Refused(t *testing.T) {
	long := strings.Repeat("a", 16<<10+1)
	tests := []struct {
		name, query string // STATE stands for the flow's state
		kind        error
		status      int
	}{
		{"nothing", "", middleware.ErrBadCallback, 400},
		{"no state", "code=c", middleware.ErrFlowNotFound, 400},
		{"empty state", "code=c&state=", middleware.ErrFlowNotFound, 400},
		{"wrong state", "code=c&state=STATEx", middleware.ErrFlowNotFound, 400},
		{"shorter state", "code=c&state=abc", middleware.ErrFlowNotFound, 400},
		{"no code", "state=STATE", middleware.ErrBadCallback, 400},
		{"empty code", "state=STATE&code=", middleware.ErrBadCallback, 400},
		{"code and error", "state=STATE&code=c&error=server_error", middleware.ErrBadCallback, 400},
		{"code and denied", "state=STATE&code=c&denied=x", middleware.ErrBadCallback, 400},
		{"two states", "state=STATE&state=STATE&code=c", middleware.ErrBadCallback, 400},
		{"two states, one empty", "state=&state=STATE&code=c", middleware.ErrBadCallback, 400},
		{"two codes", "state=STATE&code=c&code=d", middleware.ErrBadCallback, 400},
		{"two issuers", "state=STATE&code=c&iss=https://as.example&iss=https://as.example", middleware.ErrBadCallback, 400},
		{"two errors", "state=STATE&error=a&error=b", middleware.ErrBadCallback, 400},
		{"two descriptions", "state=STATE&error=a&error_description=a&error_description=b", middleware.ErrBadCallback, 400},
		{"oversized code", "state=STATE&code=" + long, middleware.ErrBadCallback, 400},
		{"oversized state", "code=c&state=" + long, middleware.ErrBadCallback, 400},
		{"oversized query", "state=STATE&code=c&x=" + strings.Repeat(long, 4), middleware.ErrBadCallback, 400},
		{"line break in the code", "state=STATE&code=c%0d%0ax", middleware.ErrBadCallback, 400},
		{"bad escape", "state=STATE&code=%zz", middleware.ErrBadCallback, 400},
		{"semicolon", "state=STATE;code=c", middleware.ErrBadCallback, 400},
		{"bad escape in the state", "state=%zz&code=c", middleware.ErrBadCallback, 400},
		{"two states, one with an escaped name", "state=STATE&%73tate=STATE&code=c", middleware.ErrBadCallback, 400},
		{"other issuer", "state=STATE&code=c&iss=https://evil.example", middleware.ErrIssuerMismatch, 400},
		{"issuer with a slash", "state=STATE&code=c&iss=https://as.example/", middleware.ErrIssuerMismatch, 400},
		{"issuer in capitals", "state=STATE&code=c&iss=https://AS.example", middleware.ErrIssuerMismatch, 400},
		{"issuer with its port", "state=STATE&code=c&iss=https://as.example:443", middleware.ErrIssuerMismatch, 400},
		{"issuer escaped twice", "state=STATE&code=c&iss=https%253A%252F%252Fas.example", middleware.ErrIssuerMismatch, 400},
		{"error of another issuer", "state=STATE&error=access_denied&iss=https://evil.example", middleware.ErrIssuerMismatch, 400},
		{"error with wrong state", "state=STATEx&error=access_denied", middleware.ErrFlowNotFound, 400},
	}
	var errs seen
	w := newWorld(t, setup{
		provider: func(p *provider.Provider) { p.Issuer = "https://as.example" },
		options:  middleware.Options{OnError: errs.onError},
	})
	b := newBrowser(t, w.mux)
	target := b.start("/home")
	state := query(t, target, "state")
	for _, tt := range tests {
		a := b.get("/callback?" + strings.ReplaceAll(tt.query, "STATE", state))
		wantStatus(t, tt.name, a, tt.status)
		if e := errs.facts(t, tt.name, tt.kind); strings.Contains(e.Error(), state) {
			t.Errorf("%s: error %q shows the state", tt.name, e)
		}
	}
	if n := len(w.fake.Requests()); n != 0 {
		t.Errorf("%d requests were made for callbacks that had to be refused first", n)
	}
	// None of it used up the flow: what anybody can send must not end a user's
	// login.
	if a := b.get(w.consent(target)); a.location() != "/home" {
		t.Errorf("the true answer after all of that = %d to %q, want 303 to /home", a.StatusCode, a.location())
	}
}

func TestM3_Accepted(t *testing.T) {
	tests := []struct {
		name     string
		provider func(*provider.Provider)
		knobs    func(*xapi.Knobs)
	}{
		{"unknown parameters", nil, func(k *xapi.Knobs) { k.Authorize.ExtraParams = url.Values{"scope": {"a", "b"}, "session_state": {"x"}} }},
		{"empty error", nil, func(k *xapi.Knobs) { k.Authorize.ExtraParams = url.Values{"error": {""}, "denied": {""}} }},
		{"issuer that nobody knows", nil, func(k *xapi.Knobs) { k.Authorize.SendIss = "https://as.example" }},
		{"the right issuer", func(p *provider.Provider) { p.Issuer, p.IssuerRequired = "https://as.example/a b", true },
			func(k *xapi.Knobs) { k.Authorize.SendIss = "https://as.example/a b" }},
	}
	for _, tt := range tests {
		w := newWorld(t, setup{provider: tt.provider})
		w.fake.Set(tt.knobs)
		w.logIn(newBrowser(t, w.mux), "")
	}
}

func TestM3_IssuerRequired(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{
		provider: func(p *provider.Provider) { p.Issuer, p.IssuerRequired = "https://as.example", true },
		options:  middleware.Options{OnError: errs.onError},
	})
	b := newBrowser(t, w.mux)
	wantStatus(t, "callback without iss", b.get(w.consent(b.start("/"))), 400)
	errs.want(t, "callback without iss", middleware.ErrIssuerMismatch)
	w.fake.Set(func(k *xapi.Knobs) { k.Authorize.Deny = true })
	b.get(w.consent(b.start("/")))
	errs.want(t, "error without iss", middleware.ErrIssuerMismatch)
	if n := w.exchanges(); n != 0 {
		t.Errorf("%d exchanges, want none", n)
	}
}

// TestM3_LongCode: RFC 6749 sets no limit to a code's length, and 4 KiB exist.
func TestM3_LongCode(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	state := query(t, b.start("/"), "state")
	b.get("/callback?state=" + state + "&code=" + strings.Repeat("c", 16<<10))
	if n := w.exchanges(); n != 1 {
		t.Errorf("%d exchanges of a code of 16 KiB, want 1", n)
	}
}

func TestM3_ProviderErrors(t *testing.T) {
	tests := []struct {
		name, query       string
		kind              error
		status            int
		code, description string
		forged            bool
		temporary         bool
	}{
		{"denied", "state=STATE&error=access_denied", middleware.ErrAccessDenied, 403, "access_denied", "", false, false},
		{"denied as in OAuth 1.0a", "state=STATE&denied=token", middleware.ErrAccessDenied, 403, "access_denied", "", false, false},
		{"denied without a state", "denied=token", middleware.ErrForged, 400, "", "", true, false},
		{"access_denied without a state", "error=access_denied", middleware.ErrForged, 400, "access_denied", "", true, false},
		{"denied and a server error", "state=STATE&denied=token&error=server_error", middleware.ErrAccessDenied, 403, "access_denied", "", false, false},
		{"server error", "state=STATE&error=server_error&error_description=Try+later", middleware.ErrProvider, 503, "server_error", "Try later", false, true},
		{"overloaded", "state=STATE&error=temporarily_unavailable", middleware.ErrProvider, 503, "temporarily_unavailable", "", false, true},
		{"overloaded, says anybody", "error=temporarily_unavailable", middleware.ErrForged, 400, "temporarily_unavailable", "", true, false},
		{"a telephone number, says anybody", "error=Call-0800.555.0199_now&error_description=Call+0800.555.0199", middleware.ErrForged, 400, "", "", true, false},
		{"a telephone number as an unknown parameter", "error=x&error_uri=https://evil.example/0800.555.0199", middleware.ErrForged, 400, "", "", true, false},
		{"a bad description", "state=STATE&error=server_error&error_description=100%+wrong", middleware.ErrProvider, 503, "server_error", "", false, true},
		{"in other letters", "state=STATE&error=Server_Error", middleware.ErrProvider, 502, "Server_Error", "", false, false},
		{"X's empty state", "error=invalid_request&error_description=Redirect+is+requested.&state=", middleware.ErrForged, 400, "invalid_request", "", true, false},
		{"script", "state=STATE&error=%3Cscript%3E&error_description=%3Cscript%3Ealert(1)%3C/script%3E", middleware.ErrProvider, 502, "unknown", "<script>alert(1)</script>", false, false},
		{"line breaks", "state=STATE&error=x&error_description=a%0d%0ab%1b%5B2J%00%C3%A9", middleware.ErrProvider, 502, "x", "a..b.[2J..", false, false},
		{"the state in the description", "state=STATE&error=x&error_description=bad+STATE", middleware.ErrProvider, 502, "x", "bad REDACTED", false, false},
		{"long description", "state=STATE&error=x&error_description=" + strings.Repeat("d", 999), middleware.ErrProvider, 502, "x", strings.Repeat("d", 200) + "...", false, false},
		{"long code", "state=STATE&error=" + strings.Repeat("e", 65), middleware.ErrProvider, 502, "unknown", "", false, false},
	}
	for _, tt := range tests {
		var errs seen
		w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
		b := newBrowser(t, w.mux)
		state := query(t, b.start("/home"), "state")
		a := b.get("/callback?" + strings.ReplaceAll(tt.query, "STATE", state))
		wantStatus(t, tt.name, a, tt.status)
		e := errs.facts(t, tt.name, tt.kind)
		if e.Code != tt.code || e.Description != tt.description {
			t.Errorf("%s: error has %q, %q; want %q, %q", tt.name, e.Code, e.Description, tt.code, tt.description)
		}
		if got := errors.Is(e, tokensource.ErrTemporary); got != tt.temporary || (a.Header.Get("Retry-After") != "") != tt.temporary {
			t.Errorf("%s: ErrTemporary: %v, Retry-After %q; want %v", tt.name, got, a.Header.Get("Retry-After"), tt.temporary)
		}
		if strings.Contains(a.body, "<script") {
			t.Errorf("%s: the page has the provider's text unescaped", tt.name)
		}
		if tt.forged && (strings.Contains(a.body, "0800") || strings.Contains(e.Error(), "0800") || strings.Contains(a.body, "Redirect")) {
			t.Errorf("%s: the page or the error has a text that anybody may have written: %v", tt.name, e)
		}
		// Without a state nothing was proven, so the flow goes on. Otherwise it is
		// used up.
		if left := len(b.cookies("flow")) == 1; left != tt.forged {
			t.Errorf("%s: the flow goes on: %v, want %v", tt.name, left, tt.forged)
		}
		if !tt.forged && !strings.Contains(a.body, "/authorize?return_to=%2Fhome") {
			t.Errorf("%s: the page has no link to try again for the same page", tt.name)
		}
	}
}

func TestM3_Replay(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	first := b.get("/authorize?return_to=/timeline")
	cookie := first.Cookies()[0]
	callback := w.consent(first.location())
	if a := b.get(callback); a.location() != "/timeline" {
		t.Fatalf("callback = %d to %q, want /timeline", a.StatusCode, a.location())
	}
	replay := cookie.Name + "=" + cookie.Value

	// A user who is logged in sees no error. The login ends at the page of the
	// flow, if the flow is still known. Otherwise it ends at AfterLogin.
	if a := b.get(callback, "Cookie", replay); a.location() != "/timeline" {
		t.Errorf("second callback, logged in = %d to %q, want 303 to /timeline", a.StatusCode, a.location())
	}
	if a := b.get(callback); a.location() != "/" {
		t.Errorf("third callback, logged in = %d to %q, want 303 to /", a.StatusCode, a.location())
	}
	a := newBrowser(t, w.mux).get(callback, "Cookie", replay)
	wantStatus(t, "second callback, not logged in", a, 400)
	if e := errs.facts(t, "second callback, not logged in", middleware.ErrFlowUsed); e.Retry != "/timeline" {
		t.Errorf("ErrFlowUsed: Retry = %q, want the page the login was for", e.Retry)
	}
	// A state that was never used is no double arrival, logged in or not.
	b.get("/callback?code=c&state=" + strings.Repeat("s", 43))
	errs.want(t, "unknown state, logged in", middleware.ErrFlowNotFound)

	wantStatus(t, "logout", b.do(http.MethodPost, "/logout"), http.StatusSeeOther)
	b.get(callback, "Cookie", replay)
	errs.want(t, "callback after the logout", middleware.ErrFlowUsed)
	if n := w.exchanges(); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
}

// TestM3_OtherMethods: nothing but the opening of the page uses a flow up
// (attack A44).
func TestM3_OtherMethods(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	callback := w.consent(b.start("/home"))
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE"} {
		a := b.do(method, callback)
		wantStatus(t, method, a, http.StatusMethodNotAllowed)
		errs.want(t, method, middleware.ErrMethod)
		if a.Header.Get("Allow") != "GET" {
			t.Errorf("%s: Allow = %q, want GET", method, a.Header.Get("Allow"))
		}
	}
	for _, headers := range [][]string{
		{"Sec-Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}, {"Purpose", "prefetch"}, {"X-Moz", "prefetch"},
		{"Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "cross-site"},
	} {
		wantStatus(t, strings.Join(headers, " "), b.get(callback, headers...), http.StatusForbidden)
		errs.want(t, strings.Join(headers, " "), middleware.ErrNotNavigation)
	}
	if a := b.get(callback); a.location() != "/home" {
		t.Errorf("the true answer after all of that = %d to %q, want 303 to /home", a.StatusCode, a.location())
	}
}

// TestM3_ForeignParameters: what the callback does not read can have any form.
func TestM3_ForeignParameters(t *testing.T) {
	for _, extra := range []string{
		"session_state=abc;def", "session_state=a%zzb", "x=1;y=2", "%zz=1", "=", "&&", "scope=a&scope=b", "x=%00", "x=\xff", "error_uri=%zz&error_uri=b", ";",
		"x=" + strings.Repeat("a", 20<<10),
	} {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		callback := w.consent(b.start("/home"))
		path, query, _ := strings.Cut(callback, "?")
		for i, target := range []string{path + "?" + query + "&" + extra, path + "?" + extra + "&" + query} {
			if i > 0 {
				path, query, _ = strings.Cut(w.consent(b.start("/home")), "?")
				target = path + "?" + extra + "&" + query
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			_, r.URL.RawQuery, _ = strings.Cut(target, "?")
			for _, c := range b.jar.Cookies(b.url()) {
				r.AddCookie(c)
			}
			if a := b.send(r, b.url()); a.location() != "/home" {
				t.Errorf("callback with %.40q = %d %q to %q, want 303 to /home", extra, a.StatusCode, a.title(), a.location())
			}
		}
	}
}

// TestM3_BackAndAnotherAccount: the user logs in as A, goes back to the consent
// page, and chooses B there.
func TestM3_BackAndAnotherAccount(t *testing.T) {
	var errs seen
	var subject string
	w := newWorld(t, setup{options: middleware.Options{
		OnError: errs.onError,
		Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
			return provider.Identity{Subject: subject}, nil
		},
	}})
	b := newBrowser(t, w.mux)
	first := b.get("/authorize?return_to=/timeline")
	consent, cookie := first.location(), first.Cookies()[0]
	asA := w.consent(consent)
	subject = "a"
	if a := b.get(asA); a.location() != "/timeline" {
		t.Fatalf("login as A = %d to %q", a.StatusCode, a.location())
	}
	asB := w.consent(consent) // another code with the same state
	subject = "b"
	for _, headers := range [][]string{nil, {"Cookie", cookie.Name + "=" + cookie.Value}} {
		a := b.get(asB, headers...)
		wantStatus(t, "B chosen after A has logged in", a, http.StatusBadRequest)
		errs.want(t, "B chosen after A has logged in", middleware.ErrFlowUsed)
		if !strings.Contains(a.body, "You are logged in already") || !strings.Contains(a.body, "/authorize") {
			t.Errorf("the page does not say it: %s", a.body)
		}
	}
	if a := b.get("/timeline"); a.body != "timeline of a" {
		t.Errorf("page = %q, want that of A, until B logs in", a.body)
	}
	if a := b.get(w.consent(b.start("/timeline"))); a.location() != "/timeline" {
		t.Errorf("new login as B = %d to %q", a.StatusCode, a.location())
	}
	if a := b.get("/timeline"); a.body != "timeline of b" {
		t.Errorf("page = %q, want that of B", a.body)
	}
	if n := w.exchanges(); n != 2 {
		t.Errorf("%d exchanges, want 2", n)
	}
}

// TestM3_CodeOfAnotherFlow: attack A03. The server refuses the code, because
// the verifier is that of the flow whose state came.
func TestM3_CodeOfAnotherFlow(t *testing.T) {
	w := newWorld(t, setup{})
	victim, attacker := newBrowser(t, w.mux), newBrowser(t, w.mux)
	stolen := query(t, w.consent(victim.start("/")), "code")
	state := query(t, attacker.start("/"), "state")
	a := attacker.get("/callback?code=" + stolen + "&state=" + state)
	if a.StatusCode < 400 || len(attacker.cookies("session")) != 0 {
		t.Errorf("callback with a stolen code = %d, cookies %v, want a refusal", a.StatusCode, attacker.cookies(""))
	}
	if n := len(w.fake.Grants()); n != 0 {
		t.Errorf("%d grants, want none", n)
	}
}

// TestM3_ChallengeRemoved: attack A05. Somebody on the way removes the
// challenge, so that the code would be good without a verifier. The verifier is
// sent all the same, and the server refuses it.
func TestM3_ChallengeRemoved(t *testing.T) {
	server, err := oauthtest.NewServer(&oauthtest.Options{Provider: provider.X()}) // takes a request without a challenge
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, setup{fake: &xapi.Server{Server: server}})
	b := newBrowser(t, w.mux)
	u, err := url.Parse(b.start("/"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("code_challenge")
	q.Del("code_challenge_method")
	u.RawQuery = q.Encode()
	a := b.get(w.consent(u.String()))
	if a.StatusCode < 400 || len(b.cookies("session")) != 0 {
		t.Errorf("callback = %d, cookies %v, want a refusal", a.StatusCode, b.cookies(""))
	}
	if n := w.exchanges(); n != 1 {
		t.Errorf("%d exchanges, want the one that the server refuses", n)
	}
}
