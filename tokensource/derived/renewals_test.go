package derived_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// slow is a source whose token stays the same. A renewal takes a while.
type slow struct{ tokensource.Source }

func (s slow) Renew(ctx context.Context, _ *oauth2.Token) (*oauth2.Token, error) {
	select {
	case <-time.After(20 * time.Second):
		return nil, tokensource.ErrJustRenewed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// While the renewal of one token is under way, another token comes, and the API
// rejects that one too. The second renewal is no part of the first.
func TestTwoTokensAreRejectedDuringOneRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		w.fake.Set(func(k *oauthtest.Knobs) {
			k.Token.Believe = func(s string) bool { return s == "the-long-lived-token" }
			k.Token.AccessTTL = 10 * time.Minute
		})
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: slow{w.static()}}})
		first := w.token(s, t.Context())
		time.Sleep(9*time.Minute + 10*time.Second) // the next use begins to replace it
		renew := func(rejected *oauth2.Token, result chan<- string) {
			tok, err := s.Renew(t.Context(), rejected)
			if err != nil {
				t.Errorf("Renew() = %v, want a token", err)
				tok = rejected
			}
			result <- tok.AccessToken
		}
		ofFirst, ofSecond := make(chan string, 1), make(chan string, 1)
		go renew(first, ofFirst)
		synctest.Wait()
		w.token(s, t.Context())
		synctest.Wait()
		second := w.token(s, t.Context())
		go renew(second, ofSecond)
		one, two := <-ofFirst, <-ofSecond
		if second.AccessToken == first.AccessToken || one == first.AccessToken || two == second.AccessToken {
			t.Errorf("Renew() = %v and %v, want tokens other than the rejected ones", one == first.AccessToken, two == second.AccessToken)
		}
		if n := w.fake.TokenCalls(exchangeGrant); n != 3 {
			t.Errorf("%d exchanges, want 3: the first, the one ahead of time, and one for the second rejection", n)
		}
	})
}
