package grant_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// revocations counts the requests to revoke a token.
func (w world) revocations() int {
	n := 0
	for _, r := range w.Fake.Requests() {
		if r.Path == xapi.PathRevoke {
			n++
		}
	}
	return n
}

// What Close keeps a process from sending is not given up, however old it
// is.
func TestG20_CloseGivesUpNoRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.revocationsFail(-1)
		first := w.Process(nil)
		w.Login(first)
		if err := first.Logout(t.Context(), w.User); err == nil {
			t.Error("Logout() = nil though the server answers 503")
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * 24 * time.Hour) // no process is there
		queued, sent := w.inspect().Unrevoked, w.revocations()

		var second *grant.Keeper
		var once sync.Once
		key, closed := w.keyOf(w.User), make(chan struct{})
		store := storagetest.NewFaulty(w.Store, func(op, k string, _ int) storagetest.Fault {
			if op != "Put" || k != key {
				return storagetest.Fault{}
			}
			once.Do(func() {
				go func() {
					defer close(closed)
					if err := second.Close(); err != nil {
						t.Errorf("Close() = %v, want none", err)
					}
				}()
			})
			return storagetest.Fault{Delay: time.Second} // Close comes before the first request
		})
		second = w.ProcessOn(store, nil)
		_, _ = second.Source(w.User).Token(t.Context())
		<-closed
		if n := w.revocations() - sent; n != 0 {
			t.Errorf("requests to revoke after Close = %d, want none", n)
		}
		if n := w.inspect().Unrevoked; n != queued || queued == 0 {
			t.Errorf("tokens to revoke after Close = %d, want %d", n, queued)
		}
	})
}

// Close waits for the revocations in flight, and not for those that wait.
func TestCloseWaitsForNoQueuedRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, inFlight = 40, 16
		w := newWorld(t)
		w.manyGrants()
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Delay: 10 * time.Second}, -1)
		g := w.Process(nil)
		for range 2 { // the second login revokes the tokens of the first one
			for i := range users {
				if _, err := g.Save(t.Context(), fmt.Sprint("user", i), w.issue()); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if n := w.revocations(); n != inFlight {
			t.Errorf("requests to revoke before the end of Close = %d, want %d", n, inFlight)
		}
	})
}
