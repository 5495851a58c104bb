package middleware_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestLogoutAtServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOpenIDWorld(t, setup{options: middleware.Options{LogoutAtServer: true, AfterLogout: "/bye"}})
		b := newBrowser(t, w.mux)
		w.logInAs(b, "alice")
		a := b.do(http.MethodPost, "/logout")
		u := mustURL(t, a.location())
		q := u.Query()
		if a.StatusCode != http.StatusSeeOther || u.Scheme+"://"+u.Host+u.Path != "https://as.example/logout" || q.Get("tenant") != "1" {
			t.Fatalf("POST /logout = %d to %q, want the server's page", a.StatusCode, a.location())
		}
		hint, ok := readToken(q.Get("id_token_hint"))
		if !ok || hint.Sub != "alice" || q.Get("client_id") != w.client.ClientID() || len(q.Get("state")) != 43 ||
			q.Get("post_logout_redirect_uri") != "https://app.example/logout" {
			t.Errorf("the logout request has %v, want the ID token, the client, where to return, and a state", q)
		}
		if s := w.session(b); s.ID != "" {
			t.Error("the session lives on while the user is at the server")
		}
		wantStatus(t, "page before the browser came back", b.get("/timeline"), http.StatusSeeOther)
		if list, err := w.login.Sessions(t.Context(), "alice"); err != nil || len(list) != 0 {
			t.Errorf("Sessions = %v, %v, want none", list, err)
		}
		for name, target := range map[string]string{
			"no state": "/logout", "an empty state": "/logout?state=", "another state": "/logout?state=" + strings.Repeat("A", 43),
			"a state that is not well formed": "/logout?state=%zz",
		} {
			wantStatus(t, "the way back with "+name, b.get(target), http.StatusMethodNotAllowed)
		}
		wantStatus(t, "the way back in another browser", newBrowser(t, w.mux).get("/logout?state="+q.Get("state")), http.StatusMethodNotAllowed)
		back := b.get("/logout?state="+q.Get("state"), "Sec-Fetch-Site", "cross-site")
		if back.StatusCode != http.StatusSeeOther || back.location() != "/bye" || back.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the way back = %d to %q, want 303 to /bye", back.StatusCode, back.location())
		}
		wantStatus(t, "the way back once more", b.get("/logout?state="+q.Get("state")), http.StatusMethodNotAllowed)
		if got := append(b.cookies("leave"), b.cookies("session")...); len(got) != 0 {
			t.Errorf("cookies after the logout = %v, want none of it", got)
		}
		if a := b.do(http.MethodPost, "/logout"); a.location() != "/bye" {
			t.Errorf("a logout without a session leads to %q, want /bye", a.location())
		}
	})
}

// Disconnect ends what the app has. The session at the server is the user's.
func TestDisconnectStaysHere(t *testing.T) {
	w := newOpenIDWorld(t, setup{options: middleware.Options{LogoutAtServer: true}})
	b := newBrowser(t, w.mux)
	w.logInAs(b, "alice")
	if a := b.do(http.MethodPost, "/disconnect"); a.location() != "/" {
		t.Errorf("POST /disconnect leads to %q, want /", a.location())
	}
}

// An ID token that does not fit into a redirect is left out: the server asks.
func TestLogoutAtServerWithALongIDToken(t *testing.T) {
	w := newOpenIDWorld(t, setup{options: middleware.Options{LogoutAtServer: true}})
	for size, has := range map[int]bool{1000: true, 1500: true, 4000: false, 60_000: false} {
		w.fake.Set(func(k *oauthtest.Knobs) {
			k.Token.IDToken = func(c map[string]any) { c["groups"] = strings.Repeat("g", size) }
		})
		b := newBrowser(t, w.mux)
		w.logInAs(b, "alice")
		a := b.do(http.MethodPost, "/logout")
		if got := mustURL(t, a.location()).Query().Has("id_token_hint"); got != has || len(a.location()) > 4000 {
			t.Errorf("with %d bytes of groups: id_token_hint %v in %d bytes, want %v", size, got, len(a.location()), has)
		}
	}
}

// The ID token is sealed in the store, whatever the store does, and it is there
// only if a logout needs it.
func TestIDTokensInTheStore(t *testing.T) {
	for _, kept := range []bool{true, false} {
		store := storage.NewMemory()
		w := newOpenIDWorld(t, setup{store: store, options: middleware.Options{LogoutAtServer: kept}})
		var raw string
		w.fake.Set(func(k *oauthtest.Knobs) {
			k.Token.IDToken = func(c map[string]any) { raw, _ = w.tokens.IDToken(c, "") }
		})
		w.logInAs(newBrowser(t, w.mux), "alice")
		hints := 0
		for key, err := range store.Keys(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			r, err := store.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(r.Value()), raw) {
				t.Errorf("record %s has the ID token in clear", key)
			}
			if strings.Contains(string(r.Value()), `"h":"`) {
				hints++
			}
		}
		if (hints == 1) != kept {
			t.Errorf("with LogoutAtServer %v, %d records have an ID token", kept, hints)
		}
	}
}

// The store is down during the first attempt: the second one goes on.
func TestLogoutAtServerWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newBrokenStore(nil)
		w := newOpenIDWorld(t, setup{store: store, options: middleware.Options{LogoutAtServer: true}})
		b := newBrowser(t, w.mux)
		w.logInAs(b, "alice")
		store.set(func(op, _ string) bool { return op != "get" })
		wantStatus(t, "logout", b.do(http.MethodPost, "/logout"), http.StatusServiceUnavailable)
		store.set(nil)
		time.Sleep(time.Minute)
		if a := b.do(http.MethodPost, "/logout"); !strings.HasPrefix(a.location(), "https://as.example/logout?") {
			t.Errorf("the second attempt = %d to %q, want the server's page", a.StatusCode, a.location())
		}
	})
}
