package tokensource_test

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

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestAGrantWithoutARefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		access, _, err := w.fake.IssueToken(w.user, w.client.ClientID(), "users.read", "tweet.read")
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, Expiry: time.Now().Add(2 * time.Hour)}
		if _, err := g.Save(t.Context(), w.user, tok); err != nil {
			t.Fatal(err)
		}
		// A 401 may be a blip: the grant is not given up while its token may be good.
		_, err = g.Source(w.user).Renew(t.Context(), tok)
		wantReason(t, err, tokensource.ReasonNoRefreshToken)
		if !strings.Contains(err.Error(), "offline.access") {
			t.Errorf("error = %v, want one that names the scope", err)
		}
		if !w.works(w.token(g)) {
			t.Error("the token is no longer handed out")
		}
		time.Sleep(2 * time.Hour)
		_, err = g.Source(w.user).Token(t.Context())
		wantReason(t, err, tokensource.ReasonNoRefreshToken)
		if facts, err := g.Grant(t.Context(), w.user); err != nil || facts.Dead != tokensource.ReasonNoRefreshToken {
			t.Errorf("Grant() = %+v, %v", facts, err)
		}
		w.wantRefreshes(0)
	})
}

func TestServersThatDoNotRotate(t *testing.T) {
	for name, rotation := range map[string]oauthtest.Rotation{"the same token": oauthtest.RepeatSame, "no token": oauthtest.KeepSilent} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fake.Set(func(k *oauthtest.Knobs) { k.Token.Rotation = rotation })
				g := w.process(nil)
				w.login(g)
				for range 3 {
					time.Sleep(2 * time.Hour)
					if !w.works(w.token(g)) {
						t.Error("a refresh failed")
					}
				}
				w.wantRefreshes(3)
			})
		})
	}
}

func TestATokenThatHasExpiredIsSavedAndRenewed(t *testing.T) { // as a program does that brings its old tokens along
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		access, refresh, err := w.fake.IssueToken(w.user, w.client.ClientID(), scopes...)
		if err != nil {
			t.Fatal(err)
		}
		old := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(-time.Hour)}
		if _, err := g.Save(t.Context(), w.user, old); err != nil {
			t.Fatal(err)
		}
		if tok := w.token(g); tok.AccessToken == access || !w.works(tok) {
			t.Error("Token() did not renew what had expired before it was saved")
		}
		w.wantRefreshes(1)
	})
}

func TestATokenThatLivesShorterThanTheMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL = 2 * time.Second })
		g := w.process(nil)
		w.login(g)
		for range 100 {
			w.token(g)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.refreshes(); n < 4 || n > 6 {
			t.Errorf("ten seconds of two-second tokens took %d refreshes, want about 5", n)
		}
	})
}

// A program may bring tokens along from another library, expired ones too: their first use is a refresh.
func TestATokenThatHadExpiredWhenItWasSaved(t *testing.T) {
	for _, ago := range []time.Duration{0, time.Nanosecond, time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			g := w.process(nil)
			_, refresh, err := w.fake.IssueToken(w.user, w.client.ClientID(), scopes...)
			if err != nil {
				t.Fatal(err)
			}
			tok := &oauth2.Token{AccessToken: "of-yesterday", RefreshToken: refresh, Expiry: time.Now().Add(-ago)}
			if _, err := g.Save(t.Context(), w.user, tok); err != nil {
				t.Fatalf("Save() of a token that expired %v ago = %v, want no error", ago, err)
			}
			if !w.works(w.token(g)) {
				t.Error("the token does not work")
			}
			w.wantRefreshes(1)
		})
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		tok := w.login(g)
		w.refreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		done := make(chan error, 1)
		go func() {
			_, err := g.Source(w.user).Renew(t.Context(), tok)
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
		wantIs(t, err, tokensource.ErrClosed)
		_, err = g.Save(t.Context(), w.user, tok)
		wantIs(t, err, tokensource.ErrClosed)
		wantIs(t, g.Logout(t.Context(), w.user), tokensource.ErrClosed)
	})
}

func TestTheGrantedScopesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GrantedScopes = []string{"users.read", "offline.access"} })
		g := w.process(nil)
		code, verifier := w.flow()
		tok, err := w.client.Exchange(t.Context(), code, verifier)
		if err != nil {
			t.Fatal(err)
		}
		facts, err := g.Save(t.Context(), w.user, tok)
		if err != nil {
			t.Fatal(err)
		}
		if missing := facts.Missing(scopes...); len(missing) != 1 || missing[0] != "tweet.read" {
			t.Errorf("Missing() = %q, want tweet.read", missing)
		}
	})
}

func TestAClientThatIsRefusedIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL = time.Minute })
		g := w.process(nil)
		const users = 100
		for i := range users {
			user := strconv.Itoa(1000 + i)
			if err := w.fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.loginAs(g, user)
		}
		if _, err := w.fake.RotateSecret(w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for i := range users {
			_, err := g.Source(strconv.Itoa(1000 + i)).Token(t.Context())
			wantIs(t, err, tokensource.ErrClient)
			if err != nil && !strings.Contains(err.Error(), "ClientSecret") {
				t.Errorf("error = %v, want one that says what to check", err)
			}
		}
		if n := w.refreshes(); n > 10 {
			t.Errorf("a wrong secret met the server %d times for %d users", n, users)
		}
	})
}

func TestTwoProcessesAfterALostIntent(t *testing.T) {
	// One process is stopped with the answer in its hands for longer than its lease; the other one has taken over. What
	// the first one brings is dropped, and nothing that is stored is overwritten.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow, k.Token.GraceFresh = time.Hour, true })
		own := &hookedStore{Store: w.store}
		stopped, other := w.processOn(own, nil), w.process(nil)
		rejected := w.login(stopped)
		puts := 0
		own.on(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					time.Sleep(2 * time.Minute)
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = stopped.Source(w.user).Renew(t.Context(), rejected) })
		synctest.Wait()
		winner, err := other.Source(w.user).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if w.saw(tokensource.EventSuperseded) != 1 {
			t.Error("the hook has not heard of the dropped tokens")
		}
		for _, g := range []*tokensource.Grants{stopped, other, w.process(nil)} {
			if got := w.token(g); got.AccessToken != winner.AccessToken {
				t.Error("the stored token was overwritten by who had been stopped")
			}
		}
	})
}

// The stopped process wakes while the other one, which has taken over, is still waiting for its answer: what is stored is the
// rejected token, and that is no answer to who asked for another one.
func TestWhoWakesDuringATakeoverGetsNoRejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow, k.Latency = time.Hour, 10*time.Second })
		own := &hookedStore{Store: w.store}
		stopped, other := w.processOn(own, nil), w.process(nil)
		rejected := w.login(stopped)
		puts, wake := 0, make(chan struct{})
		own.on(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					<-wake
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			tok, err := stopped.Source(w.user).Renew(t.Context(), rejected)
			if tok != nil || !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("Renew() = %v, %v, want no token and %v", tok != nil, err, tokensource.ErrTemporary)
			}
		})
		time.Sleep(15 * time.Second)
		wg.Go(func() {
			if _, err := other.Source(w.user).Renew(t.Context(), rejected); err != nil {
				t.Error(err)
			}
		})
		for w.refreshes() < 2 {
			time.Sleep(time.Second)
		}
		close(wake)
		wg.Wait()
		if !w.works(w.token(stopped)) {
			t.Error("the woken process has not taken over the token that is stored")
		}
	})
}

func TestARetiredKeyIsNoReasonToLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sealed := func() storage.Store {
			keys, err := storage.NewKeys(storage.NewKey())
			if err != nil {
				t.Fatal(err)
			}
			s, err := storage.Sealed(w.store.Store, keys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.login(w.processOn(sealed(), nil))
		_, err := w.processOn(sealed(), nil).Source(w.user).Token(t.Context())
		wantIs(t, err, storage.ErrUnknownKey)
		if errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("Token() = %v, want neither a reason to log in nor one to try again", err)
		}
	})
}
