//go:build unix

package fleet_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// TestStoreGoneForAWhile kills the database while the fleet works, and starts it again later. Who holds a valid token goes
// on, nobody is logged out, and tokens that could not be written are written when the database returns.
func TestStoreGoneForAWhile(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range serverStores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			outage(t, kind, scale(3*time.Second, 10*time.Second))
		})
	}
}

func outage(t *testing.T, kind string, d time.Duration) {
	f := newFleet(t, kind)
	if !f.db.Own() {
		t.Skip("needs a database of its own to kill")
	}
	f.setup.Recheck = 500 * time.Millisecond // the store is missed at once
	busy, expiring, writing := users(0, 20), users(100, 10), users(200, 5)
	everybody := slices.Concat(busy, expiring, writing)
	f.login(2*time.Hour, everybody...)
	workers := f.start(4)
	for _, w := range workers {
		each(8, everybody, func(user string) { f.wantWorks("before the outage", user, w.call(user)) })
	}

	var calls tally
	var load sync.WaitGroup
	load.Go(func() { calls = f.load(workers, busy, d+3*time.Second) })
	holding := f.holdBeforeWrite(workers[0], writing)
	f.db.Kill(t)
	began := time.Now()
	workers[0].do(order{Do: "release"})
	for i, user := range writing { // their tokens are served from memory
		f.wantWorks("with an unwritten token", user, workers[0].await(holding[i]))
		workers[0].awaitNews(message{Event: string(grant.EventUnsaved), Subject: user})
	}
	during := f.callExpired(workers, expiring)
	<-time.After(d - time.Since(began))
	f.db.Start(t)
	started := time.Now()

	for _, user := range writing {
		workers[0].awaitNews(message{Event: string(grant.EventSaved), Subject: user})
	}
	saved := time.Since(started)
	reader := f.start(1)[0]
	for _, user := range writing {
		f.wantWorks("read by another process", user, reader.call(user))
		if n := len(f.tokenRequests()[user]); n != 1 {
			t.Errorf("user %s: refresh requests = %d, want 1", user, n)
		}
	}
	for user, m := range f.settle(append(workers, reader), everybody) {
		f.wantWorks("after the outage", user, m)
	}
	recovered := time.Since(started)
	load.Wait()
	t.Logf("%s killed for %v under 4 processes: valid tokens: %v; of %d calls with a dead token: %v",
		kind, d, &calls, len(workers)*len(expiring), during)
	t.Logf("%s: unwritten tokens: %d (unsaved %d, saved %d), all written %v after the database was back; everybody works after %v; %d refreshes for %d dead tokens; %d grants lost",
		kind, len(writing), workers[0].count(string(grant.EventUnsaved)), workers[0].count(string(grant.EventSaved)),
		saved.Round(time.Millisecond), recovered.Round(time.Millisecond), f.fake.TokenCalls("refresh_token"), len(expiring)+len(writing), len(f.ended()))
	if calls.Failed > 0 || calls.Calls == 0 {
		t.Errorf("failed calls with a valid token = %d of %d, want 0", calls.Failed, calls.Calls)
	}
	if n := f.fake.TokenCalls("refresh_token"); n != len(expiring)+len(writing) || len(f.ended()) > 0 {
		t.Errorf("refreshes = %d, ended grants = %v, want %d and none", n, f.ended(), len(expiring)+len(writing))
	}
}

// holdBeforeWrite brings w to the point where it has new tokens for each of users, and is about to write them.
func (f *fleet) holdBeforeWrite(w *worker, subjects []string) []<-chan message {
	f.Helper()
	calls := make([]<-chan message, len(subjects))
	for i, user := range subjects {
		f.fake.ExpireAccess(user)
		w.arm(user, beforeWrite, hold)
		calls[i] = w.begin(order{Do: "call", Subject: user})
	}
	for _, user := range subjects {
		w.awaitNews(message{At: beforeWrite, Subject: user})
	}
	return calls
}

// callExpired lets the access tokens of users die and has everybody call for them. It returns what the calls said.
func (f *fleet) callExpired(workers []*worker, subjects []string) map[string]int {
	f.Helper()
	var mu sync.Mutex // guards said
	said := map[string]int{}
	each(len(subjects), subjects, func(user string) {
		f.fake.ExpireAccess(user)
		for _, m := range callAll(workers, user) {
			if m.Kind != temporary {
				f.Errorf("user %s during the outage: call = %s: %s, want %s", user, outcome(m), m.Text, temporary)
			}
			mu.Lock()
			said[outcome(m)]++
			mu.Unlock()
		}
	})
	return said
}

func (f *fleet) wantWorks(when, user string, m message) {
	f.Helper()
	if m.Kind != worked {
		f.Errorf("user %s %s: call = %s: %s", user, when, outcome(m), m.Text)
	}
}
