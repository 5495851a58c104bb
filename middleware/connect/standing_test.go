package connect_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// wantUsable makes sure that the server still takes the tokens of the only
// connection of a user.
func (w *world) wantUsable(when, user string) {
	w.Helper()
	w.wantAlive(when, w.x, ann, 1)
	w.wantRenewal(when, user)
}

func (w *world) wantRenewal(when, user string) {
	w.Helper()
	w.wantList(when, user, "x/ann")
	ctx := w.list(user)[0].Context(w.Context())
	tok, err := w.x.grants.Token(ctx)
	if err == nil {
		_, err = w.x.grants.Renew(ctx, tok)
	}
	if err != nil && !errors.Is(err, tokensource.ErrJustRenewed) {
		w.Errorf("%s: Renew of the connection of %s = %v, want another token", when, user, err)
	}
}

// TestLoginThatIsRefused_WhereTheServerKeepsOneGrant: at X, the exchange for
// another login of ann has ended the tokens of the connection of user 17.
// Whatever that login is refused for, the connection goes on.
func TestLoginThatIsRefused_WhereTheServerKeepsOneGrant(t *testing.T) {
	var refused string // by OnConnect
	ask := func(_ context.Context, account string, _ connect.Connection) error {
		if account == refused {
			return middleware.ErrRefused
		}
		return nil
	}
	for name, tt := range map[string]struct {
		by      string // who logs in as ann
		refused string
		shared  bool
		kind    error
	}{
		"another user of the app":                  {by: "18", kind: connect.ErrConnectedElsewhere},
		"another user, whom OnConnect refuses":     {by: "18", refused: "18", kind: middleware.ErrRefused},
		"the same user, whom OnConnect refuses":    {by: "17", refused: "17", kind: middleware.ErrRefused},
		"one more than 64 users, who share ann":    {by: "18", shared: true, kind: connect.ErrTooMany},
		"a user of those who share, but not again": {by: "user1", refused: "user1", shared: true, kind: middleware.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			refused = ""
			w := newWorld(t, setup{options: connect.Options{OnConnect: ask, Shared: tt.shared}})
			w.browser("17").mustConnect(w.x, ann)
			for i := 1; tt.shared && i < most; i++ {
				w.browser(fmt.Sprint("user", i)).mustConnect(w.x, ann)
			}
			refused = tt.refused
			w.browser(tt.by).connect(w.x, ann)
			w.wantErr("the login of ann", tt.kind)
			w.wantUsable("afterwards", "17")
		})
	}
}

// TestConnect_With64Connections_AnAccountOfSomebodyElse: the list of user 18 is
// full, and ann belongs to user 17.
func TestConnect_With64Connections_AnAccountOfSomebodyElse(t *testing.T) {
	person := 0
	as := identifyAs(&person)
	w := newWorld(t, setup{login: middleware.Options{Identify: as}})
	w.browser("17").mustConnect(w.x, ann)
	full := w.browser("18")
	for person = 1; person <= most; person++ {
		full.mustConnect(w.google, ann)
	}
	person = 0
	full.connect(w.x, ann)
	w.wantErr("the login of ann", connect.ErrTooMany)
	w.wantAlive("afterwards", w.x, ann, 1)
}

// TestOnConnect_WhichFailsForTwoHours: nobody can say whether the account may
// be connected. No grant is stored that no user of the app could end. A
// connection that user 17 had before goes on.
func TestOnConnect_WhichFailsForTwoHours(t *testing.T) {
	for _, before := range []string{"never connected", "connected"} {
		t.Run(before, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				w := newWorld(t, setup{options: connect.Options{OnConnect: func(context.Context, string, connect.Connection) error {
					if down.Load() {
						return errors.New("the database of the app is down")
					}
					return nil
				}}})
				b := w.browser("17")
				if before == "connected" {
					b.mustConnect(w.x, ann)
				}
				down.Store(true)
				b.connect(w.x, ann)
				w.wantErr("the login of ann", middleware.ErrLoginFailed)
				time.Sleep(2 * time.Hour)
				if before == "connected" {
					w.wantUsable("two hours later", "17")
					return
				}
				w.wantList("two hours later", "17")
				w.wantAlive("two hours later", w.x, ann, 0)
				if g, err := w.x.grants.Grant(t.Context(), ann); err == nil && g.Dead == "" {
					t.Errorf("Grant(ann) = %+v, want none: no user of the app could end it", g)
				}
			})
		})
	}
}

