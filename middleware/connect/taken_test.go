package connect_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
)

// afterGrant lets operations fail once the grant of the next login was written.
func (w *world) afterGrant(fails func(op, key string) bool) {
	var written atomic.Bool
	w.store.on(func(op, key string) error {
		if written.Load() && fails(op, key) {
			return errDead
		}
		if op == "put" && strings.HasPrefix(key, "grant.") {
			written.Store(true)
		}
		return nil
	})
}

// stopped are the ways in which a login stops after the write of its grant.
var stopped = map[string]func(w *world){
	"the connection cannot be confirmed": func(w *world) {
		w.afterGrant(func(op, key string) bool { return op != "get" && strings.HasPrefix(key, "account.") })
	},
	"the store does not say that it has the grant": func(w *world) {
		w.store.loses.Store(true)
		w.afterGrant(func(_, key string) bool { return strings.HasPrefix(key, "grant.") })
	},
}

// TestErased_WhileTheLoginWaitsAfterItsGrantWasStored: the tokens are those of
// the grant, which another user of the app shares.
func TestErased_WhileTheLoginWaitsAfterItsGrantWasStored(t *testing.T) {
	for why, stop := range stopped {
		t.Run(why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{options: connect.Options{Shared: true}})
				w.browser("18").mustConnect(w.google, ann)
				stop(w)
				w.browser("17").connect(w.google, ann)
				w.wantErr("the callback", middleware.ErrLoginFailed)
				w.store.on(nil)
				w.store.loses.Store(false)
				for range 3 { // the connection was listed a moment ago
					if w.accounts.Forget(t.Context(), "17") == nil {
						break
					}
					time.Sleep(time.Minute)
				}
				time.Sleep(2 * time.Hour)
				w.wantList("two hours later", "17")
				w.wantList("two hours later", "18", "google/ann")
				w.wantAlive("two hours later", w.google, ann, 1)
				w.wantWorks(w.google, "18")
			})
		})
	}
}

// TestNobodyIsErased_AfterTheGrantWasStored: the background finishes the login
// when the store answers again, also after the hour of a login.
func TestNobodyIsErased_AfterTheGrantWasStored(t *testing.T) {
	for why, stop := range stopped {
		for _, outage := range []time.Duration{time.Minute, 90 * time.Minute} {
			t.Run(why+" for "+outage.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, setup{})
					stop(w)
					w.browser("17").connect(w.google, ann)
					time.Sleep(outage)
					w.store.on(nil)
					w.store.loses.Store(false)
					time.Sleep(2 * time.Hour)
					w.wantList("two hours later", "17", "google/ann")
					w.wantAlive("two hours later", w.google, ann, 1)
					w.wantWorks(w.google, "17")
				})
			})
		}
	}
}

// TestTheHourEndsWhileTheStoreWrites_AfterTheGrantWasStored: the server keeps
// one grant of a user, and the login has no tokens left to store.
func TestTheHourEndsWhileTheStoreWrites_AfterTheGrantWasStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		end := time.Now().Add(time.Hour)
		w.afterGrant(func(op, key string) bool {
			if strings.HasPrefix(key, "login.") {
				switch left := time.Until(end); {
				case op == "get" && left > 10*time.Minute+13*time.Second && left < 20*time.Minute:
					return true // so that a try follows in the last seconds of the hour
				case op == "put" && left > 0 && left < 15*time.Second:
					time.Sleep(left)
				}
			}
			return op != "get" && strings.HasPrefix(key, "account.")
		})
		w.browser("17").connect(w.x, ann)
		time.Sleep(2 * time.Hour)
		w.store.on(nil)
		w.wantList("two hours later", "17", "x/ann")
		w.wantAlive("two hours later", w.x, ann, 1)
		w.wantWorks(w.x, "17")
	})
}

// wantWorks makes sure that the server honours the token of a user's connection
// of ann.
func (w *world) wantWorks(s *site, user string) {
	w.Helper()
	for _, c := range w.list(user) {
		if c.User.Subject != ann {
			continue
		}
		tok, err := s.grants.Token(c.Context(w.Context()))
		if err == nil {
			_, err = s.grants.Client().Identity(w.Context(), tok)
		}
		if err != nil {
			w.Errorf("the token of user %s = %v, want one that works", user, err)
		}
	}
}
