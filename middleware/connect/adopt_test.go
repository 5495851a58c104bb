package connect_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

var annAtX = provider.Identity{Subject: ann, Name: "Ann", Username: "ann"}

// ownToken is the token of ann's account at x that the app has in a table of
// its own.
func (w *world) ownToken() *oauth2.Token {
	w.Helper()
	access, refresh, err := w.x.fake.IssueToken(ann, oauthtest.ConfidentialApp().ClientID, scopesOf["x"]...)
	if err != nil {
		w.Fatal(err)
	}
	return &oauth2.Token{AccessToken: access, RefreshToken: refresh}
}

// renewed renews the token of a connection and returns the new one.
func (w *world) renewed(c connect.Connection) *oauth2.Token {
	w.Helper()
	source, err := c.Source()
	if err != nil {
		w.Fatal(err)
	}
	tok, err := source.Token(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if tok, err = source.Renew(w.Context(), tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

// TestAdoptATokenOfATable: the account is connected without a login, and a
// second adoption of the same token leaves the renewed one alone.
func TestAdoptATokenOfATable(t *testing.T) {
	w := newWorld(t, setup{})
	old := w.ownToken()
	c, err := w.x.routes.Adopt(t.Context(), "17", annAtX, old)
	if err != nil || c.Dead != "" || c.Connected.IsZero() {
		t.Fatalf("Adopt() = dead %q, connected %v, %v, want a connection", c.Dead, c.Connected, err)
	}
	w.wantList("after an adoption", "17", "x/ann")
	if n := len(w.events); n == 0 || w.events[n-1].Kind != connect.EventConnected || w.events[n-1].Account != "17" {
		t.Errorf("events = %v, want EventConnected of account 17 at the end", w.events)
	}
	tok := w.renewed(c)
	if _, err := w.another().x.routes.Adopt(t.Context(), "17", annAtX, old); err != nil {
		t.Errorf("Adopt() of the old token once more = %v, want nil", err)
	}
	source, err := c.Source()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := source.Token(t.Context()); err != nil || got.AccessToken != tok.AccessToken || w.x.fake.Token(got.AccessToken).Dead != "" {
		t.Errorf("Token() after a second adoption = %v, want the renewed token", err)
	}
	w.wantList("after two adoptions", "17", "x/ann")
}

// TestAdoptAnExpiredToken: the first use renews it, so that an app which has
// kept refresh tokens only can write anything in place of the access token.
func TestAdoptAnExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		old := w.ownToken()
		time.Sleep(3 * time.Hour)
		old.AccessToken, old.Expiry = "none", time.Now().Add(-time.Hour)
		c, err := w.x.routes.Adopt(t.Context(), "17", annAtX, old)
		if err != nil {
			t.Fatal(err)
		}
		source, err := c.Source()
		if err != nil {
			t.Fatal(err)
		}
		if tok, err := source.Token(t.Context()); err != nil || w.x.fake.Token(tok.AccessToken).Dead != "" {
			t.Errorf("Token() = %v, want a good token", err)
		}
	})
}

// TestAdoptAnAccountOfAnotherUser: it stays with its first user, unless it is
// shared.
func TestAdoptAnAccountOfAnotherUser(t *testing.T) {
	for name, want := range map[bool]error{false: connect.ErrConnectedElsewhere, true: nil} {
		w := newWorld(t, setup{options: connect.Options{Shared: name}})
		old := w.ownToken()
		if _, err := w.x.routes.Adopt(t.Context(), "17", annAtX, old); err != nil {
			t.Fatal(err)
		}
		if _, err := w.x.routes.Adopt(t.Context(), "18", annAtX, old); !errors.Is(err, want) {
			t.Errorf("Adopt() for a second user, with Shared %v = %v, want %v", name, err, want)
		}
		w.wantList("after the adoption for another user", "17", "x/ann")
		w.wantAlive("after both", w.x, ann, 1)
		if want != nil {
			w.wantList("after it was refused", "18")
		}
	}
}

// TestAdoptAfterADisconnect: the old token does not bring the connection back.
func TestAdoptAfterADisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		old := w.ownToken()
		c, err := w.x.routes.Adopt(t.Context(), "17", annAtX, old)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.accounts.End(t.Context(), "17", c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.x.routes.Adopt(t.Context(), "17", annAtX, old); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("Adopt() after a disconnect = %v, want ErrReauthorize", err)
		}
		time.Sleep(2 * time.Hour) // an adoption under way is not shown before
		w.wantList("after it", "17")
		w.wantAlive("after it", w.x, ann, 0)
	})
}

// TestAdoptAfterALogin: what the user has authorized in the browser is newer
// than the token of the table, and costs no request.
func TestAdoptAfterALogin(t *testing.T) {
	w := newWorld(t, setup{})
	old := w.ownToken()
	w.browser("17").mustConnect(w.x, ann)
	before := len(w.x.fake.Requests())
	c, err := w.x.routes.Adopt(t.Context(), "17", annAtX, old)
	if err != nil || len(w.x.fake.Requests()) != before {
		t.Errorf("Adopt() after a login = %v after %d requests, want nil after none", err, len(w.x.fake.Requests())-before)
	}
	if tok := w.renewed(c); w.x.fake.Token(tok.AccessToken).Dead != "" {
		t.Error("the token of the login is dead")
	}
	w.wantList("after it", "17", "x/ann")
}

// TestAdoptByAProcessThatDies: whatever was written, another process completes
// the adoption, and no grant is stored that is not listed.
func TestAdoptByAProcessThatDies(t *testing.T) {
	for n := range 5 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{})
			old := w.ownToken()
			w.dieAfter(n)
			_, died := w.x.routes.Adopt(t.Context(), "17", annAtX, old)
			w.store.on(func(string, string) error { return errDead })
			next := w.another()
			if _, err := next.x.grants.Grant(t.Context(), ann); err == nil {
				next.wantList("with a stored grant", "17", "x/ann")
			}
			if died == nil && n < 4 {
				t.Errorf("Adopt() that dies after %d writes = nil, want an error", n)
			}
			c, err := next.x.routes.Adopt(t.Context(), "17", annAtX, old)
			if err != nil {
				t.Fatalf("Adopt() after a process died after %d writes = %v, want nil", n, err)
			}
			next.wantList("after a death", "17", "x/ann")
			if tok := next.renewed(c); w.x.fake.Token(tok.AccessToken).Dead != "" {
				t.Errorf("after %d writes and a death the token is dead", n)
			}
		})
	}
}

func TestAdoptRefuses(t *testing.T) {
	w := newWorld(t, setup{})
	good := w.ownToken()
	for name, tt := range map[string]struct {
		account string
		user    provider.Identity
		tok     *oauth2.Token
	}{
		"no user of the app":           {"", annAtX, good},
		"a user with a long name":      {strings.Repeat("x", 256), annAtX, good},
		"no user at the server":        {"17", provider.Identity{Name: "Ann"}, good},
		"no token":                     {"17", annAtX, nil},
		"a token without access token": {"17", annAtX, &oauth2.Token{RefreshToken: good.RefreshToken}},
	} {
		if _, err := w.x.routes.Adopt(t.Context(), tt.account, tt.user, tt.tok); err == nil {
			t.Errorf("Adopt() with %s = nil, want an error", name)
		}
	}
	w.wantList("after refusals", "17")
}
