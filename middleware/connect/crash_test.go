package connect_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/tokensource"
)

// writes is more than a connection or its end needs of writes to the store.
const writes = 8

// wantListed makes sure that no stored grant of ann at X lacks a connection of
// the user that can be used.
func (w *world) wantListed(when, user string) {
	w.Helper()
	g, err := w.x.grants.Grant(w.Context(), ann)
	if err != nil && !errors.Is(err, tokensource.ErrReauthorize) {
		w.Fatal(err)
	}
	if err != nil || g.Dead != "" {
		return
	}
	for _, c := range w.list(user) {
		if c.Provider == "x" && c.User.Subject == ann && c.Dead == "" {
			return
		}
	}
	w.Errorf("%s: the grant of ann is stored, and Connections(%s) = %+v do not show it", when, user, w.list(user))
}

// TestDyingWhileConnecting: the process dies after each of its writes. No grant
// is left that the user cannot end, and connecting once more works.
func TestDyingWhileConnecting(t *testing.T) {
	for _, before := range []string{"never connected", "connected"} {
		died := 0
		for n := range writes {
			t.Run(fmt.Sprintf("%s, after %d writes", before, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, setup{})
					b := w.browser("17")
					if before == "connected" {
						b.mustConnect(w.x, ann)
					}
					back := b.consent(w.x, ann, b.begin(w.x))
					w.dieAfter(n)
					b.do("GET", back, "Sec-Fetch-Site", "cross-site")
					if w.dead.Load() {
						died++
					}
					w.dead.Store(true)

					next := w.another()
					next.wantListed("at once", "17")
					time.Sleep(2 * time.Minute)
					next.wantListed("later", "17")
					again := &browser{next, b.jar}
					again.mustConnect(next.x, ann)
					next.wantList("after another login", "17", "x/ann")
					id := next.idOf("x")
					next.wantStatus("the disconnect", again.do("POST", "/x/disconnect?connection="+id), http.StatusSeeOther)
					next.wantList("after the disconnect", "17")
					next.wantAlive("after the disconnect", next.x, ann, 0)
				})
			})
		}
		if died == 0 || died == writes {
			t.Errorf("%s: %d of %d logins died, want some", before, died, writes)
		}
	}
}

// TestDyingWhileConnecting_ThenAnotherUser: a process died while one user of
// the app connected an account. Others can connect it once what is left was
// removed.
func TestDyingWhileConnecting_ThenAnotherUser(t *testing.T) {
	for n := range writes {
		t.Run(fmt.Sprintf("after %d writes", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				b := w.browser("17")
				back := b.consent(w.x, ann, b.begin(w.x))
				w.dieAfter(n)
				b.do("GET", back, "Sec-Fetch-Site", "cross-site")
				w.dead.Store(true)

				next := w.another()
				time.Sleep(2 * time.Minute)
				if err := next.accounts.Forget(t.Context(), "17"); err != nil {
					t.Errorf("Forget: %v", err)
				}
				next.browser("18").mustConnect(next.x, ann)
				next.wantList("afterwards", "17")
				next.wantList("afterwards", "18", "x/ann")
			})
		})
	}
}

// TestDyingWhileDisconnecting: the process dies after each of its writes. The
// user can go on, and no other user of the app gets the grant.
func TestDyingWhileDisconnecting(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for n := range writes {
			t.Run(fmt.Sprintf("shared %v, after %d writes", shared, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, setup{options: connect.Options{Shared: shared}})
					b := w.browser("17")
					b.mustConnect(w.x, ann)
					id := w.idOf("x")
					if shared {
						w.browser("18").mustConnect(w.x, ann)
					}
					w.dieAfter(n)
					b.do("POST", "/x/disconnect?connection="+id)
					w.dead.Store(true)

					next := w.another()
					if !shared {
						next.wantListed("at once", "17")
					}
					time.Sleep(2 * time.Minute)
					if err := next.accounts.End(t.Context(), "17", id); err != nil && !errors.Is(err, connect.ErrNoConnection) {
						t.Errorf("End, once more: %v", err)
					}
					next.wantList("after another disconnect", "17")
					alive := 0
					if shared {
						next.wantList("after another disconnect", "18", "x/ann")
						alive = 1
					}
					next.wantAlive("after another disconnect", next.x, ann, alive)
				})
			})
		}
	}
}

// TestStaleListing_GivesNoAccess: a process died after it had given an account
// free and before it took the connection from the list. Then another user of
// the app connected the account. The first one must not act for it.
func TestStaleListing_GivesNoAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.browser("17").mustConnect(w.x, ann)
		id := w.idOf("x")
		w.store.on(func(op, key string) error {
			if op == "delete" && len(key) > 8 && key[:8] == "account." {
				w.dead.Store(true)
			}
			if w.dead.Load() {
				return errDead
			}
			return nil
		})
		w.browser("17").do("POST", "/x/disconnect?connection="+id)
		if !w.dead.Load() {
			t.Fatal("the process did not get as far as the list")
		}
		next := w.another()
		next.browser("18").mustConnect(next.x, ann)
		next.wantList("afterwards", "17", "x/ann no grant")
		next.wantList("afterwards", "18", "x/ann")
		c, err := next.accounts.Connection(t.Context(), "17", id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := next.x.grants.Token(c.Context(t.Context())); !errors.Is(err, tokensource.ErrNoSubject) {
			t.Errorf("Token for the first user = %v, want %v", err, tokensource.ErrNoSubject)
		}
		if _, err := c.Source(); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("Source() = %v, want %v", err, tokensource.ErrReauthorize)
		}
		if err := next.accounts.End(t.Context(), "17", id); err != nil {
			t.Errorf("End for the first user: %v", err)
		}
		next.wantAlive("after the first user has removed the rest", next.x, ann, 1)
		next.wantList("after the first user has removed the rest", "18", "x/ann")
	})
}