// TestStoreFails_ForTwoHours: the login ends, and leaves nothing in the list.
func TestStoreFails_ForTwoHours(t *testing.T) {
	for _, prefix := range []string{"account.", "connection.", "grant."} {
		t.Run(prefix, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				b := w.browser("17")
				back := b.consent(w.google, ann, b.begin(w.google))
				w.failing(prefix)
				b.do("GET", back, "Sec-Fetch-Site", "cross-site")
				time.Sleep(2 * time.Hour)
				w.failing("")
				time.Sleep(2 * time.Hour)
				w.wantList("four hours later", "17")
				w.wantAlive("four hours later", w.google, ann, 0)
				b.mustConnect(w.google, ann)
				w.wantList("after another login", "17", "google/ann")
			})
		})
	}
}

// TestEventConnected_WhenTheBackgroundFinishes: the app is notified of a
// connection that was made after the store had failed.
func TestEventConnected_WhenTheBackgroundFinishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		b := w.browser("17")
		back := b.consent(w.x, ann, b.begin(w.x))
		var granted atomic.Bool
		w.store.on(func(op, key string) error { // Confirm fails: it writes after the grant
			if op != "put" {
				return nil
			}
			if key[:6] == "grant." {
				granted.Store(true)
			} else if granted.Load() && key[:8] == "account." {
				return errDead
			}
			return nil
		})
		b.do("GET", back, "Sec-Fetch-Site", "cross-site")
		w.failing("")
		time.Sleep(5 * time.Minute)
		w.wantList("five minutes later", "17", "x/ann")
		synctest.Wait() // for the hook of events
		w.mu.Lock()
		defer w.mu.Unlock()
		n := 0
		for _, e := range w.events {
			if e.Kind == connect.EventConnected && e.Account == "17" && e.Subject == ann {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d events of kind %q, want 1: %+v", n, connect.EventConnected, w.events)
		}
	})
}

// TestForget_OfAUserWhoseLoginOfSomebodyElsesAccountWaits: user 18 has logged
// in with the account of user 17, and OnConnect cannot say yet whether that may
// be.
func TestForget_OfAUserWhoseLoginOfSomebodyElsesAccountWaits(t *testing.T) {
	for name, facts := range map[string]func(*provider.Provider){
		"the server keeps one grant":     func(*provider.Provider) {},
		"a revocation ends all grants":   func(p *provider.Provider) { p.SingleGrant, p.RevokesAll = false, true },
		"both":                           func(p *provider.Provider) { p.RevokesAll = true },
		"each revocation ends one grant": func(p *provider.Provider) { p.SingleGrant = false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				w := newWorld(t, setup{facts: facts, options: connect.Options{OnConnect: func(context.Context, string, connect.Connection) error {
					if down.Load() {
						return errors.New("the database of the app is down")
					}
					return nil
				}}})
				w.browser("17").mustConnect(w.x, ann)
				down.Store(true)
				w.browser("18").connect(w.x, ann)
				w.wantErr("the login of user 18", middleware.ErrLoginFailed)
				if err := w.accounts.Forget(t.Context(), "18"); err != nil {
					t.Errorf("Forget(18) = %v, want nil", err)
				}
				down.Store(false)
				time.Sleep(90 * time.Minute)
				w.wantList("later", "18")
				w.wantRenewal("later", "17")
			})
		})
	}
}
