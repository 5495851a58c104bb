package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzCallbackQuery sends any query to a browser that has a flow under way.
// Without its state nothing may happen.
func FuzzCallbackQuery(f *testing.F) {
	for _, seed := range []string{
		"", "code=c&state=s", "error=access_denied&state=", "denied=x", "state=s&state=s&code=c", "code=%zz", "iss=x&code=c&state=s",
		"error=%3Cscript%3E&error_description=%3Cscript%3E", "state=s;code=c", "code=c%0d%0a&state=s", "%00=%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		w := newWorld(t, setup{})
		b := newBrowser(t, w.mux)
		b.start("/")
		before := len(w.fake.Requests())
		r := httptest.NewRequest(http.MethodGet, "/callback", nil)
		r.URL.RawQuery = raw
		r.Header.Set("Accept", "text/html")
		u, _ := url.Parse(b.origin)
		for _, c := range b.jar.Cookies(u) {
			r.AddCookie(c)
		}
		a := b.send(r, u)
		if a.StatusCode < 400 {
			t.Errorf("callback?%q = %d, want a refusal", raw, a.StatusCode)
		}
		if n := len(w.fake.Requests()) - before; n != 0 {
			t.Errorf("callback?%q made %d requests", raw, n)
		}
		if strings.Contains(strings.ToLower(a.body), "<script") {
			t.Errorf("callback?%q wrote a script", raw)
		}
	})
}

// FuzzFlowCookie puts anything where the flow's cookie should be, alone and
// behind the label of the flow.
func FuzzFlowCookie(f *testing.F) {
	for _, seed := range []string{"", "AAAA", "e30", "=", strings.Repeat("A", 600), `"quoted"`, "; a=b", strings.Repeat("A", 5000)} {
		f.Add(seed)
	}
	w := newWorld(f, setup{})
	f.Fuzz(func(t *testing.T, value string) {
		first := newBrowser(t, w.mux).get("/authorize")
		cookie := first.Cookies()[0]
		answer, err := w.fake.Authorize(t.Context(), "", first.location())
		if err != nil {
			t.Fatal(err)
		}
		callback := strings.TrimPrefix(answer, "https://app.example")
		for _, forged := range []string{value, cookie.Value[:18] + value, cookie.Value[:17] + value} {
			if strings.HasPrefix(cookie.Value, forged) || strings.Contains(value, cookie.Value[18:]) {
				continue
			}
			a := newBrowser(t, w.mux).get(callback, "Cookie", cookie.Name+"="+forged)
			wantStatus(t, "callback with a forged cookie", a, http.StatusBadRequest)
		}
		if n := w.exchanges(); n != 0 {
			t.Errorf("a forged cookie led to %d exchanges", n)
		}
	})
}

// FuzzCallbackCookies sends any Cookie header to each route. Nothing may panic,
// begin a session, or set more than a few cookies.
func FuzzCallbackCookies(f *testing.F) {
	w := newWorld(f, setup{})
	name := newCookieName(w)
	for _, seed := range []string{"", "a=b", name + "=x", name + "=x; " + name + "=y", strings.Repeat(name+"=x; ", 50), "=; =;", name + "=\x00"} {
		f.Add(seed, "code=c&state=s")
	}
	f.Fuzz(func(t *testing.T, cookies, raw string) {
		for _, path := range []string{"/callback", "/authorize", "/timeline"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header["Cookie"] = []string{cookies}
			r.Header.Set("Accept", "text/html")
			if path == "/callback" {
				r.URL.RawQuery = raw
			}
			rec := httptest.NewRecorder()
			w.mux.ServeHTTP(rec, r)
			if rec.Code == http.StatusOK || len(rec.Header()["Set-Cookie"]) > 2 {
				t.Errorf("%s with Cookie %q = %d, %d cookies set", path, cookies, rec.Code, len(rec.Header()["Set-Cookie"]))
			}
		}
		if n := w.exchanges(); n != 0 {
			t.Errorf("Cookie %q led to %d exchanges", cookies, n)
		}
	})
}

// newCookieName returns a name of a flow's cookie.
func newCookieName(w *world) string {
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/authorize", nil))
	return rec.Result().Cookies()[0].Name
}

// FuzzReturnPath compares what is accepted with two other readers of URLs:
// net/url and what browsers do (WHATWG).
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a?b#c", "//evil.example", `/\evil.example`, "/%2f%2fevil.example", "/\t/evil.example", "/.//evil.example",
		"javascript:alert(1)", "https://evil.example", "/%5cevil.example", "/%252fevil.example/%25zz", "/@user",
	} {
		f.Add(seed)
	}
	w := newWorld(f, setup{}).mux
	f.Fuzz(func(t *testing.T, target string) {
		r := httptest.NewRequest(http.MethodGet, "/authorize?return_to="+url.QueryEscape(target), nil)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if target == "" || rec.Code != http.StatusSeeOther {
			return
		}
		base, _ := url.Parse("https://app.example/callback")
		u, err := base.Parse(target)
		if err != nil || u.Host != "app.example" || u.Scheme != "https" || u.User != nil {
			t.Errorf("net/url reads the accepted %q as %v, %v", target, u, err)
		}
		for _, read := range []string{target, pathOf(target), decoded(t, pathOf(target))} {
			if leavesSite(read) {
				t.Errorf("a browser reads the accepted %q as another site", target)
			}
		}
	})
}

// leavesSite is the part of WHATWG's URL parser that decides whether a
// reference changes the host: white space at the ends, tabs and line breaks
// everywhere are dropped, and a backslash is a slash.
func leavesSite(ref string) bool {
	ref = strings.TrimFunc(ref, func(r rune) bool { return r <= ' ' })
	ref = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(ref)
	return !strings.HasPrefix(ref, "/") || strings.HasPrefix(ref, "//")
}

func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "#")
	path, _, _ = strings.Cut(path, "?")
	return path
}

func decoded(t *testing.T, path string) string {
	t.Helper()
	once, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return once
}
