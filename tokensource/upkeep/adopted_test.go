package upkeep_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

// adopt saves a token of 60 days that ends in three days, so that its warning
// was due three days ago.
func (w *world) adopt(k *grant.Keeper) {
	w.Helper()
	user := oauthtest.DefaultUser().ID
	access, _, err := w.IssueToken(user, w.client.ClientID(), "read")
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, TokenType: "bearer", Expiry: time.Now().Add(3 * day), ExpiresIn: int64(60 * day / time.Second)}
	if _, err := k.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
}

// A grant that is saved when the time of its warning has passed gets one
// warning, whatever was there before and whichever processes work.
func TestAWarningOfAGrantThatWasAdoptedLate(t *testing.T) {
	for name, tt := range map[string]struct {
		before   func(w *world, k *grant.Keeper)
		warnings int
	}{
		"while a process works": {func(w *world, k *grant.Keeper) {
			w.start(nil, k)
			time.Sleep(35 * time.Minute)
			w.adopt(k)
		}, 1},
		"before any process worked": {func(w *world, k *grant.Keeper) {
			w.adopt(k)
			time.Sleep(time.Hour)
			w.start(nil, k)
		}, 1},
		"between two processes": {func(w *world, k *grant.Keeper) {
			first := w.start(nil, k)
			time.Sleep(35 * time.Minute)
			_ = first.Close()
			w.adopt(k)
			time.Sleep(time.Minute)
			w.start(nil, w.keeper())
		}, 1},
		"over a grant of which the user was warned": {func(w *world, k *grant.Keeper) {
			w.adopt(k)
			w.start(nil, k)
			time.Sleep(35 * time.Minute)
			w.adopt(k)
		}, 2},
		"and processes that come and go": {func(w *world, k *grant.Keeper) {
			w.adopt(k)
			for range 20 {
				worker := w.start(nil, k)
				time.Sleep(47 * time.Minute)
				_ = worker.Close()
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := plain(0)
				p.RefreshTokens.None = true
				w := newWorld(t, p)
				tt.before(w, w.keeper())
				time.Sleep(3 * day)
				warnings := w.saw(upkeep.EventEnding)
				if len(warnings) != tt.warnings {
					t.Fatalf("until the end there were %d warnings, want %d", len(warnings), tt.warnings)
				}
				if e := warnings[0]; e.Reason != "access token" || !e.Time.Before(e.Ends) {
					t.Errorf("the warning is of the %s, at %v of %v", e.Reason, e.Time, e.Ends)
				}
			})
		})
	}
}

// A refresh says that the authorization ends sooner than the login said, so
// that the time of the warning has passed.
func TestAWarningOfAnEndThatMovedNearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(k, user, "authorization_expires_at=2400h")
		w.start(nil, k)
		time.Sleep(50*day + time.Hour)
		w.Set(func(k *oauthtest.Knobs) {
			k.Token.ExtraJSON = map[string]any{"authorization_expires_in": int64(2 * day / time.Second)}
		})
		if _, err := k.Source(user).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * day)
		if n := len(w.saw(upkeep.EventEnding)); n != 1 {
			t.Errorf("until an end that moved from 100 days to 52 there were %d warnings, want 1", n)
		}
	})
}

// A refresh puts off the end of which the user was warned, and another end is
// the next one. Less than a tenth was left of that one, too.
func TestAWarningOfAnotherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(k, user, "refresh_token_expires_at=2280h", "authorization_expires_at=2400h") // 95 and 100 days
		w.start(nil, k)
		time.Sleep(92 * day)
		w.Set(func(k *oauthtest.Knobs) {
			k.Token.ExtraJSON = map[string]any{"refresh_token_expires_in": int64(200 * day / time.Second)}
		})
		if _, err := k.Source(user).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * day)
		var got []string
		for _, e := range w.saw(upkeep.EventEnding) {
			got = append(got, e.Reason)
		}
		if want := []string{"refresh token", "authorization"}; !slices.Equal(got, want) {
			t.Errorf("warnings of %q, want %q", got, want)
		}
	})
}

// The clock of the process that saves is two days ahead.
func TestAWarningOfAGrantThatWasSavedInTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plain(0)
		p.RefreshTokens.None = true
		w := newWorld(t, p)
		begun := time.Now()
		ahead, err := grant.New(w.client, lister{w.store, w.store.Store.(storage.Lister)}, &grant.Options{
			InsecurePlainStore: true, DueInterval: -1,
			Clock: clock.New(func() (time.Time, time.Duration) { return time.Now().Add(2 * day), time.Since(begun) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ahead.Close() }()
		w.adopt(ahead)
		w.start(&upkeep.Options{Interval: time.Hour}, w.keeper())
		time.Sleep(3 * day)
		if n := len(w.saw(upkeep.EventEnding)); n != 1 {
			t.Errorf("until the end there were %d warnings, want 1", n)
		}
	})
}
