package tokensource_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// An overloaded store may do what it is asked and say so too late: the engine cannot know that its intent is written. It has
// sent nothing, so there is no doubt about the refresh token, however often that happens, and in whichever processes.
func TestG3_AnIntentThatOnlySeemedToFailRaisesNoDoubt(t *testing.T) {
	for name, applied := range map[string]bool{"it was written": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var failing atomic.Bool
				store := storagetest.NewFaulty(w.store, func(op, _ string, _ int) storagetest.Fault {
					if failing.Load() && op == "Put" {
						return storagetest.Fault{Err: errStore, Applied: applied}
					}
					return storagetest.Fault{}
				})
				processes := []*tokensource.Grants{w.processOn(store, nil), w.processOn(store, nil), w.processOn(store, nil)}
				rejected := w.login(processes[0])
				failing.Store(true)
				for i := range 20 {
					_, err := processes[i%len(processes)].Source(w.user).Renew(t.Context(), rejected)
					wantIs(t, err, tokensource.ErrTemporary)
					time.Sleep(31 * time.Second)
				}
				w.wantRefreshes(0)
				failing.Store(false)
				time.Sleep(10 * time.Second)
				tok, err := processes[0].Source(w.user).Renew(t.Context(), rejected)
				if err != nil || !w.works(tok) {
					t.Errorf("Renew() when the store is well again = %v, want a token", err)
				}
				w.wantRefreshes(1)
			})
		})
	}
}

// The server says no for now, and the store is away when that is to be noted: the refresh token was not redeemed, and so
// there is no doubt about it when the store returns.
func TestG3_AnIntentThatCouldNotBeReleasedRaisesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = time.Second })
		here, elsewhere := w.process(nil), w.process(nil)
		rejected := w.login(here)
		for _, g := range []*tokensource.Grants{here, elsewhere, here, elsewhere} {
			w.refreshFault(oauthtest.Fault{Status: 503}, 1)
			time.AfterFunc(time.Second/2, func() { w.store.on(failing("put", "get")) })
			_, err := g.Source(w.user).Renew(t.Context(), rejected)
			wantIs(t, err, tokensource.ErrTemporary)
			w.store.on(nil)
			time.Sleep(2 * time.Minute)
		}
		w.wantRefreshes(4)
		if tok, err := elsewhere.Source(w.user).Renew(t.Context(), rejected); err != nil || !w.works(tok) {
			t.Errorf("Renew() in the end = %v, want a token", err)
		}
	})
}

// While an intent is to be taken back, no other one is announced, and Close does not wait for a store that is gone.
func TestAnIntentIsWithdrawnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		rejected := w.login(g)
		var puts atomic.Int64
		w.store.on(func(_ context.Context, op string) error {
			if op != "put" {
				return nil
			}
			puts.Add(1)
			return errStore
		})
		start := time.Now()
		for range 100 {
			_, err := g.Source(w.user).Renew(t.Context(), rejected)
			wantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(time.Second / 10)
		}
		if n := puts.Load(); n > 15 { // one a second, and a few more in the first
			t.Errorf("writes in %v without a store = %d, want 15 at most", time.Since(start), n)
		}
		if err := g.Close(); err != nil {
			t.Errorf("Close() = %v, want nil: nothing is lost", err)
		}
	})
}
