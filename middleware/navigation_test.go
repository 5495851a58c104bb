package middleware_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestM3_NavigationThroughAServiceWorker: a service worker that answers with
// fetch(e.request) hides what the request is for.
func TestM3_NavigationThroughAServiceWorker(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	worker := []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"}
	a := b.get("/authorize?return_to=/home", worker...)
	wantStatus(t, "authorize", a, http.StatusSeeOther)
	if a = b.get(w.consent(a.location()), worker...); a.location() != "/home" {
		t.Errorf("callback = %d to %q %s, want 303 to /home", a.StatusCode, a.location(), a.title())
	}
	// What no service worker sends, and what it must not repeat.
	for _, headers := range [][]string{
		{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate"},
		{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"},
	} {
		wantStatus(t, strings.Join(headers, " "), newBrowser(t, w.mux).get("/authorize", headers...), http.StatusForbidden)
	}
}

// TestM2_PrefetchBeginsNoLogin: what nobody has opened sets no cookie.
func TestM2_PrefetchBeginsNoLogin(t *testing.T) {
	w := newWorld(t, setup{})
	for _, header := range [][2]string{
		{"Sec-Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}, {"Sec-Purpose", "prefetch;anonymous-client-ip"},
		{"X-Sec-Purpose", "prefetch"}, {"Purpose", "prefetch"}, {"X-Purpose", "preview"}, {"X-Moz", "prefetch"}, {"Purpose", "Prefetch"},
		{"Next-Router-Prefetch", "1"}, {"Next-Router-Segment-Prefetch", "/_tree"}, {"X-Middleware-Prefetch", "1"}, {"HX-Preloaded", "true"},
	} {
		b := newBrowser(t, w.mux)
		first := b.start("/waiting")
		for range 20 {
			a := b.get("/timeline", header[0], header[1])
			if a.StatusCode == http.StatusSeeOther {
				a = b.get(a.location(), header[0], header[1])
			}
			wantStatus(t, header[0]+": "+header[1], a, http.StatusForbidden)
		}
		if a := b.get(w.consent(first)); a.location() != "/waiting" {
			t.Errorf("%s: %s: the waiting login ended at %d %q", header[0], header[1], a.StatusCode, a.location())
		}
	}
	for _, header := range [][2]string{{"Next-Router-Prefetch", "0"}, {"Sec-Purpose", ""}, {"Purpose", "navigation"}} {
		wantStatus(t, header[0]+": "+header[1], newBrowser(t, w.mux).get("/authorize", header[0], header[1]), http.StatusSeeOther)
	}
}

// TestM6_ProgramOrPage: a script gets 401, and a person the login.
func TestM6_ProgramOrPage(t *testing.T) {
	w := newWorld(t, setup{})
	const old = "Sec-Fetch-Mode" // a browser without Fetch Metadata leaves it out
	tests := []struct {
		headers []string
		want    int
	}{
		{[]string{old, "", "Accept", "text/html, */*; q=0.01", "X-Requested-With", "XMLHttpRequest"}, 401},
		{[]string{old, "", "Accept", "text/html", "X-Requested-With", "xmlhttprequest"}, 401},
		{[]string{old, "", "Accept", "text/html, */*", "HX-Request", "true"}, 401},
		{[]string{old, "", "Accept", "text/html;q=0"}, 401},
		{[]string{old, "", "Accept", "text/html;q=0.0, application/json"}, 401},
		{[]string{old, "", "Accept", "application/json, text/html;q=0.5"}, 401},
		{[]string{old, "", "Accept", "application/json, text/plain, */*"}, 401},
		{[]string{old, "", "Accept", "*/*"}, 401},
		{[]string{old, "", "Accept", "text/htmlx"}, 401},
		{[]string{old, "", "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, 303},
		{[]string{old, "", "Accept", "application/xhtml+xml"}, 303},
		{[]string{old, "", "Accept", "TEXT/HTML;q=0.1"}, 303},
		{[]string{old, "", "Accept", "text/html", "X-Requested-With", "com.example.webview"}, 303},
		{[]string{"Accept", "*/*"}, 303},
		{[]string{old, "same-origin", "Accept", "text/html"}, 401},
	}
	for _, tt := range tests {
		a := newBrowser(t, w.mux).get("/timeline", tt.headers...)
		what := strings.Join(tt.headers, " ")
		wantStatus(t, what, a, tt.want)
		challenge := a.Header.Get("WWW-Authenticate")
		if tt.want == 401 && challenge != `Cookie realm="app.example", authorize_url="https://app.example/authorize"` || tt.want != 401 && challenge != "" {
			t.Errorf("%s: WWW-Authenticate = %q", what, challenge)
		}
	}
}
