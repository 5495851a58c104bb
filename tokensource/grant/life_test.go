package grant_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestAGrantWithoutARefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		access, _, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), "users.read", "tweet.read")
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, Expiry: time.Now().Add(2 * time.Hour)}
		if _, err := g.Save(t.Context(), w.User, tok); err != nil {
			t.Fatal(err)
		}
		// A 401 may be a blip: the grant is not given up while its token may be good.
		_, err = g.Source(w.User).Renew(t.Context(), tok)
		testworld.WantReason(t, err, tokensource.ReasonNoRefreshToken)
		if !strings.Contains(err.Error(), "offline.access") {
			t.Errorf("error = %v, want one that names the scope", err)
		}
		if !w.Works(w.Token(g)) {
			t.Error("the token is no longer handed out")
		}
		time.Sleep(2 * time.Hour)
		_, err = g.Source(w.User).Token(t.Context())
		testworld.WantReason(t, err, tokensource.ReasonNoRefreshToken)
		if facts, err := g.Grant(t.Context(), w.User); err != nil || facts.Dead != tokensource.ReasonNoRefreshToken {
			t.Errorf("Grant() = %+v, %v", facts, err)
		}
		w.WantRefreshes(0)
	})
}

func TestServersThatDoNotRotate(t *testing.T) {
	for name, repeat := range map[string]bool{"the same token": true, "no token": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Token.RepeatRefresh, k.Token.OmitRefresh = repeat, !repeat })
				g := w.Process(nil)
				w.Login(g)
				for range 3 {
					time.Sleep(2 * time.Hour)
					if !w.Works(w.Token(g)) {
						t.Error("a refresh failed")
					}
				}
				w.WantRefreshes(3)
			})
		})
	}
}

func TestATokenThatHasExpiredIsSavedAndRenewed(t *testing.T) { // as a program does that brings its old tokens along
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		access, refresh, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
		if err != nil {
			t.Fatal(err)
		}
		old := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(-time.Hour)}
		if _, err := g.Save(t.Context(), w.User, old); err != nil {
			t.Fatal(err)
		}
		if tok := w.Token(g); tok.AccessToken == access || !w.Works(tok) {
			t.Error("Token() did not renew what had expired before it was saved")
		}
		w.WantRefreshes(1)
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

// A program may bring tokens along from another library, expired ones too: their first use is a refresh.
func TestATokenThatHadExpiredWhenItWasSaved(t *testing.T) {
	for _, ago := range []time.Duration{0, time.Nanosecond, time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			g := w.Process(nil)
			_, refresh, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
			if err != nil {
				t.Fatal(err)
			}
			tok := &oauth2.Token{AccessToken: "of-yesterday", RefreshToken: refresh, Expiry: time.Now().Add(-ago)}
			if _, err := g.Save(t.Context(), w.User, tok); err != nil {
				t.Fatalf("Save() of a token that expired %v ago = %v, want no error", ago, err)
			}
			if !w.Works(w.Token(g)) {
				t.Error("the token does not work")
			}
			w.WantRefreshes(1)
		})
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		done := make(chan error, 1)
		go func() {
			_, err := g.Source(w.User).Renew(t.Context(), tok)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		for range 2 {
			if err := g.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("Close() took %v, want it to wait for the refresh under way", waited)
		}
		if err := <-done; err != nil {
			t.Errorf("the refresh under way ended with %v", err)
		}
		_, err := g.Source("another").Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrClosed)
		_, err = g.Save(t.Context(), w.User, tok)
		testworld.WantIs(t, err, tokensource.ErrClosed)
		testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrClosed)
	})
}

func TestTheGrantedScopesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.GrantedScopes = []string{"users.read", "offline.access"} })
		g := w.Process(nil)
		code, verifier := w.Flow()
		tok, err := w.Client.Exchange(t.Context(), code, verifier)
		if err != nil {
			t.Fatal(err)
		}
		facts, err := g.Save(t.Context(), w.User, tok)
		if err != nil {
			t.Fatal(err)
		}
		if missing := facts.Missing(testworld.Scopes...); len(missing) != 1 || missing[0] != "tweet.read" {
			t.Errorf("Missing() = %q, want tweet.read", missing)
		}
	})
}

func TestAClientThatIsRefusedIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Minute })
		g := w.Process(nil)
		const users = 100
		for i := range users {
			user := strconv.Itoa(1000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.LoginAs(g, user)
		}
		if err := w.Fake.Register(oauthtest.ConfidentialApp().WithSecret("another")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for i := range users {
			_, err := g.Source(strconv.Itoa(1000 + i)).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrClient)
			if err != nil && !strings.Contains(err.Error(), "client secret") {
				t.Errorf("error = %v, want one that says what to check", err)
			}
		}
		if n := w.Refreshes(); n > 10 {
			t.Errorf("a wrong secret met the server %d times for %d users", n, users)
		}
	})
}

func TestTwoProcessesAfterALostIntent(t *testing.T) {
	// One process is stopped with the answer in its hands for longer than its lease; the other one has taken over. What
	// the first one brings is dropped, and nothing that is stored is overwritten.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow, k.Token.GraceFresh = time.Hour, true })
		own := &testworld.HookedStore{Store: w.Store}
		stopped, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(stopped)
		puts := 0
		own.On(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					time.Sleep(2 * time.Minute)
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = stopped.Source(w.User).Renew(t.Context(), rejected) })
		synctest.Wait()
		winner, err := other.Source(w.User).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if w.Saw(grant.EventSuperseded) != 1 {
			t.Error("the hook has not heard of the dropped tokens")
		}
		for _, g := range []*grant.Keeper{stopped, other, w.Process(nil)} {
			if got := w.Token(g); got.AccessToken != winner.AccessToken {
				t.Error("the stored token was overwritten by who had been stopped")
			}
		}
	})
}

// A process is stopped with new tokens in its hands, for longer than its lease.
// It wakes while its successor waits for an answer. Its tokens are good, and the
// successor may get none: they are written over the intent of the successor.
func TestAHolderWritesOverTheIntentOfItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow, k.Latency = time.Hour, 10*time.Second })
		own := &testworld.HookedStore{Store: w.Store}
		stopped, other := w.ProcessOn(own, nil), w.Process(nil)
		rejected := w.Login(stopped)
		puts, wake := 0, make(chan struct{})
		own.On(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					<-wake
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		for _, g := range []*grant.Keeper{stopped, other} {
			wg.Go(func() {
				tok, err := g.Source(w.User).Renew(t.Context(), rejected)
				if err != nil || tok.AccessToken == rejected.AccessToken || !w.Works(tok) {
					t.Errorf("Renew() = %v, want a token that works", err)
				}
			})
			time.Sleep(15 * time.Second)
		}
		for w.Refreshes() < 2 {
			time.Sleep(time.Second)
		}
		close(wake)
		wg.Wait()
		if a, b := w.Token(stopped), w.Token(other); a.AccessToken != b.AccessToken || !w.Works(a) {
			t.Error("the two processes do not hold one token that works")
		}
	})
}

func TestARetiredKeyIsNoReasonToLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sealed := func() storage.Store {
			keys, err := seal.NewKeys(seal.NewKey())
			if err != nil {
				t.Fatal(err)
			}
			s, err := storage.Sealed(w.Store.Store, keys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.Login(w.ProcessOn(sealed(), nil))
		_, err := w.ProcessOn(sealed(), nil).Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, seal.ErrUnknownKey)
		if errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("Token() = %v, want neither a reason to log in nor one to try again", err)
		}
	})
}
