//go:build unix

package fleet_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestManyUsersOnEightProcesses has eight processes make calls for many users, whose access tokens die at random: some when
// they were said to, some before.
func TestManyUsersOnEightProcesses(t *testing.T) {
	long(t)
	for _, kind := range serverStores {
		t.Run(kind, func(t *testing.T) { manyUsers(t, kind, scale(200, 2000), scale(5*time.Second, time.Minute)) })
	}
}

func manyUsers(t *testing.T, kind string, many int, d time.Duration) {
	f := newFleet(t, kind)
	everybody := users(0, many)
	f.login(2*time.Hour, everybody...)
	workers := f.start(8)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	expired := 0
	wg.Go(func() { expired = f.expireAtRandom(ctx, everybody) })
	sum := f.load(workers, everybody, d)
	cancel()
	wg.Wait()

	reused := 0
	for user, why := range f.ended() {
		t.Errorf("user %s: the grant ended: %s", user, why)
	}
	for user, requests := range f.tokenRequests() {
		for _, r := range requests {
			if r.Status != http.StatusOK || !slices.Contains(r.Notes, "refreshed") {
				t.Errorf("user %s: %v", user, r)
				reused++
			}
		}
	}
	var lost atomic.Int64
	each(16, everybody, func(user string) {
		for i, m := range together(workers, func(w *worker) message { return w.call(user) }) {
			if m.Kind != worked {
				lost.Add(1)
				t.Errorf("user %s afterwards, process %d: call = %s: %s", user, i, outcome(m), m.Text)
			}
		}
	})
	n := f.fake.TokenCalls("refresh_token")
	t.Logf("%s: 8 processes, %d users, %v: %v", kind, many, d, &sum)
	t.Logf("%s: %d refreshes, %d tokens expired before their time, %d refresh tokens used twice, %d grants lost",
		kind, n, expired, reused, lost.Load())
	if sum.Failed > 0 || sum.Renewed == 0 || expired == 0 || n < expired/2 {
		t.Errorf("failed calls = %d of %d (%d renewed), with %d refreshes for %d expired tokens; want none, and each to be refreshed",
			sum.Failed, sum.Calls, sum.Renewed, n, expired)
	}
}

// load has all processes make calls for users, for d.
func (f *fleet) load(workers []*worker, users []string, d time.Duration) (sum tally) {
	f.Helper()
	var answers []<-chan message
	for _, w := range workers {
		answers = append(answers, w.begin(order{Do: "load", Users: users, Time: d}))
	}
	for i, w := range workers {
		m := w.await(answers[i])
		if m.Kind != worked {
			f.Errorf("load = %s", m.Text)
		}
		sum.join(m.Tally)
	}
	return sum
}

// expireAtRandom gives new access tokens lives of 4 to 15 seconds, and ends those of random users at once, until ctx ends.
// It returns how many users it chose.
func (f *fleet) expireAtRandom(ctx context.Context, users []string) (n int) {
	defer f.fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = 0 })
	last := map[string]time.Time{}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			f.fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Duration(4+rand.IntN(12)) * time.Second })
			user := users[rand.IntN(len(users))]
			if now.Sub(last[user]) > 2*time.Second { // else a call could meet two of them
				last[user] = now
				f.fake.ExpireAccess(user)
				n++
			}
		case <-ctx.Done():
			return n
		}
	}
}
