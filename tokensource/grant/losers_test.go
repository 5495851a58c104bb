package tokensource_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestG2_AWaiterIsNotGivenTheTokenItRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.process(nil), w.process(nil)
		first := w.login(elsewhere)
		second, err := elsewhere.Source(w.user).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // a token of moments ago would not be refreshed again
		open := make(chan struct{})
		w.store.on(func(context.Context, string) error {
			<-open
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { // the flight that the other one finds: its outcome is the second token
			if got, err := here.Source(w.user).Renew(t.Context(), first); err != nil || got.AccessToken != second.AccessToken {
				t.Errorf("Renew(first) = %v, want the second token", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, err := here.Source(w.user).Renew(t.Context(), second)
			if err != nil || got == nil || got.AccessToken == second.AccessToken || !w.works(got) {
				t.Errorf("Renew(second) = %v, want a third token", err)
			}
		})
		synctest.Wait()
		close(open)
		wg.Wait()
		w.wantRefreshes(2)
	})
}

func TestG6_ARefusalThatTheStoreCannotConfirmIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		rejected := w.login(g)
		if err := w.fake.RevokeGrant(w.user, w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		w.refreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { w.store.on(failing("get", "put")) })
		_, err := g.Source(w.user).Renew(t.Context(), rejected)
		wantIs(t, err, tokensource.ErrTemporary)
		if errors.Is(err, tokensource.ErrReauthorize) || w.saw(tokensource.EventDied) != 0 {
			t.Errorf("Renew() = %v: the grant was declared dead though another process may have renewed it", err)
		}
		w.store.on(nil)
		time.Sleep(time.Minute)
		_, err = g.Source(w.user).Renew(t.Context(), rejected)
		wantIs(t, err, tokensource.ErrReauthorize)
	})
}

func TestG3_TheRequestEndsBeforeTheIntentDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.options.Prepare = func(context.Context, *tokensource.TokenRequest) error {
			time.Sleep(15 * time.Second) // of the twenty that the request has
			return nil
		}
		w.client = w.newClient(&w.options)
		g := w.process(nil)
		rejected := w.login(g)
		w.refreshFault(oauthtest.Fault{Hang: true}, 1)
		start := time.Now()
		_, err := g.Source(w.user).Renew(t.Context(), rejected)
		wantIs(t, err, tokensource.ErrTemporary)
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("the request was given up after %v, want 20s: others may take over 30s after it was announced", got)
		}
	})
}

// A grant without a refresh token has no intent that a newer login could be told by.
func TestG6_ANewLoginIsNotBuriedWithAnOldGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.process(nil), w.process(nil)
		tok := &oauth2.Token{AccessToken: "old", TokenType: "bearer", Expiry: time.Now().Add(time.Minute)}
		if _, err := here.Save(t.Context(), w.user, tok); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		var second *oauth2.Token
		w.store.on(func(_ context.Context, op string) error {
			if op == "put" { // here is about to write that the grant is dead
				w.store.on(nil)
				second = w.login(elsewhere)
			}
			return nil
		})
		_, err := here.Source(w.user).Token(t.Context())
		wantIs(t, err, tokensource.ErrTemporary)
		for _, g := range []*tokensource.Grants{here, elsewhere, w.process(nil)} {
			if got := w.token(g); got.AccessToken != second.AccessToken {
				t.Error("the newer login is gone")
			}
		}
	})
}

func TestG6_LosersAdoptWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		loser, winner := w.process(nil), w.process(nil)
		rejected := w.login(loser)
		w.refreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		newer := make(chan *oauth2.Token, 1)
		time.AfterFunc(time.Second/2, func() { newer <- w.login(winner) }) // ends the first login's tokens at X
		got, err := loser.Source(w.user).Renew(t.Context(), rejected)
		if err != nil || got.AccessToken != (<-newer).AccessToken {
			t.Errorf("Renew() = %v, want the newer login's token", err)
		}
		if facts, err := winner.Grant(t.Context(), w.user); err != nil || facts.Dead != "" {
			t.Errorf("Grant() = %+v, %v: the newer grant was touched", facts, err)
		}
		if w.saw(tokensource.EventDied) != 0 {
			t.Error("a refused refresh token was believed though the store held another")
		}
	})
}
