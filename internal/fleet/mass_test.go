//go:build linux

package fleet_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
)

const (
	massProcesses = 4
	massRounds    = 5
	massShared    = 50 // each fiftieth grant is called for in all processes, and the others in one
)

// TestG1_ManyGrantsExpireWithinAMinute has the access tokens of many grants
// expire within one minute. Four processes serve their users, and a fiftieth of
// the users come to all of them at once. Each grant is refreshed once, and no
// call fails.
//
// It prints the refreshes per second, beside those of a floor that makes the
// same two swaps and the same request for each grant, for docs/performance.md.
func TestG1_ManyGrantsExpireWithinAMinute(t *testing.T) {
	long(t)
	for _, kind := range serverStores {
		t.Run(kind, func(t *testing.T) { massExpiry(t, kind, scale(2000, 100_000)) })
	}
}

func massExpiry(t *testing.T, kind string, grants int) {
	issuer := &massServer{uses: make([]atomic.Int32, grants), floors: make([]atomic.Int32, grants)}
	server := httptest.NewServer(issuer)
	defer server.Close()
	url, _ := newStore(t, kind)
	work := massWork{Server: server.URL, Store: url, Keys: base64.StdEncoding.EncodeToString(seal.NewKey())}
	work.populate(t, grants)
	start := func(floor bool) (list []*worker) {
		for i := range massProcesses {
			w := work
			w.Floor, w.Process = floor, i
			list = append(list, startWorker(t, setup{Mass: &w}))
		}
		for _, w := range list {
			w.must(order{Do: "open"})
		}
		return list
	}
	floors, ours := start(true), start(false)
	var rates, floorRates, ratios []float64
	var results, floorResults []massResult
	for round := range massRounds {
		from, to := round*grants/massRounds, (round+1)*grants/massRounds
		floorRate, floorSays := massRound(t, floors, from, to)
		rate, says := massRound(t, ours, from, to)
		rates, floorRates, ratios = append(rates, rate), append(floorRates, floorRate), append(ratios, rate/floorRate)
		results, floorResults = append(results, says...), append(floorResults, floorSays...)
	}
	issuer.check(t)
	all, floor := summary(results), summary(floorResults)
	t.Logf("%s: %d grants: %d refreshes, %d failed calls; refreshes per second: %.0f, floor %.0f, ratio %.2f (%.2f to %.2f)",
		kind, grants, issuer.refreshes(), all.Failed, median(rates), median(floorRates), median(ratios), slices.Min(ratios), slices.Max(ratios))
	each := time.Duration(grants)
	t.Logf("%s: calls: p50 %v, p99 %v, floor p99 %v; processor time of a refresh: %v, floor %v; memory of a process: %d MiB, floor %d MiB",
		kind, percentile(all.Took, 50), percentile(all.Took, 99), percentile(floor.Took, 99), (all.CPU / each).Round(time.Microsecond),
		(floor.CPU / each).Round(time.Microsecond), all.RSS>>20, floor.RSS>>20)
}

// massRound has all processes work on a range of grants. It returns how many
// grants were refreshed per second, and what the processes say.
func massRound(t *testing.T, workers []*worker, from, to int) (rate float64, results []massResult) {
	t.Helper()
	begun := time.Now()
	for _, m := range together(workers, func(w *worker) message { return w.do(order{Do: "mass", From: from, To: to}) }) {
		if m.Kind != worked || m.Mass == nil {
			t.Fatalf("a process = %s, want a result", m)
		}
		if m.Mass.Failed > 0 {
			t.Errorf("%d calls failed, the first with: %s", m.Mass.Failed, m.Text)
		}
		results = append(results, *m.Mass)
	}
	return float64(to-from) / time.Since(begun).Seconds(), results
}

// summary returns what all rounds of all processes came to, with the largest
// memory of a process.
func summary(results []massResult) (all massResult) {
	for _, r := range results {
		all.Failed += r.Failed
		all.Took = append(all.Took, r.Took...)
		all.RSS = max(all.RSS, r.RSS)
		all.CPU += r.CPU
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// massUser returns the user of a grant.
func massUser(n int) string { return fmt.Sprint(1_000_000 + n) }

// massServer is a token endpoint that does nothing else, so that it takes
// little from the processes that are measured. A refresh token names the grant
// and how often it was refreshed. A second use of one is refused.
type massServer struct{ uses, floors []atomic.Int32 }

func massToken(kind string, grant, use int) string { return fmt.Sprintf("%s-%d-%d", kind, grant, use) }

// ServeHTTP implements http.Handler.
func (s *massServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.PostFormValue("refresh_token"), "-")
	w.Header().Set("Content-Type", "application/json")
	if len(parts) != 3 {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	n, _ := strconv.Atoi(parts[1])
	use, _ := strconv.Atoi(parts[2])
	uses := s.uses
	if parts[0] == "floor" {
		uses = s.floors
	}
	if !uses[n].CompareAndSwap(int32(use), int32(use)+1) {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, `{"token_type":"bearer","expires_in":7200,"access_token":"access-of-%s","refresh_token":"%s","scope":"tweet.read users.read offline.access"}`,
		strings.Repeat("x", 80), massToken(parts[0], n, use+1))
}

// check fails the test unless each grant was refreshed once.
func (s *massServer) check(t *testing.T) {
	t.Helper()
	for name, list := range map[string][]atomic.Int32{"engine": s.uses, "floor": s.floors} {
		for n := range list {
			if uses := list[n].Load(); uses != 1 {
				t.Errorf("%s: grant %d was refreshed %d times, want once", name, n, uses)
			}
		}
	}
}

func (s *massServer) refreshes() (sum int) {
	for n := range s.uses {
		sum += int(s.uses[n].Load())
	}
	return sum
}

// populate stores grants whose access tokens have expired within the last
// minute, for the engine and for the floor.
func (m massWork) populate(t *testing.T, grants int) {
	t.Helper()
	k, closeStore, err := m.keeper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := make([]int, grants)
	for n := range list {
		list[n] = n
	}
	each(32, list, func(n int) {
		tok := &oauth2.Token{
			AccessToken: "access-of-" + strings.Repeat("x", 80), RefreshToken: massToken("engine", n, 0), TokenType: "bearer",
			Expiry: time.Now().Add(-time.Minute * time.Duration(n) / time.Duration(grants)),
		}
		if _, err := k.SaveLogin(t.Context(), massUser(n), tok, &grant.LoginOptions{Exchanged: time.Now().Add(-2 * time.Hour)}); err != nil {
			t.Error(err)
		}
	})
	size := 0
	for key, err := range k.Store().(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key, "grant.") {
			r, err := k.Store().Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			size = len(r.Value())
			break
		}
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if err := closeStore(); err != nil {
		t.Error(err)
	}
	m.populateFloor(t, grants, size)
}
