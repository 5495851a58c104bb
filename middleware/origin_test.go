package middleware_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
)

// TestM5_LogoutPageOfABrowserWithoutFetchMetadata: a page with Referrer-Policy
// no-referrer posts "Origin: null". So does a sandboxed frame of another site.
func TestM5_LogoutPageOfABrowserWithoutFetchMetadata(t *testing.T) {
	for _, path := range []string{"/logout", "/disconnect"} {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		w.logIn(b, "")
		null := []string{"Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Origin", "null"}
		wantStatus(t, "Origin null before the page was opened", b.do("POST", path, null...), http.StatusForbidden)
		page := b.get(path, "Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "")
		wantStatus(t, "the page with the button", page, http.StatusMethodNotAllowed)
		if got := page.Header.Get("Referrer-Policy"); got != "same-origin" {
			t.Errorf("GET %s: Referrer-Policy = %q, want same-origin: with no-referrer the form would post Origin: null", path, got)
		}
		if c := page.Cookies(); len(c) != 1 || c[0].SameSite != http.SameSiteStrictMode || !c[0].HttpOnly || !c[0].Secure || !strings.HasPrefix(c[0].Name, "__Host-") {
			t.Errorf("GET %s: cookies %v, want one for the form, SameSite=Strict", path, c)
		}
		wantStatus(t, "Origin null with browser metadata of another site", b.do("POST", path, "Sec-Fetch-Site", "cross-site", "Origin", "null"), http.StatusForbidden)
		wantStatus(t, "Origin of another site", b.do("POST", path, "Sec-Fetch-Site", "", "Origin", "https://evil.example"), http.StatusForbidden)
		wantStatus(t, "Origin null from the page", b.do("POST", path, null...), http.StatusSeeOther)
		wantStatus(t, "page after it", b.get("/timeline"), http.StatusSeeOther)
	}
}

// TestM5_ButtonOfARefusedLogout: a page of the app with Referrer-Policy
// no-referrer posts "Origin: null". The answer has a button. If a proxy sets
// no-referrer for all pages, the button posts "Origin: null" as well.
func TestM5_ButtonOfARefusedLogout(t *testing.T) {
	null := []string{"Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Origin", "null"}
	for _, path := range []string{"/logout", "/disconnect"} {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		w.logIn(b, "")
		a := b.do("POST", path, null...)
		wantStatus(t, "the form of the app's page", a, http.StatusForbidden)
		if c := a.Cookies(); len(c) != 1 || c[0].SameSite != http.SameSiteStrictMode {
			t.Errorf("POST %s: cookies %v, want one for the form, SameSite=Strict", path, c)
		}
		wantStatus(t, "the page after a refusal", b.get("/timeline"), http.StatusOK)
		wantStatus(t, "the button of the answer", b.do("POST", path, null...), http.StatusSeeOther)
		wantStatus(t, "the page after it", b.get("/timeline"), http.StatusSeeOther)
	}
}

// TestM2_AnotherSiteDoesNotReplaceASession: R016. A link of another site is a
// usual way to a login. It starts none in place of a session.
func TestM2_AnotherSiteDoesNotReplaceASession(t *testing.T) {
	var errs seen
	w := newWorld(t, setup{options: middleware.Options{OnError: errs.onError}})
	b := newBrowser(t, w.mux)
	cross := []string{"Sec-Fetch-Site", "cross-site"}
	wantStatus(t, "a link in an email, nobody logged in", b.get("/authorize?return_to=/welcome", cross...), http.StatusSeeOther)
	wantStatus(t, "a form of another site, nobody logged in", newBrowser(t, w.mux).do("POST", "/authorize", cross...), http.StatusForbidden)
	w.logIn(b, "")
	before := b.cookies("")
	for _, tt := range []struct {
		method, name string
		headers      []string
	}{
		{"GET", "a link of another site", cross},
		{"GET", "a link of a sibling domain", []string{"Sec-Fetch-Site", "same-site"}},
		{"GET", "through a service worker", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty"}},
		{"POST", "a form of another site", cross},
		{"POST", "a form of a sibling domain", []string{"Sec-Fetch-Site", "same-site"}},
		{"POST", "a form of another site, no metadata", []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}},
		{"POST", "a sandboxed form, no metadata", []string{"Sec-Fetch-Site", "", "Origin", "null"}},
	} {
		a := b.do(tt.method, "/authorize?return_to=/welcome", tt.headers...)
		wantStatus(t, tt.name, a, http.StatusForbidden)
		if e := errs.facts(t, tt.name, middleware.ErrCrossOrigin); e.Op != "authorize" || e.Retry != "/authorize?return_to=%2Fwelcome" {
			t.Errorf("%s: error of %q with Retry %q, want authorize and the way on", tt.name, e.Op, e.Retry)
		}
		if !strings.Contains(a.body, `<a href="/authorize?return_to=%2Fwelcome">Log in again</a>`) {
			t.Errorf("%s: the page does not ask: %s", tt.name, a.body)
		}
	}
	if after := b.cookies(""); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("cookies after all of that = %v, want %v", after, before)
	}
	wantStatus(t, "the session after all of that", b.get("/timeline"), http.StatusOK)
	for name, a := range map[string]answer{
		"the link of that page":      b.get("/authorize?return_to=%2Fwelcome"),
		"an address that is typed":   b.get("/authorize", "Sec-Fetch-Site", "none"),
		"the app's own form":         b.do("POST", "/authorize"),
		"a form without any headers": b.do("POST", "/authorize", "Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", ""),
	} {
		wantStatus(t, name, a, http.StatusSeeOther)
	}
	wantStatus(t, "the session while a login is under way", b.get("/timeline"), http.StatusOK)
}

