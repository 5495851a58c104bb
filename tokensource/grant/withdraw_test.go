package grant_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// An overloaded store may do what it is asked and say so too late: the engine cannot know that its intent is written. It has
// sent nothing, so there is no doubt about the refresh token, however often that happens, and in whichever processes.
func TestG3_AnIntentThatOnlySeemedToFailRaisesNoDoubt(t *testing.T) {
	for name, applied := range map[string]bool{"it was written": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var failing atomic.Bool
				store := storagetest.NewFaulty(w.Store, func(op, _ string, _ int) storagetest.Fault {
					if failing.Load() && op == "Put" {
						return storagetest.Fault{Err: testworld.ErrStore, Applied: applied}
					}
					return storagetest.Fault{}
				})
				processes := []*grant.Keeper{w.ProcessOn(store, nil), w.ProcessOn(store, nil), w.ProcessOn(store, nil)}
				rejected := w.Login(processes[0])
				failing.Store(true)
				for i := range 20 {
					_, err := processes[i%len(processes)].Source(w.User).Renew(t.Context(), rejected)
					testworld.WantIs(t, err, tokensource.ErrTemporary)
					time.Sleep(31 * time.Second)
				}
				w.WantRefreshes(0)
				failing.Store(false)
				time.Sleep(10 * time.Second)
				tok, err := processes[0].Source(w.User).Renew(t.Context(), rejected)
				if err != nil || !w.Works(tok) {
					t.Errorf("Renew() when the store is well again = %v, want a token", err)
				}
				w.WantRefreshes(1)
			})
		})
	}
}

// The server says no for now, and the store is away when that is to be noted: the refresh token was not redeemed, and so
// there is no doubt about it when the store returns.
func TestG3_AnIntentThatCouldNotBeReleasedRaisesNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		here, elsewhere := w.Process(nil), w.Process(nil)
		rejected := w.Login(here)
		for _, g := range []*grant.Keeper{here, elsewhere, here, elsewhere} {
			w.RefreshFault(oauthtest.Fault{Status: 503}, 1)
			time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("put", "get")) })
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			w.Store.On(nil)
			time.Sleep(2 * time.Minute)
		}
		w.WantRefreshes(4)
		if tok, err := elsewhere.Source(w.User).Renew(t.Context(), rejected); err != nil || !w.Works(tok) {
			t.Errorf("Renew() in the end = %v, want a token", err)
		}
	})
}

// A store that takes no writes is asked once for each call, and once a second in
// the background. Close does not wait for it.
func TestWritesStayFewWhileTheStoreRefusesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		var puts atomic.Int64
		w.Store.On(func(_ context.Context, op string) error {
			if op != "put" {
				return nil
			}
			puts.Add(1)
			return testworld.ErrStore
		})
		const calls, seconds = 100, 10
		for range calls {
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(seconds * time.Second / calls)
		}
		if n := puts.Load(); n > calls+seconds+5 { // a few more in the first second
			t.Errorf("writes of %d calls in %d seconds = %d, want %d at most", calls, seconds, n, calls+seconds+5)
		}
		if err := g.Close(); err == nil || !strings.Contains(err.Error(), "1 intents could not be taken back") {
			t.Errorf("Close() = %v, want an error that counts the intent", err)
		}
		w.WantRefreshes(0)
	})
}
