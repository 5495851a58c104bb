package grant_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// G1: A refresh token is redeemed once, for any number of goroutines and
// processes.
func TestG1_OneRedemptionInAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.Fake.ExpireAccess(w.User)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = 50 * time.Millisecond })
		synctest.Wait()
		before := bubble.Goroutines()
		var wg sync.WaitGroup
		ctx := g.WithSubject(t.Context(), w.User)
		for range 10_000 {
			wg.Go(func() {
				tok, err := g.Renew(ctx, rejected)
				if err != nil || tok.AccessToken == rejected.AccessToken {
					t.Errorf("Renew() = %v, want another token", err)
				}
			})
		}
		wg.Wait()
		w.WantRefreshes(1)
		synctest.Wait()
		if after := bubble.Goroutines(); after > before {
			t.Errorf("goroutines = %d after the storm, %d before", after, before)
		}
		if !w.Works(w.Token(g)) {
			t.Error("the renewed token does not work")
		}
	})
}

func TestG1_OneRedemptionAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL, k.Latency = time.Minute, 20*time.Millisecond })
		var processes []*grant.Keeper
		for range 4 {
			processes = append(processes, w.Process(&grant.Options{RefreshBefore: -1}))
		}
		w.Login(processes[0])
		const expiries = 25
		for range expiries {
			time.Sleep(time.Minute)
			var wg sync.WaitGroup
			for _, g := range processes {
				for range 5 {
					wg.Go(func() {
						if !w.Works(w.Token(g)) {
							t.Error("a process holds a token that does not work")
						}
					})
				}
			}
			wg.Wait()
		}
		w.WantRefreshes(expiries)
		if w.reused() {
			t.Error("a refresh token was used twice")
		}
	})
}

// A process that waits for another one has the new token soon after it is
// stored. Without notifications, it waits a tenth longer than the refresh took.
func TestG1_AWaitingProcessFollowsSoon(t *testing.T) {
	for _, tells := range []bool{false, true} {
		for _, latency := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var store storage.Store = w.Store
				if tells {
					store = w.Store.Store
				}
				here, elsewhere := w.ProcessOn(store, nil), w.ProcessOn(store, nil)
				rejected := w.Login(here)
				w.Fake.Set(func(k *xapi.Knobs) { k.Latency = latency })
				synctest.Wait() // the watches, if any, have begun
				start := time.Now()
				var wg sync.WaitGroup
				for _, g := range []*grant.Keeper{here, elsewhere} {
					wg.Go(func() {
						if _, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil {
							t.Errorf("Renew() = %v, want a token", err)
						}
					})
				}
				wg.Wait()
				most := latency
				if !tells {
					most += max(latency/10, time.Millisecond)
				}
				if took := time.Since(start); took > most {
					t.Errorf("the store tells: %t, a refresh of %v: the other process waited for %v, want at most %v", tells, latency, took, most)
				}
				w.WantRefreshes(1)
			})
		}
	}
}

// The server answers in the last second of the request, and the store is slow.
// A process that waits meanwhile must not redeem the token a second time.
func TestG1_AnIntentLeavesTimeToWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := &testworld.HookedStore{Store: w.Store}
		holder, other := w.ProcessOn(slow, nil), w.Process(nil)
		rejected := w.Login(holder)
		w.RefreshFault(oauthtest.Fault{Delay: 19 * time.Second, Commit: true}, 1)
		var wg sync.WaitGroup
		wg.Go(func() { w.renew(holder, rejected) })
		synctest.Wait() // the request is under way
		slow.On(func(context.Context, string) error { time.Sleep(2500 * time.Millisecond); return nil })
		wg.Go(func() { w.renew(other, rejected) })
		wg.Wait()
		w.WantRefreshes(1)
	})
}