// TestM4_ReturnPathOfAForm posts a login form in each encoding of browsers.
func TestM4_ReturnPathOfAForm(t *testing.T) {
	var multi bytes.Buffer
	form := multipart.NewWriter(&multi)
	_ = form.WriteField("other", "x")
	_ = form.WriteField("return_to", "/home?a=b")
	_ = form.Close()
	long := "return_to=/home&filler=" + strings.Repeat("a", 20_000)
	for _, tt := range []struct {
		name, target, kind, body string
		status                   int
		want                     string
	}{
		{"urlencoded", "/authorize", "application/x-www-form-urlencoded", "return_to=%2Fhome%3Fa%3Db", 303, "/home?a=b"},
		{"multipart", "/authorize", form.FormDataContentType(), multi.String(), 303, "/home?a=b"},
		{"query and no body", "/authorize?return_to=/home", "", "", 303, "/home"},
		{"query and form", "/authorize?return_to=/a", form.FormDataContentType(), multi.String(), 400, ""},
		{"a path elsewhere", "/authorize", "application/x-www-form-urlencoded", "return_to=//evil.example", 400, ""},
		{"a broken form", "/authorize", "application/x-www-form-urlencoded", "return_to=%zz", 400, ""},
		{"a broken multipart form", "/authorize", "multipart/form-data; boundary=x", "--x\r\nnonsense", 400, ""},
		{"more than 16 KiB", "/authorize", "application/x-www-form-urlencoded", long, 400, ""},
		{"a foreign parameter in the query", "/authorize?return_to=/home&x=a;b&y=%zz", "", "", 303, "/home"},
	} {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.target, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		u, err := url.Parse(b.origin)
		if err != nil {
			t.Fatal(err)
		}
		a := b.send(r, u)
		wantStatus(t, tt.name, a, tt.status)
		if tt.status != 303 {
			continue
		}
		if a = b.get(w.consent(a.location())); a.location() != tt.want {
			t.Errorf("%s: the login ended at %q, want %q", tt.name, a.location(), tt.want)
		}
	}
}

// TestM4_ReturnPathOfAParsedForm: a handler in front has looked at the form.
func TestM4_ReturnPathOfAParsedForm(t *testing.T) {
	var multi bytes.Buffer
	form := multipart.NewWriter(&multi)
	_ = form.WriteField("return_to", "/home")
	_ = form.Close()
	for _, tt := range []struct {
		name, kind, body string
		look             func(r *http.Request)
	}{
		{"ParseForm, multipart", form.FormDataContentType(), multi.String(), func(r *http.Request) { _ = r.ParseForm() }},
		{"FormValue, multipart", form.FormDataContentType(), multi.String(), func(r *http.Request) { _ = r.PostFormValue("csrf") }},
		{"ParseForm, urlencoded", "application/x-www-form-urlencoded", "return_to=/home", func(r *http.Request) { _ = r.ParseForm() }},
		{"FormValue, urlencoded", "application/x-www-form-urlencoded", "return_to=/home", func(r *http.Request) { _ = r.PostFormValue("csrf") }},
	} {
		w := newWorld(t, setup{})
		b := newBrowser(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			tt.look(r)
			w.mux.ServeHTTP(rw, r)
		}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/authorize", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if a := b.get(w.consent(b.send(r, b.url()).location())); a.location() != "/home" {
			t.Errorf("%s: the login ended at %d %q, want /home", tt.name, a.StatusCode, a.location())
		}
	}
}
