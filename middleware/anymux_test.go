package middleware_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
)

func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// embedded is a mux of an app's own, as programs write them.
type embedded struct{ *http.ServeMux }

// TestM1_BesidePatternsOfTheApp mounts the routes beside patterns that match
// them as well.
func TestM1_BesidePatternsOfTheApp(t *testing.T) {
	for _, pattern := range []string{
		"GET /", "POST /", "/", "GET /{page}", "POST /{page}", "GET /{path...}", "POST /{path...}", "/{path...}", "PUT /{page}",
		"OPTIONS /", "DELETE /{path...}", "GET /{$}", "app.example/other", "GET /{a}/{b}",
	} {
		for _, order := range []string{"before", "after"} {
			w := newWorld(t, setup{})
			mux := http.NewServeMux()
			if order == "before" {
				mux.Handle(pattern, say("the app's own"))
			}
			w.login.Mount(embedded{mux})
			if order == "after" {
				mux.Handle(pattern, say("the app's own"))
			}
			b := newBrowser(t, mux)
			w.logIn(b, "/home")
			wantStatus(t, pattern+": GET /logout", b.get("/logout"), http.StatusMethodNotAllowed)
			wantStatus(t, pattern+": POST /logout", b.do("POST", "/logout"), http.StatusSeeOther)
			wantStatus(t, pattern+": POST /authorize", b.do("POST", "/authorize"), http.StatusSeeOther)
		}
	}
}

// TestM1_RequireAroundTheWholeMux: the routes are behind Require themselves.
func TestM1_RequireAroundTheWholeMux(t *testing.T) {
	for _, redirectURL := range []string{"https://app.example/callback", "https://app.example/auth/x/callback"} {
		w := newWorld(t, setup{redirectURL: redirectURL})
		mux := http.NewServeMux()
		mux.Handle("GET /", say("page"))
		w.login.Mount(mux)
		b := newBrowser(t, w.login.Require(mux))
		a := b.get("/report?x=1")
		wantStatus(t, "page before the login", a, http.StatusSeeOther)
		a = b.get(a.location())
		if !strings.HasPrefix(a.location(), "https://x.com/") {
			t.Fatalf("authorize behind Require = %d to %q, want the provider", a.StatusCode, a.location())
		}
		if a = b.get(w.consent(a.location())); a.location() != "/report?x=1" {
			t.Errorf("login ended at %d %q, want the page", a.StatusCode, a.location())
		}
		if a = b.get("/report?x=1"); a.body != "page" {
			t.Errorf("page after the login = %d %q", a.StatusCode, a.body)
		}
	}
}

// TestM1_OnlyOwnRoutesPassRequire tries to reach a page by a path that looks
// like a route.
func TestM1_OnlyOwnRoutesPassRequire(t *testing.T) {
	w := newWorld(t, setup{redirectURL: "https://app.example/auth/callback"})
	page := w.login.Require(say("secret"))
	for _, target := range []string{
		"/callback", "/auth/callback/", "/auth//callback", "/x/auth/callback", "/auth/callback/secret", "/auth/%63allback", "/auth/../auth/callback", "/AUTH/callback",
	} {
		if a := newBrowser(t, page).get(target); a.StatusCode != http.StatusSeeOther {
			t.Errorf("GET %s without a session = %d %q, want the login", target, a.StatusCode, a.body)
		}
	}
	// A handler in front that rewrites paths, by a header or otherwise.
	rewriting := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/secret"
		page.ServeHTTP(rw, r)
	})
	if a := newBrowser(t, rewriting).get("/auth/callback"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("GET of a rewritten path without a session = %d %q, want the login", a.StatusCode, a.body)
	}
}

// stripping is a proxy that removes a prefix before the program sees a request.
type stripping struct {
	prefix string
	header bool // names it in X-Forwarded-Prefix
	next   http.Handler
}

func (p stripping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.RequestURI, p.prefix+"/") {
		http.NotFound(w, r)
		return
	}
	r.RequestURI = strings.TrimPrefix(r.RequestURI, p.prefix)
	r.URL.Path = strings.TrimPrefix(r.URL.Path, p.prefix)
	if p.header {
		r.Header.Set("X-Forwarded-Prefix", p.prefix)
	}
	p.next.ServeHTTP(w, r)
}

