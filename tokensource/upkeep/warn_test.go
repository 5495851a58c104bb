package upkeep_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

func TestWarningsOfTheEnd(t *testing.T) {
	lives := plain(0)
	lives.RefreshTokens.Lifetime = 180 * day
	none := plain(0)
	none.RefreshTokens.None = true
	tests := []struct {
		name    string
		p       *provider.Provider
		members []string
		warned  time.Duration // after the login; zero is never
		ends    time.Duration
		of      string
	}{
		{"a refresh token of 30 days", plain(0), []string{"refresh_token_expires_at=720h"}, 27 * day, 30 * day, "refresh token"},
		{"a refresh token of two hours", plain(0), []string{"refresh_token_expires_at=2h"}, 108 * time.Minute, 2 * time.Hour, "refresh token"},
		{"an authorization of 90 days", plain(0), []string{"authorization_expires_at=2160h"}, 81 * day, 90 * day, "authorization"},
		{"an authorization that ends before the refresh token", plain(0), []string{"authorization_expires_at=240h", "refresh_token_expires_at=720h"}, 9 * day, 10 * day, "authorization"},
		{"a lifetime that the provider has", lives, nil, 162 * day, 180 * day, "refresh token"},
		{"no end", plain(0), nil, 0, 0, ""},
		{"an access token of an hour and nothing else", none, nil, 0, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.p)
				k := w.keeper()
				begun := time.Now()
				w.login(k, oauthtest.DefaultUser().ID, tt.members...)
				if tt.warned > 10*day {
					time.Sleep(tt.warned - 5*day) // no process works yet
				}
				w.start(&upkeep.Options{Interval: time.Minute}, k)
				time.Sleep(tt.warned - time.Since(begun) - time.Second)
				if n := len(w.saw(upkeep.EventEnding)); n != 0 {
					t.Errorf("there were %d warnings before nine tenths of the life, want none", n)
				}
				time.Sleep(max(tt.ends-tt.warned, time.Hour))
				warnings := w.saw(upkeep.EventEnding)
				if tt.warned == 0 {
					if len(warnings) != 0 {
						t.Errorf("there were warnings %v, want none", warnings)
					}
					return
				}
				if len(warnings) != 1 {
					t.Fatalf("until the end there were %d warnings, want 1", len(warnings))
				}
				e := warnings[0]
				if late := e.Time.Sub(begun) - tt.warned; late < 0 || late > 10*time.Minute || e.Reason != tt.of || e.Ends.Sub(begun).Round(time.Minute) != tt.ends {
					t.Errorf("the warning came %v after the login, of the end of the %s after %v, want %v, %s and %v",
						e.Time.Sub(begun), e.Reason, e.Ends.Sub(begun), tt.warned, tt.of, tt.ends)
				}
			})
		})
	}
}

// A grant is reported once, whichever processes work, and however often.
func TestAWarningComesOnceFromSeveralProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		w.login(k, oauthtest.DefaultUser().ID, "refresh_token_expires_at=240h")
		for range 22 {
			a := w.start(nil, k)
			b := w.start(nil, w.keeper())
			time.Sleep(6 * time.Hour)
			_ = a.Close()
			time.Sleep(5*time.Hour - time.Second/2)
			_ = b.Close()
		}
		if n := len(w.saw(upkeep.EventEnding)); n != 1 {
			t.Errorf("in 10 days, 44 workers gave %d warnings, want 1", n)
		}
	})
}

// Where each refresh says how long the refresh token still lives, and its end
// does not move, there is one warning. Where the end moves, there is none.
func TestWarningsAndRefreshes(t *testing.T) {
	for name, want := range map[string]struct {
		end      func(since time.Duration) time.Duration // what is left
		warnings int
	}{
		"an end that stays": {func(since time.Duration) time.Duration { return 30*day - since }, 1},
		"an end that moves": {func(time.Duration) time.Duration { return 30 * day }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain(0))
				k := w.keeper()
				user := oauthtest.DefaultUser().ID
				w.login(k, user, "refresh_token_expires_at=720h")
				w.start(&upkeep.Options{Interval: time.Hour}, k)
				for range 4 * 29 {
					time.Sleep(6 * time.Hour)
					left := want.end(time.Since(start)) / time.Second
					w.Set(func(k *oauthtest.Knobs) { k.Token.ExtraJSON = map[string]any{"refresh_token_expires_in": int64(left)} })
					if _, err := k.Source(user).Token(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if n := len(w.saw(upkeep.EventEnding)); n != want.warnings {
					t.Errorf("in 29 days with a refresh each 6 hours there were %d warnings, want %d", n, want.warnings)
				}
			})
		})
	}
}

// Nothing is lost while the store fails, and the worker goes on.
func TestAStoreThatFailsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(10*day))
		k := w.keeper()
		w.login(k, oauthtest.DefaultUser().ID, "refresh_token_expires_at=96h")
		w.start(nil, k)
		time.Sleep(36 * time.Hour)
		w.store.On(testworld.Failing("get", "put"))
		time.Sleep(3 * day)
		w.store.On(nil)
		if n := w.TokenCalls("refresh_token") + len(w.saw(upkeep.EventEnding)); n != 0 {
			t.Fatalf("without a store there were %d refreshes and warnings, want none", n)
		}
		time.Sleep(10 * time.Minute)
		if n := w.TokenCalls("refresh_token"); n != 1 {
			t.Errorf("after an outage of the store there were %d refreshes, want the one that was due", n)
		}
	})
}
