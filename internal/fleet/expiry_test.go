//go:build linux

package fleet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestG1_FourProcessesRefreshOncePerExpiry has four processes share one grant.
// Each time the access token has expired, all of them call the API at once.
//
// It also prints how long the slowest of the four calls needs, for
// docs/performance.md.
func TestG1_FourProcessesRefreshOncePerExpiry(t *testing.T) {
	for _, kind := range everyStore {
		t.Run(kind, func(t *testing.T) { fourProcesses(t, newFleet(t, kind), kind, scale(40, 200)) })
	}
	t.Run("floor", func(t *testing.T) {
		f := newFleet(t, "file")
		f.setup.Floor = t.TempDir()
		fourProcesses(t, f, "floor", scale(40, 200))
	})
}

func fourProcesses(t *testing.T, f *fleet, kind string, expiries int) {
	const latency = 20 * time.Millisecond
	user := oauthtest.DefaultUser().ID
	f.login(2*time.Hour, user)
	f.fake.Inject(oauthtest.Match{Path: xapi.PathToken}, oauthtest.Fault{Delay: latency}, -1)
	workers := f.start(4)
	call := func(w *worker) message { return w.call(user) }
	var trips []time.Duration
	for range 25 { // the first calls open connections
		for _, w := range workers {
			trips = append(trips, call(w).Took)
		}
	}
	failed := 0
	var slowest []time.Duration
	for range expiries {
		f.fake.ExpireAccess("")
		var longest time.Duration
		for _, m := range together(workers, call) {
			if m.Kind != worked {
				failed++
				t.Errorf("call = %s, want 200", m)
			}
			longest = max(longest, m.Took)
		}
		slowest = append(slowest, longest)
	}
	n, killed := f.fake.TokenCalls("refresh_token"), len(f.ended())
	if n != expiries || killed != 0 {
		t.Errorf("refreshes = %d, killed families = %d, want %d and 0", n, killed, expiries)
	}
	t.Logf("%s: %d expiries, 4 calls each: %d refreshes, %d failed calls, %d killed families", kind, expiries, n, failed, killed)
	var answers []time.Duration
	for _, r := range f.fake.Requests(oauthtest.Match{Op: "token"}) {
		answers = append(answers, r.Duration)
	}
	t.Logf("%s: slowest of the 4 calls: p50 %v, p99 %v; token endpoint with %v latency: p50 %v, p99 %v; one API round trip: p50 %v",
		kind, percentile(slowest, 50), percentile(slowest, 99), latency, percentile(answers, 50), percentile(answers, 99), percentile(trips, 50))
}

// percentile returns the value below which p percent of list are.
func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)].Round(10 * time.Microsecond)
}
