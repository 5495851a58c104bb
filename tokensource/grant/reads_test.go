package grant_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// A process that meets an expired token reads the grant once, and writes it
// twice: the intent, and the new tokens.
func TestARenewalOfAGrantThatWasJustRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Login(w.Process(nil))
		time.Sleep(3 * time.Hour)
		g := w.Process(nil)
		ops := map[string]int{}
		w.Store.On(func(_ context.Context, op string) error { ops[op]++; return nil })
		w.Token(g)
		if ops["get"] != 1 || ops["put"] != 2 {
			t.Errorf("a renewal of an expired token made %d reads and %d writes, want 1 and 2", ops["get"], ops["put"])
		}
	})
}

// Between the read and the intent, another process renews the grant. The intent
// is not written then, and nothing is sent (G2).
func TestG2_AnotherProcessRenewsRightAfterTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := w.Process(nil)
		w.Login(other)
		time.Sleep(3 * time.Hour)
		store := &writeStore{Store: w.Store}
		g := w.ProcessOn(store, nil)
		renewed := false
		store.before = func(grant.Grant) error {
			if !renewed {
				renewed = true
				w.Token(other)
			}
			return nil
		}
		if got, want := w.Token(g).AccessToken, w.Token(other).AccessToken; got != want || !renewed {
			t.Error("Token() = another token than the one that the other process got, want that one")
		}
		if n := w.Refreshes(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
}
