package sessions_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	gorilla "github.com/gorilla/sessions"

	"github.com/authtrip/authtrip/examples/internal/journey"
	"github.com/authtrip/authtrip/examples/sessions"
	"github.com/authtrip/authtrip/middleware"
)

// library is a session library: its adapter, and what wraps the app.
type library struct {
	adapter middleware.Sessions
	wrap    func(http.Handler) http.Handler
}

// libraries returns each library with an empty store.
func libraries(t *testing.T) map[string]library {
	manager := scs.New()
	manager.Cookie.Secure = false // the tests speak http
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	files := gorilla.NewFilesystemStore(t.TempDir(), key)
	files.Options = &gorilla.Options{Path: "/", MaxAge: 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	return map[string]library{
		"scs":               {sessions.SCS{SessionManager: manager}, manager.LoadAndSave},
		"gorilla, in files": {sessions.Gorilla{Store: files}, func(h http.Handler) http.Handler { return h }},
	}
}

// TestSessions goes through a login whose session is one of the library.
func TestSessions(t *testing.T) {
	for name, lib := range libraries(t) {
		t.Run(name, func(t *testing.T) {
			journey.Test(t, &middleware.Options{Sessions: lib.adapter}, func(login *middleware.Login, page http.Handler) http.Handler {
				mux := http.NewServeMux()
				mux.Handle("/private", login.Require(page))
				login.Mount(mux)
				return lib.wrap(mux)
			})
		})
	}
}

// TestANewIdentifierAtEachChange: somebody who knew the session before the
// login is not logged in.
func TestANewIdentifierAtEachChange(t *testing.T) {
	for name, lib := range libraries(t) {
		t.Run(name, func(t *testing.T) {
			set := lib.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := lib.adapter.Set(w, r, "login", r.URL.Query().Get("value")); err != nil {
					t.Error(err)
				}
			}))
			get := func(cookie *http.Cookie) (value string) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.AddCookie(cookie)
				lib.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					var err error
					if value, err = lib.adapter.Get(r, "login"); err != nil {
						t.Error(err)
					}
				})).ServeHTTP(httptest.NewRecorder(), r)
				return value
			}
			change := func(value string, cookie *http.Cookie) *http.Cookie {
				r := httptest.NewRequest(http.MethodGet, "/?value="+value, nil)
				if cookie != nil {
					r.AddCookie(cookie)
				}
				w := httptest.NewRecorder()
				set.ServeHTTP(w, r)
				cookies := w.Result().Cookies()
				if len(cookies) != 1 {
					t.Fatalf("Set(%q) sets %d cookies, want 1", value, len(cookies))
				}
				return cookies[0]
			}
			before := change("nobody", nil)
			after := change("somebody", before)
			if got := get(after); got != "somebody" {
				t.Errorf("Get = %q, want somebody", got)
			}
			if got := get(before); got == "somebody" {
				t.Error("the identifier from before the login shows the login")
			}
			if got := get(&http.Cookie{Name: after.Name, Value: "rubbish"}); got != "" {
				t.Errorf("Get of rubbish = %q, want nothing", got)
			}
			if got := get(change("", after)); got != "" {
				t.Errorf("Get after the logout = %q, want nothing", got)
			}
		})
	}
}

// TestAdaptersAreShort: code to copy has at most 20 lines.
func TestAdaptersAreShort(t *testing.T) {
	for _, name := range []string{"scs.go", "gorilla.go"} {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for line := range bytes.Lines(src[bytes.Index(src, []byte("type ")):]) {
			if text := strings.TrimSpace(string(line)); text != "" && !strings.HasPrefix(text, "//") {
				lines++
			}
		}
		if lines > 20 {
			t.Errorf("%s has %d lines of code, want at most 20", name, lines)
		}
	}
}
