package grant_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
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
		// One 401 may be a mistake of the API. The grant stays while its token may
		// work.
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

// A program may save tokens that another library obtained. Expired ones are
// refreshed at their first use.
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
