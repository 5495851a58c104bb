package grant_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// api is a resource server, and the transport before it. It rejects the tokens
// for which rejects is true.
type api struct {
	world
	keeper  *grant.Keeper
	rejects func(access string) bool
}

func always(string) bool { return true }
func never(string) bool  { return false }

// call makes one call as package transport does: a rejected token is renewed,
// and the call is made once more. It reports whether the API accepted a token.
func (a *api) call() bool {
	a.Helper()
	source := a.keeper.Source(a.User)
	ready := source.ReadyFor(source)
	tok := a.Token(a.keeper)
	if !a.rejects(tok.AccessToken) {
		ready.Accepted(a.Context(), tok, false)
		return true
	}
	next, err := source.Renew(a.Context(), tok)
	if err != nil {
		testworld.WantIs(a.T, err, tokensource.ErrJustRenewed)
		return false
	}
	if a.rejects(next.AccessToken) {
		return false
	}
	ready.Accepted(a.Context(), next, true)
	return true
}

// calls makes so many calls, with a pause after each, and returns the number
// of refreshes.
func (a *api) calls(n int, pause time.Duration) int {
	before := a.Refreshes()
	for range n {
		a.call()
		time.Sleep(pause)
	}
	return a.Refreshes() - before
}

func newAPI(t *testing.T) *api {
	w := newWorld(t)
	a := &api{world: w, keeper: w.Process(nil), rejects: never}
	w.Login(a.keeper)
	return a
}

// A renewal that did not help doubles the pause before the next one (G9).
func TestG9_AnAPIThatRejectsEveryToken(t *testing.T) {
	for _, tt := range []struct {
		calls int
		pause time.Duration
		most  int
	}{
		{240, 15 * time.Second, 14}, // an hour
		{120, time.Minute, 18},      // two hours
		{3600, time.Second, 14},     // an hour
		{6, time.Hour, 12},          // a token that has lived longer than the pause may be renewed
	} {
		t.Run(fmt.Sprint(tt.calls, " calls ", tt.pause, " apart"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAPI(t)
				a.rejects = always
				if n := a.calls(tt.calls, tt.pause); n > tt.most || n < 5 {
					t.Errorf("%d refreshes, want 5 to %d", n, tt.most)
				}
			})
		})
	}
}

func TestG9_ReplicasBehindAnAPIThatRejectsEveryToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.rejects = always
		replicas := []*grant.Keeper{a.keeper, a.Process(nil), a.Process(nil)}
		for i := range 720 { // an hour
			a.keeper = replicas[i%len(replicas)]
			a.call()
			time.Sleep(5 * time.Second)
		}
		if n := a.Refreshes(); n > 30 {
			t.Errorf("%d refreshes of three replicas in an hour, want at most 30", n)
		}
	})
}

// A token that the API accepts ends the pause.
func TestG9_AnAPIThatRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.rejects = always
		a.calls(240, 15*time.Second)
		a.rejects = never
		if !a.call() {
			t.Fatal("the call failed")
		}
		for range 3 { // each time another token is revoked, and the renewal helps
			time.Sleep(11 * time.Second)
			dead := a.Token(a.keeper).AccessToken
			a.rejects = func(access string) bool { return access == dead }
			if !a.call() {
				t.Error("a revoked token was not renewed, after the API had accepted it")
			}
		}
	})
}

// One resource is forbidden for ever, and the others are not. That they accept
// the token says nothing about the one that does not.
func TestG9_OneResourceThatIsForbiddenForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		for range 240 {
			a.rejects = always
			a.call()
			a.rejects = never
			a.call()
			time.Sleep(15 * time.Second)
		}
		if n := a.Refreshes(); n > 16 {
			t.Errorf("%d refreshes in an hour, want at most 16", n)
		}
	})
}

// Tokens that are revoked one after the other are renewed each time.
func TestG9_TokensThatAreRevokedEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		for range 60 {
			time.Sleep(time.Minute)
			dead := a.Token(a.keeper).AccessToken
			a.rejects = func(access string) bool { return access == dead }
			if !a.call() {
				t.Fatal("a revoked token was not renewed")
			}
		}
	})
}

// Another user's rejected tokens delay nobody.
func TestG17_AUserWhomTheAPIRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.rejects = always
		a.calls(100, 15*time.Second)
		other := a.loginUsers(a.keeper, 1)[0]
		source := a.keeper.Source(other)
		for range 3 {
			tok, err := source.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			next, err := source.Renew(t.Context(), tok)
			if err != nil {
				t.Fatalf("Renew() of another user = %v, want a token", err)
			}
			source.ReadyFor(source).Accepted(t.Context(), next, true)
			time.Sleep(11 * time.Second)
		}
	})
}

// same is an answer with the access token of tok again.
func same(tok *oauth2.Token, refresh string) string {
	return fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","expires_in":7200,"refresh_token":%q}`, tok.AccessToken, refresh)
}

// No Source returns neither a token nor an error. If the server issues the
// rejected token again, the renewal says so.
func TestG19_TheServerIssuesTheRejectedTokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(wire.JSON(http.StatusOK, same(rejected, "rt-2")), 1)
		for range 2 {
			tok, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrJustRenewed)
			if tok != nil {
				t.Errorf("Renew() = %v beside an error, want no token", tok)
			}
		}
		w.WantRefreshes(1)
		if got := w.Token(g); got.AccessToken != rejected.AccessToken {
			t.Error("the token that the server issued again is not supplied")
		}
	})
}

// A server may prolong an access token instead of issuing another one.
func TestTheServerIssuesTheExpiringTokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		first := w.Login(g)
		w.RefreshFault(wire.JSON(http.StatusOK, same(first, "rt-2")), -1)
		for hour := range 10 {
			tok := w.Token(g)
			if tok.AccessToken != first.AccessToken || !tok.Expiry.After(time.Now()) {
				t.Errorf("after %d hours: Token() = another token, or one that has expired", hour)
			}
			time.Sleep(time.Hour)
		}
		if n := w.Refreshes(); n > 6 {
			t.Errorf("%d refreshes in ten hours, want one in two hours", n)
		}
	})
}

// However many users need a new token, the server gets a bounded number of
// requests at once.
func TestG10_RefreshesInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		users := w.loginUsers(g, 400)
		time.Sleep(2 * time.Hour)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Minute })
		failed := make(chan error, len(users))
		for _, user := range users {
			go func() {
				_, err := g.Source(user).Token(t.Context())
				failed <- err
			}()
		}
		time.Sleep(10 * time.Second)
		if n := len(failed); n != len(users)-256 {
			t.Errorf("%d of %d refreshes were refused, want all but 256", n, len(users))
		}
		for range len(failed) {
			testworld.WantIs(t, <-failed, tokensource.ErrTemporary)
		}
	})
}
