package grant_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// skewed returns clocks that differ from those of the test by a constant.
func skewed(wall, mono time.Duration) *clock.Clock {
	c := new(clocks)
	c.wall.Store(int64(wall))
	c.mono.Store(int64(mono))
	return c.clock()
}

// clocks are those of one process. A test sets them while the process runs.
type clocks struct{ wall, mono atomic.Int64 }

func (c *clocks) clock() *clock.Clock {
	start := time.Now()
	return clock.New(func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Add(time.Duration(c.wall.Load())), now.Sub(start) + time.Duration(c.mono.Load())
	})
}

// G18: A token is handed out only while it is valid by the wall clock and by
// the monotonic clock, and an intent ends by whichever clock ends it first.
func TestG18_ATokenThatExpiredWhileTheMachineSleptIsNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var c clocks
		g := w.Process(&grant.Options{Clock: c.clock()})
		old := w.Login(g)
		c.wall.Store(int64(5 * time.Hour)) // and not a moment by the monotonic clock
		if got := w.Token(g); got.AccessToken == old.AccessToken {
			t.Error("Token() handed out a token that had expired three hours before")
		}
		w.WantRefreshes(1)
	})
}

func TestG18_AClockThatIsSetBackLengthensNoTokensLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var c clocks
		g := w.Process(&grant.Options{Clock: c.clock()})
		old := w.Login(g)
		c.wall.Store(int64(-2 * time.Hour))
		for range 3 {
			time.Sleep(59 * time.Minute)
			tok, err := g.Source(w.User).Token(t.Context())
			if err == nil && !w.Works(tok) {
				t.Errorf("Token() handed out a token that has expired by the monotonic clock, %v after the login", 59*time.Minute)
			}
		}
		if got, err := g.Source(w.User).Token(t.Context()); err == nil && got.AccessToken == old.AccessToken {
			t.Error("Token() still hands out the first token after three hours")
		}
	})
}

// The answer to a refresh is lost, and then the clock is set back by an hour.
// The process waits for the end of its own intent by the monotonic clock.
func TestG18_AClockThatIsSetBackLengthensNoIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var c clocks
		g := w.Process(&grant.Options{Clock: c.clock()})
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Drop: true}, 1)
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		c.wall.Store(int64(-time.Hour))
		time.Sleep(time.Minute)
		_, _ = g.Source(w.User).Renew(t.Context(), rejected)
		time.Sleep(time.Minute)
		if _, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil {
			t.Errorf("Renew() two minutes after the lost answer = %v, want a token", err)
		}
		w.WantRefreshes(2)
	})
}

// A host whose clock is two hours fast announces a redemption and dies. The
// others wait for as long as an intent lives, and not for two hours.
func TestG18_TheIntentOfAFastClockEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		own := &testworld.HookedStore{Store: w.Store}
		doomed := w.ProcessOn(own, &grant.Options{Clock: skewed(2*time.Hour, 0)})
		survivor := w.Process(nil)
		rejected := w.Login(survivor)
		w.RefreshFault(oauthtest.Fault{Hang: true}, 1)
		go func() { _, _ = doomed.Source(w.User).Renew(t.Context(), rejected) }()
		synctest.Wait()
		own.On(testworld.Failing("get", "put"))
		start := time.Now()
		if _, err := survivor.Source(w.User).Renew(t.Context(), rejected); err != nil {
			t.Errorf("Renew() = %v, want a token", err)
		}
		if waited := time.Since(start); waited > time.Minute {
			t.Errorf("the survivor waited %v for an intent of 30s", waited)
		}
	})
}

// The machine sleeps after a process has announced its redemption. When it
// wakes, the intent has ended by the wall clock, and another process may
// redeem.
func TestG18_AProcessThatSleptSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var c clocks
		w.Options.Prepare = func(context.Context, *oauth.TokenRequest) error {
			c.wall.Store(int64(time.Minute)) // and not a moment by the monotonic clock
			return nil
		}
		w.Client = w.NewClient(&w.Options)
		g := w.Process(&grant.Options{Clock: c.clock()})
		_, err := g.Source(w.User).Renew(t.Context(), w.Login(g))
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		w.WantRefreshes(0)
	})
}

// The lifetime of a token counts from the sending of its request.
func TestG18_ATokenIsNotBelievedForLongerThanItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Minute })
		g := w.Process(&grant.Options{RefreshBefore: -1})
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: 15 * time.Second, Commit: true}, 1)
		sent := time.Now()
		tok := w.renew(g, rejected)
		if got := tok.Expiry.Sub(sent); got != time.Minute {
			t.Errorf("the token expires %v after the sending of the request, want 1m", got)
		}
	})
}

// G19: No source returns neither a token nor an error, and a server that issues
// the rejected token again leads to ErrJustRenewed.
func TestG19_TheRejectedTokenIssuedAgainIsNoNewToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rejected := w.issue()
		w.Options.HTTPClient = &http.Client{Transport: issuing{w.Fake.Transport(), rejected.AccessToken}}
		w.Client = w.NewClient(&w.Options)
		g := w.Process(nil)
		w.save(g, rejected)
		for range 2 {
			tok, err := g.Source(w.User).Renew(t.Context(), rejected)
			testworld.WantIs(t, err, tokensource.ErrJustRenewed)
			if tok != nil {
				t.Error("Renew() returned a token beside an error")
			}
		}
		if got := w.Token(g); got.AccessToken != rejected.AccessToken {
			t.Error("Token() does not hand out the token that the server has issued")
		}
	})
}

// issuing answers every refresh with one access token.
type issuing struct {
	http.RoundTripper
	access string
}

func (s issuing) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
		_, _ = io.Copy(io.Discard, req.Body)
	}
	body := `{"access_token":"` + s.access + `","token_type":"bearer","expires_in":7200}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}, nil
}

func TestClocksThatDisagree(t *testing.T) {
	tests := []struct {
		name   string
		behind time.Duration // of the holder's clock
		answer time.Duration // until the server answers the holder
	}{
		{"as much as is allowed for: the intent lives on", 35 * time.Second, 10 * time.Second},
		// The intent of a host whose clock is a quarter of an hour behind looks long
		// ended. Watching it tells better.
		{"more than that", 15 * time.Minute, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				slow, other := w.Process(nil), w.Process(nil)
				rejected := w.Login(slow)
				w.RefreshFault(oauthtest.Fault{Delay: tt.answer}, 1)
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := slow.Source(w.User).Renew(t.Context(), rejected); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				grant.ShiftIntent(t, w.Store.Store, w.keyOf(w.User), -tt.behind)
				wg.Go(func() {
					if _, err := other.Source(w.User).Renew(t.Context(), rejected); err != nil {
						t.Error(err)
					}
				})
				wg.Wait()
				w.WantRefreshes(1)
			})
		})
	}
}

// G13: All time is testable under testing/synctest.
func TestG13_ADayInNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		for range 24 * 60 {
			if !w.Works(w.Token(g)) {
				t.Fatal("a call failed")
			}
			time.Sleep(time.Minute)
		}
		if n := w.Refreshes(); n < 11 || n > 13 {
			t.Errorf("a day of two-hour tokens took %d refreshes", n)
		}
	})
}