// TestM1_BehindAProxyThatRemovesAPrefix goes from a page through the login and
// back, as the browser sees it.
func TestM1_BehindAProxyThatRemovesAPrefix(t *testing.T) {
	tests := []struct {
		name   string
		prefix string // of the options
		header bool
		mount  func(w *world) http.Handler
	}{
		{"PathPrefix and Mount", "/app", false, func(w *world) http.Handler { return w.mux }},
		{"PathPrefix and Handler", "/app", false, func(w *world) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", w.login.Require(say("page")))
			mux.Handle("/auth/", w.login.Handler())
			return mux
		}},
		{"X-Forwarded-Prefix and Handler", "", true, func(w *world) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", w.login.Require(say("page")))
			mux.Handle("/auth/", w.login.Handler())
			return mux
		}},
		{"X-Forwarded-Prefix and Require around everything", "", true, func(w *world) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", say("page"))
			mux.Handle("/auth/", w.login.Handler())
			return w.login.Require(mux)
		}},
		{"both", "/app", true, func(w *world) http.Handler { return w.mux }},
	}
	for _, tt := range tests {
		w := newWorld(t, setup{redirectURL: "https://app.example/app/auth/callback", options: middleware.Options{PathPrefix: tt.prefix}})
		w.mux.Handle("/private/", w.login.Require(say("page")))
		b := newBrowser(t, stripping{"/app", tt.header, tt.mount(w)})
		a := b.get("/app/private/report?x=1")
		if want := "/app/auth/authorize?return_to=%2Fapp%2Fprivate%2Freport%3Fx%3D1"; a.location() != want {
			t.Errorf("%s: the page leads to %d %q, want %q", tt.name, a.StatusCode, a.location(), want)
			continue
		}
		a = b.get(w.consent(b.get(a.location()).location()))
		if a.location() != "/app/private/report?x=1" {
			t.Errorf("%s: the login ended at %d %q, want the page", tt.name, a.StatusCode, a.location())
		}
		if a = b.get(a.location()); a.body != "page" {
			t.Errorf("%s: page = %d %q", tt.name, a.StatusCode, a.body)
		}
		wantStatus(t, tt.name+": logout", b.do("POST", "/app/auth/logout"), http.StatusSeeOther)
	}
}

// TestM1_EndsBehindThePrefix: without settings, a login and a logout end in the
// app.
func TestM1_EndsBehindThePrefix(t *testing.T) {
	for _, tt := range []struct {
		options middleware.Options
		want    string // login, logout
	}{
		{middleware.Options{PathPrefix: "/app"}, "/app/ /app/"},
		{middleware.Options{PathPrefix: "/app/"}, "/app/ /app/"},
		{middleware.Options{PathPrefix: "/app", AfterLogin: "/app/home", AfterLogout: "/"}, "/app/home /"},
		{middleware.Options{}, "/ /"},
	} {
		w := newWorld(t, setup{redirectURL: "https://app.example/app/auth/callback", options: tt.options})
		h := http.Handler(w.mux)
		if tt.options.PathPrefix != "" {
			h = stripping{"/app", false, h}
		}
		b := newBrowser(t, h)
		in := b.get(w.consent(b.get("/app/auth/authorize").location()))
		out := b.do("POST", "/app/auth/logout")
		if got := in.location() + " " + out.location(); got != tt.want {
			t.Errorf("PathPrefix %q: login and logout end at %s, want %s", tt.options.PathPrefix, got, tt.want)
		}
	}
}

// TestM1_ForwardedPrefixIsNotBelieved: anybody can send the header.
func TestM1_ForwardedPrefixIsNotBelieved(t *testing.T) {
	w := newWorld(t, setup{redirectURL: "https://app.example/app/auth/callback"})
	page := w.login.Require(say("page"))
	for prefix, want := range map[string]string{
		"/evil": "/report", "//evil.example": "/report", "https://evil.example": "/report", "/app/auth/call": "/report", "/": "/report", "app": "/report",
		"/app": "/app/report", "/app/": "/app/report", "/app/auth": "/app/auth/report",
	} {
		a := newBrowser(t, page).get("/report", "X-Forwarded-Prefix", prefix)
		if got := query(t, a.location(), "return_to"); got != want {
			t.Errorf("return_to with X-Forwarded-Prefix %q = %q, want %q", prefix, got, want)
		}
	}
	// A proxy that names the prefix and does not remove it.
	if a := newBrowser(t, page).get("/app/report", "X-Forwarded-Prefix", "/app"); query(t, a.location(), "return_to") != "/app/report" {
		t.Errorf("the page leads to %q, want the prefix once", a.location())
	}
}

func TestM1_HandlerFindsRoutes(t *testing.T) {
	w := newWorld(t, setup{
		redirectURL: "https://app.example/auth/callback",
		options:     middleware.Options{AuthorizePath: "/login/start", LogoutPath: "/bye/start"},
	})
	h := w.login.Handler()
	for target, want := range map[string]int{
		"/login/start": 303, "/auth/callback": 400, "/bye/start": 405, "/auth/disconnect": 405,
		"/callback": 400, "/outer/auth/callback": 400, "/other": 404, "/auth": 404, "/auth/": 404, "/": 404, "/xcallback": 404, "/auth/callback/x": 404,
		"/start": 404, // two routes end so
	} {
		wantStatus(t, "GET "+target, newBrowser(t, h).get(target), want)
	}
	wantStatus(t, "a stripped path that two routes end with", newBrowser(t, http.StripPrefix("/login", h)).get("/login/start"), 303)
}
