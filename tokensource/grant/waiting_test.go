package grant_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// G5: Shared work has its own deadline, and each waiter leaves at its own.
func TestG5_WaitersLeaveAtTheirOwnDeadlineAndTheWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = 200 * time.Millisecond })
		g := w.Process(nil)
		rejected := w.Login(g)
		cause := errors.New("the first caller has had enough")
		first, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := g.Source(w.User).Renew(first, rejected)
			testworld.WantIs(t, err, cause)
		})
		wg.Go(func() {
			time.Sleep(30 * time.Millisecond)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err := g.Source(w.User).Renew(ctx, rejected)
			testworld.WantIs(t, err, context.DeadlineExceeded)
			if waited := time.Since(start); waited != 10*time.Millisecond {
				t.Errorf("a waiter with 10ms waited %v", waited)
			}
		})
		wg.Go(func() {
			time.Sleep(30 * time.Millisecond)
			if tok, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil || !w.Works(tok) {
				t.Errorf("Renew() of a patient waiter = %v, want a token", err)
			}
		})
		wg.Wait()
		w.WantRefreshes(1)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		done := make(chan error, 1)
		go func() {
			_, err := g.Source(w.User).Renew(t.Context(), tok)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		for range 2 {
			if err := g.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("Close() took %v, want it to wait for the refresh under way", waited)
		}
		if err := <-done; err != nil {
			t.Errorf("the refresh under way ended with %v", err)
		}
		_, err := g.Source("another").Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrClosed)
		_, err = g.Save(t.Context(), w.User, tok)
		testworld.WantIs(t, err, tokensource.ErrClosed)
		testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrClosed)
	})
}

// Close does not wait for the revocations of a queue. They are in the store,
// and another process or the next start goes on.
func TestCloseLeavesTheQueueToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		g := w.Process(nil)
		w.save(g, w.issue())
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Hang: true}, -1)
		w.save(g, w.issue())
		synctest.Wait() // the first of two tokens is being revoked
		start := time.Now()
		if err := g.Close(); err != nil {
			t.Errorf("Close() = %v, want nil: nothing is lost", err)
		}
		if waited := time.Since(start); waited != 20*time.Second {
			t.Errorf("Close() waited %v, want the 20s of one request", waited)
		}
		w.Fake.ClearFaults()
		w.Process(&grant.Options{DueInterval: everySecond})
		time.Sleep(2*time.Minute + oneRound)
		if n := w.live(); n != 1 {
			t.Errorf("live refresh tokens = %d, want that of the second login only", n)
		}
	})
}
