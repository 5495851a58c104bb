package grant_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// G9: Refreshes start early, spread out, in the background.
func TestG9_EarlyInTheBackgroundAndSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		old := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: 3 * time.Second}, 1)
		time.Sleep(2*time.Hour - 2*time.Minute)
		w.Token(g)
		synctest.Wait()
		w.WantRefreshes(0) // never before its time
		time.Sleep(80 * time.Second)
		start := time.Now()
		if got := w.Token(g); got.AccessToken != old.AccessToken || time.Since(start) != 0 {
			t.Errorf("a caller waited %v for an early refresh", time.Since(start))
		}
		time.Sleep(4 * time.Second)
		if got := w.Token(g); got.AccessToken == old.AccessToken {
			t.Error("the early refresh has not happened")
		}
		w.WantRefreshes(1)
	})
}

func TestG9_RefreshesOfGrantsThatCameTogetherAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		const users = 50
		for i := range users {
			user := fmt.Sprint(1000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.Login(g, user)
		}
		time.Sleep(2*time.Hour - 80*time.Second)
		most, last := 0, 0
		for range 50 {
			for i := range users {
				if _, err := g.Source(fmt.Sprint(1000 + i)).Token(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			most, last = max(most, w.Refreshes()-last), w.Refreshes()
		}
		w.WantRefreshes(users)
		if most > users/6 {
			t.Errorf("%d of %d refreshes fell into one second", most, users)
		}
	})
}

func TestG9_AFreshTokenIsNotRefreshedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		first := w.Login(g)
		second, err := g.Source(w.User).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Source(w.User).Renew(t.Context(), second)
		testworld.WantIs(t, err, tokensource.ErrJustRenewed)
		w.WantRefreshes(1)
		time.Sleep(11 * time.Second)
		if _, err = g.Source(w.User).Renew(t.Context(), second); err != nil {
			t.Errorf("Renew() of a token that is no longer fresh = %v", err)
		}
		w.WantRefreshes(2)
	})
}

func TestATokenThatLivesShorterThanTheMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = 2 * time.Second })
		g := w.Process(nil)
		w.Login(g)
		for range 100 {
			w.Token(g)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.Refreshes(); n < 4 || n > 6 {
			t.Errorf("ten seconds of two-second tokens took %d refreshes, want about 5", n)
		}
	})
}

// The jitter moves a refresh by at most a quarter of the time before expiry, to
// either side.
func TestRefreshAt(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	hour := lease.Record{Token: lease.Token{Access: "a", Refresh: "r", Obtained: start, Expiry: start.Add(time.Hour)}}
	with := func(r lease.Record, f func(*lease.Record)) lease.Record {
		f(&r)
		return r
	}
	for _, tt := range []struct {
		name   string
		record lease.Record
		before time.Duration
		jitter uint64
		want   time.Duration // since the start; 0 is never
	}{
		{"latest", hour, 4 * time.Minute, 0, 57 * time.Minute},
		{"earliest", hour, 4 * time.Minute, uint64(2 * time.Minute), 55 * time.Minute},
		{"at most a tenth of the lifetime", hour, time.Hour, 0, 55*time.Minute + 30*time.Second},
		{"at expiry", hour, 0, 99, time.Hour},
		{"never", hour, -1, 0, 0},
		{"after a failure", with(hour, func(r *lease.Record) { r.RetryAt = start.Add(59 * time.Minute) }), time.Minute, 0, 59*time.Minute + 15*time.Second},
		{"after a late failure", with(hour, func(r *lease.Record) { r.RetryAt = start.Add(2 * time.Hour) }), time.Minute, 0, 2 * time.Hour},
		{"no refresh token", with(hour, func(r *lease.Record) { r.Token.Refresh = "" }), time.Minute, 0, 0},
		{"no expiry", with(hour, func(r *lease.Record) { r.Token.Expiry = time.Time{} }), time.Minute, 0, 0},
		{"over", with(hour, func(r *lease.Record) { r.Over = lease.Denied }), time.Minute, 0, 0},
		{"saved after expiry", with(hour, func(r *lease.Record) { r.Token.Obtained = start.Add(2 * time.Hour) }), time.Minute, 0, time.Hour},
	} {
		want := time.Time{}
		if tt.want != 0 {
			want = start.Add(tt.want)
		}
		if got := grant.RefreshAt(&tt.record, tt.before, tt.jitter); !got.Equal(want) {
			t.Errorf("%s: RefreshAt = %s, want %s", tt.name, got, want)
		}
	}
}

// A caller whose token was rejected joins a refresh ahead of the expiry, which
// gives up because the refresh token is in doubt. Such a refresh leaves the
// grant as it is. The caller must not be told to log in again while the grant
// is alive in the store.
func TestAFailedRefreshAheadSaysNothingOfARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		here := w.Process(&grant.Options{InDoubt: grant.ResendNever, RefreshBefore: 10 * time.Minute})
		first := w.Login(elsewhere)
		w.Token(here)
		time.Sleep(2*time.Hour - 7*time.Minute)
		w.RefreshFault(oauthtest.Fault{Drop: true}, 1)
		if _, err := elsewhere.Source(w.User).Renew(t.Context(), first); err == nil {
			t.Fatal("Renew() = nil, want that the answer was lost")
		}
		w.Token(here) // begins a refresh ahead, which waits for the process elsewhere
		time.Sleep(5 * time.Second)
		_, err := here.Source(w.User).Renew(t.Context(), first)
		testworld.WantIs(t, err, tokensource.ErrReauthorize)
		if g := w.inspect(); g.Dead != tokensource.ReasonInDoubt {
			t.Errorf("Renew() = %v, and the stored grant is dead for the reason %q, want %q", err, g.Dead, tokensource.ReasonInDoubt)
		}
	})
}
