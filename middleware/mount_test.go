package middleware_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/middleware"
)

// plainPrefix is a router with one group.
type plainPrefix struct {
	prefix string
	http.Handler
}

func (p plainPrefix) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, p.prefix) {
		http.NotFound(w, r)
		return
	}
	p.Handler.ServeHTTP(w, r)
}

// plainRouter is a router that knows exact paths and nothing else, as chi and
// gorilla do with plain patterns.
type plainRouter map[string]http.Handler

func (p plainRouter) Handle(pattern string, h http.Handler) { p[pattern] = h }

func (p plainRouter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, ok := p[r.URL.Path]
	if !ok {
		h = http.NotFoundHandler()
	}
	h.ServeHTTP(w, r)
}

// M1: The routes mount on any mux, also under a prefix.
func TestM1_AnyMux(t *testing.T) {
	const redirectURL = "https://app.example/app/auth/callback"
	w := newWorld(t, setup{redirectURL: redirectURL})
	own := plainRouter{}
	w.login.Mount(own)
	std := http.NewServeMux()
	w.login.Mount(std)
	inner := http.NewServeMux()
	inner.Handle("/auth/authorize", w.login.Authorize())
	inner.Handle("/auth/callback", w.login.Callback())
	inner.Handle("/auth/logout", w.login.Logout())
	prefixed := http.NewServeMux()
	prefixed.Handle("/app/", http.StripPrefix("/app", inner))

	for name, mux := range map[string]http.Handler{
		"http.ServeMux": std, "a router of plain paths": own, "http.StripPrefix": prefixed,
		"Handler at the root": w.login.Handler(), "Handler behind http.StripPrefix": http.StripPrefix("/app/auth", w.login.Handler()),
		"Handler in a group of a router that keeps the path": plainPrefix{"/app/auth/", w.login.Handler()},
	} {
		b := newBrowser(t, mux)
		a := b.get("/app/auth/authorize?return_to=/app/home")
		wantStatus(t, name+": authorize", a, http.StatusSeeOther)
		a = b.get(w.consent(a.location()))
		if a.StatusCode != http.StatusSeeOther || a.location() != "/app/home" {
			t.Errorf("%s: callback = %d to %q, want 303 to /app/home", name, a.StatusCode, a.location())
		}
		wantStatus(t, name+": logout", b.do(http.MethodPost, "/app/auth/logout"), http.StatusSeeOther)
	}
}

func TestM1_Paths(t *testing.T) {
	tests := []struct {
		redirectURL string
		options     middleware.Options
		want        []string // authorize, callback, logout
	}{
		{"https://app.example/callback", middleware.Options{}, []string{"/authorize", "/callback", "/logout"}},
		{"https://app.example/auth/callback", middleware.Options{}, []string{"/auth/authorize", "/auth/callback", "/auth/logout"}},
		{"https://app.example/a/b/x/", middleware.Options{}, []string{"/a/b/authorize", "/a/b/x/", "/a/b/logout"}},
		{"https://app.example/cb", middleware.Options{AuthorizePath: "/login", LogoutPath: "/bye/now"}, []string{"/login", "/cb", "/bye/now"}},
	}
	for _, tt := range tests {
		w := newWorld(t, setup{redirectURL: tt.redirectURL, options: tt.options})
		got := plainRouter{}
		w.login.Mount(got)
		for _, path := range tt.want {
			if got[path] == nil {
				t.Errorf("Mount for %s registered %v, want %v", tt.redirectURL, keysOf(got), tt.want)
			}
		}
		if len(got) != 4 {
			t.Errorf("Mount for %s registered %d routes, want 4", tt.redirectURL, len(got))
		}
	}
}

// TestM1_RequireUnderPrefix sends a browser back to the address that it asked
// for, not to what is left of it.
func TestM1_RequireUnderPrefix(t *testing.T) {
	w := newWorld(t, setup{redirectURL: "https://app.example/app/callback"})
	page := w.login.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "page") }))
	mux := http.NewServeMux()
	mux.Handle("/app/", http.StripPrefix("/app", page))
	a := newBrowser(t, mux).get("/app/page?x=1")
	if want := "/app/authorize?return_to=%2Fapp%2Fpage%3Fx%3D1"; a.location() != want {
		t.Errorf("Require sent the browser to %q, want %q", a.location(), want)
	}
}

// TestM2_HostHeader forges the Host header: the redirect URL is the configured
// one (attack A18).
func TestM2_HostHeader(t *testing.T) {
	w := newWorld(t, setup{})
	b := newBrowser(t, w.mux)
	b.origin = "https://evil.example"
	a := b.get("/authorize", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.example")
	if got := query(t, a.location(), "redirect_uri"); got != "https://app.example/callback" {
		t.Errorf("redirect_uri = %q, want the configured one", got)
	}
	if strings.Contains(a.location(), "evil") {
		t.Errorf("authorization request %q has the forged host", a.location())
	}
}

// TestM1_LocalhostStartsAtTheRedirectURL: the cookie of localhost would not
// come to 127.0.0.1.
func TestM1_LocalhostStartsAtTheRedirectURL(t *testing.T) {
	w := newWorld(t, setup{redirectURL: "http://127.0.0.1:8080/callback"})
	for _, tt := range []struct{ origin, want string }{
		{"http://localhost:8080", "http://127.0.0.1:8080/authorize?return_to=%2Fhome"},
		{"http://127.0.0.1:8080", "https://x.com/i/oauth2/authorize"},
		{"http://localhost:5173", "https://x.com/i/oauth2/authorize"},
		{"http://evil.example:8080", "https://x.com/i/oauth2/authorize"},
	} {
		b := newBrowser(t, w.mux)
		b.origin = tt.origin
		if a := b.get("/authorize?return_to=/home"); !strings.HasPrefix(a.location(), tt.want) {
			t.Errorf("GET /authorize at %s leads to %q, want %q", tt.origin, a.location(), tt.want)
		}
	}
}

func keysOf(m plainRouter) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return list
}
