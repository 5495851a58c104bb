package derived_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Users who act for the same subject have tokens of their own.
func TestExchangeIsKeptForEachActor(t *testing.T) {
	workload := derived.Traded{Assertion: func(context.Context) (string, error) { return "workload", nil }}
	for name, subject := range map[string]func(*plain) derived.Traded{
		"a workload": func(*plain) derived.Traded { return workload },
		"a token":    func(w *plain) derived.Traded { return derived.Traded{Source: w.static()} },
		"an exchange": func(w *plain) derived.Traded {
			return derived.Traded{Source: w.exchange(w.app(), derived.Exchange{Subject: workload})}
		},
		"an actor's source": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newPlain(t)
				k := w.users("ann", "bob")
				var x derived.Exchange
				if subject != nil {
					x = derived.Exchange{Subject: subject(w), Actor: derived.Traded{Source: k}}
				} else {
					below := w.exchange(w.app(), derived.Exchange{Subject: workload, Actor: derived.Traded{Source: k}})
					x = derived.Exchange{Subject: derived.Traded{Source: below}}
				}
				w.fake.Set(func(k *oauthtest.Knobs) {
					k.Token.Believe = func(s string) bool { return s == "workload" || s == "the-long-lived-token" }
				})
				s := w.exchange(w.app(), x)
				ann, bob := k.WithSubject(t.Context(), "ann"), k.WithSubject(t.Context(), "bob")
				first, second := w.token(s, ann), w.token(s, bob)
				if first.AccessToken == second.AccessToken {
					t.Error("two actors have the same token")
				}
				if w.token(s, ann).AccessToken != first.AccessToken {
					t.Error("the token of the first actor was not kept")
				}
				next, err := s.Renew(bob, second)
				if err != nil || next.AccessToken == second.AccessToken || w.token(s, ann).AccessToken != first.AccessToken {
					t.Errorf("Renew() = %v, want another token of this actor only", err)
				}
				if _, err := s.Token(t.Context()); err == nil {
					t.Error("Token() without an actor = nil, want an error")
				}
			})
		})
	}
}

// changing is a source whose token is another one after each renewal.
type changing struct{ n atomic.Int64 }

func (c *changing) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: fmt.Sprint("changing-", c.n.Load())}, nil
}

func (c *changing) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	c.n.Add(1)
	return c.Token(ctx)
}

// A server that refuses each token of a parent which always has another one is
// not asked without end.
func TestParentWithANewTokenForEachRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		w.fake.Set(func(k *oauthtest.Knobs) {
			k.Latency = 10 * time.Millisecond
			k.Token.Believe = func(s string) bool { return strings.HasPrefix(s, "changing-") }
		})
		w.fake.Inject(oauthtest.Match{GrantType: exchangeGrant}, wire.JSON(400, `{"error":"invalid_grant"}`), 100)
		parent := new(changing)
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: parent}})
		if _, err := s.Token(t.Context()); err == nil {
			t.Error("Token() = nil, want the refusal")
		}
		if n, renewals := w.fake.TokenCalls(exchangeGrant), parent.n.Load(); n > 2 || renewals > 1 {
			t.Errorf("%d exchanges and %d renewals for one call, want 2 and 1", n, renewals)
		}
	})
}
