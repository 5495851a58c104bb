package grant_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestG2_AWaiterIsNotGivenTheTokenItRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		first := w.Login(elsewhere)
		second, err := elsewhere.Source(w.User).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // a token of moments ago would not be refreshed again
		open := make(chan struct{})
		w.Store.On(func(context.Context, string) error {
			<-open
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { // the flight that the other one finds: its outcome is the second token
			if got, err := here.Source(w.User).Renew(t.Context(), first); err != nil || got.AccessToken != second.AccessToken {
				t.Errorf("Renew(first) = %v, want the second token", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, err := here.Source(w.User).Renew(t.Context(), second)
			if err != nil || got == nil || got.AccessToken == second.AccessToken || !w.Works(got) {
				t.Errorf("Renew(second) = %v, want a third token", err)
			}
		})
		synctest.Wait()
		close(open)
		wg.Wait()
		w.WantRefreshes(2)
	})
}

func TestG6_ARefusalThatTheStoreCannotConfirmIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		if err := w.Fake.RevokeGrant(w.User, w.Client.ClientID()); err != nil {
			t.Fatal(err)
		}
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { w.Store.On(testworld.Failing("get", "put")) })
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if errors.Is(err, tokensource.ErrReauthorize) || w.Saw(grant.EventDied) != 0 {
			t.Errorf("Renew() = %v: the grant was declared dead though another process may have renewed it", err)
		}
		w.Store.On(nil)
		time.Sleep(time.Minute)
		_, err = g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrReauthorize)
	})
}

func TestG3_TheRequestEndsBeforeTheIntentDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Options.Prepare = func(context.Context, *oauth.TokenRequest) error {
			time.Sleep(15 * time.Second) // of the twenty that the request has
			return nil
		}
		w.Client = w.NewClient(&w.Options)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Hang: true}, 1)
		start := time.Now()
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("the request was given up after %v, want 20s: others may take over 30s after it was announced", got)
		}
	})
}

// A grant without a refresh token has no intent that a newer login could be told by.
func TestG6_ANewLoginIsNotBuriedWithAnOldGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		tok := &oauth2.Token{AccessToken: "old", TokenType: "bearer", Expiry: time.Now().Add(time.Minute)}
		if _, err := here.Save(t.Context(), w.User, tok); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		var second *oauth2.Token
		w.Store.On(func(_ context.Context, op string) error {
			if op == "put" { // here is about to write that the grant is dead
				w.Store.On(nil)
				second = w.Login(elsewhere)
			}
			return nil
		})
		if _, err := here.Source(w.User).Token(t.Context()); err != nil {
			t.Errorf("Token() = %v, want the newer login's token", err)
		}
		for _, g := range []*grant.Keeper{here, elsewhere, w.Process(nil)} {
			if got := w.Token(g); got.AccessToken != second.AccessToken {
				t.Error("the newer login is gone")
			}
		}
	})
}

func TestG6_LosersAdoptWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		loser, winner := w.Process(nil), w.Process(nil)
		rejected := w.Login(loser)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		newer := make(chan *oauth2.Token, 1)
		time.AfterFunc(time.Second/2, func() { newer <- w.Login(winner) }) // ends the first login's tokens at X
		got, err := loser.Source(w.User).Renew(t.Context(), rejected)
		if err != nil || got.AccessToken != (<-newer).AccessToken {
			t.Errorf("Renew() = %v, want the newer login's token", err)
		}
		if facts, err := winner.Grant(t.Context(), w.User); err != nil || facts.Dead != "" {
			t.Errorf("Grant() = %+v, %v: the newer grant was touched", facts, err)
		}
		if w.Saw(grant.EventDied) != 0 {
			t.Error("a refused refresh token was believed though the store held another")
		}
	})
}
