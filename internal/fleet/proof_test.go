//go:build linux

package fleet_test

import (
	"slices"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// Four processes share a grant that is bound to a key (DPoP). Both servers
// demand nonces, which change often. Each expiry costs one refresh, under the
// key of the grant, and a nonce challenge costs one more request.
func TestFourProcessesWithProofs(t *testing.T) {
	expiries := scale(10, 200)
	f := newBoundFleet(t, "file")
	f.fake.Set(func(k *xapi.Knobs) { k.Proof.Nonces, k.Proof.NonceServes = true, 5 })
	fourProcessesCall(f, expiries)
	if g := f.fake.Grants()[0]; g.Refreshes != expiries || g.Ended != "" {
		t.Errorf("%d refreshes, ended: %q, want %d and alive", g.Refreshes, g.Ended, expiries)
	}
	sent, challenged := f.proofs()
	t.Logf("%d expiries, 4 calls each: %d refresh requests, of which %d met a nonce challenge", expiries, sent, challenged)
	if sent-challenged != expiries || challenged > expiries {
		t.Errorf("%d refresh requests with %d challenges, want at most one challenge for each of %d refreshes", sent, challenged, expiries)
	}
}

// fourProcessesCall lets the access token of a user expire again and again.
// Each time four processes call the API at once.
func fourProcessesCall(f *fleet, expiries int) {
	f.Helper()
	user := users(0, 1)[0]
	f.loginExpired([]string{user})
	workers := f.start(4)
	for range expiries {
		f.fake.ExpireAccess("")
		for _, m := range together(workers, func(w *worker) message { return w.call(user) }) {
			f.wantWorks("with proofs", user, m)
		}
	}
}

// proofs counts the refresh requests, and those that met a nonce challenge. No
// request may prove a foreign key, use a proof twice, or carry a token as one
// of the other type.
func (f *fleet) proofs() (sent, challenged int) {
	f.Helper()
	for _, r := range f.fake.Requests() {
		for _, note := range []string{"another key", "bad proof", "proof used again", "token of another type"} {
			if slices.Contains(r.Notes, note) {
				f.Errorf("request %v", r)
			}
		}
	}
	for _, r := range f.fake.Requests(oauthtest.Match{GrantType: "refresh_token"}) {
		sent++
		if slices.Contains(r.Notes, "nonce challenge") {
			challenged++
		}
	}
	return sent, challenged
}

// Processes that are killed lose no key: their successors refresh under it, and
// each kill costs at most one more refresh.
func TestKilledProcessesWithProofs(t *testing.T) {
	onEvery(t, []string{"file"}, func(t *testing.T, kind string) {
		f := newBoundFleet(t, kind)
		kills(f, kind, 0)
		f.proofs()
		for _, g := range f.fake.Grants() {
			if g.Refreshes > 2 {
				t.Errorf("user %s: %d refreshes after one expiry and one kill, want at most 2", g.UserID, g.Refreshes)
			}
		}
	})
}
