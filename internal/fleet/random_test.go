//go:build unix

package fleet_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// TestProcessesKilledAtRandom kills processes under load, whatever they are doing, and starts others in their place. A server
// that ends a family at the second use of a refresh token takes away at most those users whose answer reached a process just
// before that was killed, or of whom two processes in a row were killed in the middle; they are told so.
func TestProcessesKilledAtRandom(t *testing.T) {
	long(t)
	for _, kind := range scale([]string{"file"}, everyStore) { // one at a time: processes that start take all of the machine
		t.Run(kind, func(t *testing.T) { killAtRandom(t, kind) })
	}
}

func killAtRandom(t *testing.T, kind string) {
	f := newFleet(t, kind)
	f.fake.Inject(oauthtest.Match{GrantType: "refresh_token"}, oauthtest.Fault{Delay: 50 * time.Millisecond, Jitter: 100 * time.Millisecond}, -1)
	everybody := users(0, scale(60, 400))
	f.login(2*time.Hour, everybody...)
	ctx, cancel := context.WithTimeout(t.Context(), scale(15*time.Second, time.Minute))
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { f.expireAtRandom(ctx, everybody) })
	workers := f.start(4)
	for _, w := range workers {
		w.begin(order{Do: "load", Users: everybody, Time: time.Hour})
	}
	killed := map[string]time.Time{} // by process
	again := time.NewTicker(scale(time.Second, 500*time.Millisecond))
	defer again.Stop()
	for ctx.Err() == nil {
		<-again.C
		i := rand.IntN(len(workers))
		workers[i].end()
		killed[strconv.Itoa(workers[i].cmd.Process.Pid)] = time.Now()
		workers[i] = f.start(1)[0]
		workers[i].begin(order{Do: "load", Users: everybody, Time: time.Hour})
	}
	for _, w := range workers {
		w.end()
		killed[strconv.Itoa(w.cmd.Process.Pid)] = time.Now()
	}
	wg.Wait()

	lost, doubted := 0, 0
	outcomes := f.settle(f.start(2), everybody)
	requests := f.tokenRequests()
	for user, m := range outcomes {
		if m.Kind == worked {
			continue
		}
		lost++
		if m.Kind == reauthorize && m.Reason == tokensource.ReasonInDoubt && !strings.Contains(m.Text, "invalid_request") {
			doubted++ // two processes in a row were killed in the middle, and nobody can know how far they got
			continue
		}
		unstored := false // the last one that may have got tokens was killed before the answer, or had no time to store them
		for _, r := range requests[user] {
			if r.Status == http.StatusBadRequest {
				continue // the refusal that ended it
			}
			if end, ok := killed[r.Raw().Header.Get(processHeader)]; ok {
				unstored = r.Status == 0 || end.Sub(r.Time.Add(r.Duration)) < 2*time.Second
			}
		}
		if m.Kind != reauthorize || m.Reason != tokensource.ReasonInDoubt || !unstored {
			t.Errorf("user %s: call = %s: %s; requests: %v", user, outcome(m), m.Text, requests[user])
		}
	}
	t.Logf("%s: %d processes killed at random, %d users: %d refresh requests; grants lost: %d, all in doubt (%d by the rule: two processes in a row that were killed in the middle)",
		kind, len(killed), len(everybody), f.fake.TokenCalls("refresh_token"), lost, doubted)
	if n := f.fake.TokenCalls("refresh_token"); n < len(everybody) || len(killed) < 10 {
		t.Errorf("%d refreshes and %d killed processes: the test shows nothing", n, len(killed))
	}
}
