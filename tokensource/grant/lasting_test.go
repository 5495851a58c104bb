package grant_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestG7_ADeadGrantStaysDeadUntilANewAuthorization(t *testing.T) {
	for name, code := range map[string]string{"as X says it": "", "as the RFC says it": "invalid_grant"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Set(func(k *xapi.Knobs) { k.Token.RefreshErrorCode = code })
				here, elsewhere := w.Process(nil), w.Process(nil)
				rejected := w.Login(here)
				if err := w.Fake.RevokeGrant(w.User, w.Client.ClientID()); err != nil {
					t.Fatal(err)
				}
				_, err := here.Source(w.User).Renew(t.Context(), rejected)
				testworld.WantReason(t, err, tokensource.ReasonRefused)
				for _, g := range []*grant.Keeper{here, elsewhere} {
					_, err = g.Source(w.User).Token(t.Context())
					testworld.WantReason(t, err, tokensource.ReasonRefused)
					_, err = g.Source(w.User).Renew(t.Context(), rejected)
					testworld.WantReason(t, err, tokensource.ReasonRefused)
				}
				w.WantRefreshes(1)
				w.Login(elsewhere)
				if !w.Works(w.Token(here)) {
					t.Error("the new authorization is not seen")
				}
			})
		})
	}
}

func TestG8_BlipsAreNotDeath(t *testing.T) {
	html := oauthtest.Fault{Status: 403, Body: xapi.HTMLPage, ContentType: "text/html"}
	faults := map[string]oauthtest.Fault{
		"500": {Status: 500}, "502": {Status: 502}, "503": {Status: 503}, "504": {Status: 504}, "429": {Status: 429},
		"503 with invalid_grant": {Status: 503, Body: `{"error":"invalid_grant"}`, ContentType: "application/json"},
		"an edge's page":         html,
		"timeout":                {Hang: true},
		"dropped":                {Drop: true},
		"unauthorized_client":    {Status: 401, Body: `{"error":"unauthorized_client"}`, ContentType: "application/json"},
		"invalid_client":         {Status: 401, Body: `{"error":"invalid_client"}`, ContentType: "application/json"},
		"200 with HTML":          {Status: 200, Body: xapi.HTMLPage, ContentType: "text/html"},
		"200 with null":          {Status: 200, Body: "null", ContentType: "application/json"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				old := w.Login(g)
				w.RefreshFault(fault, 1)
				time.Sleep(2*time.Hour - 40*time.Second) // inside the window of the early refresh
				if got := w.Token(g); got.AccessToken != old.AccessToken {
					t.Error("a call had to wait for a refresh though its token was good")
				}
				synctest.Wait()
				time.Sleep(25 * time.Second)
				if got := w.Token(g); !w.Works(got) {
					t.Error("the old token is not served while it is good")
				}
				time.Sleep(2 * time.Minute)
				if got := w.Token(g); !w.Works(got) || got.AccessToken == old.AccessToken {
					t.Error("the grant has not recovered")
				}
				if w.Saw(grant.EventDied) != 0 {
					t.Error("a blip was taken for death")
				}
			})
		})
	}
}

func TestG8_AnOutageMeetsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Token.AccessTTL = time.Minute })
		g := w.Process(nil)
		var users []string
		for i := range 100 {
			user := fmt.Sprint(1000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.LoginAs(g, user)
			users = append(users, user)
		}
		time.Sleep(time.Minute)
		w.RefreshFault(oauthtest.Fault{Status: 503}, -1)
		const outage = 10 * time.Minute
		for range int(outage / (5 * time.Second)) {
			for _, user := range users {
				_, err := g.Source(user).Token(t.Context())
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter <= 0 {
					t.Fatalf("error = %v, want one that says when to retry", err)
				}
			}
			time.Sleep(5 * time.Second)
		}
		if n := w.Refreshes(); n > 60 {
			t.Errorf("an outage of %v met %d requests of %d users", outage, n, len(users))
		}
		w.Fake.ClearFaults()
		time.Sleep(2 * time.Minute)
		for _, user := range users {
			if tok, err := g.Source(user).Token(t.Context()); err != nil || !w.Works(tok) {
				t.Fatalf("Token() after the outage = %v, want a token", err)
			}
		}
	})
}

func TestG9_EarlyInTheBackgroundAndSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		old := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: 3 * time.Second}, 1)
		time.Sleep(2*time.Hour - 2*time.Minute)
		w.Token(g)
		synctest.Wait()
		w.WantRefreshes(0) // never before its time
		time.Sleep(80 * time.Second)
		start := time.Now()
		if got := w.Token(g); got.AccessToken != old.AccessToken || time.Since(start) != 0 {
			t.Errorf("a caller waited %v for an early refresh", time.Since(start))
		}
		time.Sleep(4 * time.Second)
		if got := w.Token(g); got.AccessToken == old.AccessToken {
			t.Error("the early refresh has not happened")
		}
		w.WantRefreshes(1)
	})
}

func TestG9_RefreshesOfGrantsThatCameTogetherAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		const users = 50
		for i := range users {
			user := fmt.Sprint(1000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.LoginAs(g, user)
		}
		time.Sleep(2*time.Hour - 80*time.Second)
		most, last := 0, 0
		for range 50 {
			for i := range users {
				if _, err := g.Source(fmt.Sprint(1000 + i)).Token(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			most, last = max(most, w.Refreshes()-last), w.Refreshes()
		}
		w.WantRefreshes(users)
		if most > users/6 {
			t.Errorf("%d of %d refreshes fell into one second", most, users)
		}
	})
}

func TestG9_AFreshTokenIsNotRefreshedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		first := w.Login(g)
		second, err := g.Source(w.User).Renew(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Source(w.User).Renew(t.Context(), second)
		testworld.WantIs(t, err, tokensource.ErrJustRenewed)
		w.WantRefreshes(1)
		time.Sleep(11 * time.Second)
		if _, err = g.Source(w.User).Renew(t.Context(), second); err != nil {
			t.Errorf("Renew() of a token that is no longer fresh = %v", err)
		}
		w.WantRefreshes(2)
	})
}

func TestG10_MemoryOnlyForThoseInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const bound = 100
		g := w.Process(&grant.Options{CacheSize: bound})
		for i := range 20 * bound {
			tok := &oauth2.Token{AccessToken: fmt.Sprint("access-", i), TokenType: "bearer"}
			if _, err := g.Save(t.Context(), fmt.Sprint(i), tok); err != nil {
				t.Fatal(err)
			}
			if n := grant.CacheSize(g); n > bound {
				t.Fatalf("cache holds %d grants, want at most %d", n, bound)
			}
		}
		for i := range 20 * bound { // those that were dropped are still known
			tok, err := g.Source(fmt.Sprint(i)).Token(t.Context())
			if err != nil || tok.AccessToken != fmt.Sprint("access-", i) {
				t.Fatalf("Token() of subject %d = %v, %v", i, tok.AccessToken, err)
			}
		}
		time.Sleep(time.Hour)
		if _, err := g.Source("0").Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := grant.CacheSize(g); n > 1 {
			t.Errorf("cache holds %d grants an hour after the last use of all but one", n)
		}
	})
}

func TestG11_OneUserOneGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		w.Login(g)
		if !w.Works(w.Token(g)) {
			t.Error("the second login's token does not work")
		}
		if n := len(w.grants()); n != 1 {
			t.Errorf("two logins of one user are %d records, want 1", n)
		}
		for _, subject := range []string{"a|b", "a", "|b", "a b"} {
			if _, err := g.Save(t.Context(), subject, &oauth2.Token{AccessToken: "token-of-" + subject}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.grants()); n != 5 {
			t.Errorf("five subjects are %d records", n)
		}
	})
}

func TestG12_NewsTravels(t *testing.T) {
	t.Run("within the bound", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t) // the hooked store cannot watch
			here, elsewhere := w.Process(nil), w.Process(nil)
			w.Login(here)
			w.Token(elsewhere)
			if err := here.Logout(t.Context(), w.User); err != nil {
				t.Fatal(err)
			}
			_, err := here.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrNoGrant)
			time.Sleep(30 * time.Second)
			_, err = elsewhere.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrNoGrant)
		})
	})
	t.Run("at once where the store tells", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			store := w.Store.Store
			here, elsewhere := w.ProcessOn(store, nil), w.ProcessOn(store, nil)
			first := w.Login(here)
			w.Token(elsewhere)
			second := w.Login(here)
			synctest.Wait()
			if got := w.Token(elsewhere); got.AccessToken != second.AccessToken || got.AccessToken == first.AccessToken {
				t.Error("a newer login is not seen at once")
			}
			if err := here.Logout(t.Context(), w.User); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			_, err := elsewhere.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrNoGrant)
		})
	})
}

func TestG12_LogoutWinsOverARefreshInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Revoke.RefreshOnlyItself = true }) // nothing dies by itself
		g, elsewhere := w.Process(nil), w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second, Commit: true}, 1) // redeemed, and the answer is under way
		time.AfterFunc(time.Second/2, func() {
			if err := elsewhere.Logout(t.Context(), w.User); err != nil {
				t.Error(err)
			}
		})
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if w.Saw(grant.EventSuperseded) != 1 {
			t.Error("the hook has not heard of the late token")
		}
		synctest.Wait()
		w.wantNothingAlive()
		w.wantEnded()
	})
}

// The same while the server cannot revoke: the record waits for another try, and late tokens must not revive it.
func TestG12_ALogoutThatWaitsWinsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		rejected := w.Login(g)
		w.RefreshFault(oauthtest.Fault{Delay: 10 * time.Second, Commit: true}, 1)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 2)
		time.AfterFunc(time.Second, func() {
			if err := g.Logout(t.Context(), w.User); err == nil {
				t.Error("Logout() = nil though the server has not revoked")
			}
		})
		_, err := g.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		_, err = g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

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

func TestG10_LostAnswersAreRememberedForTenMinutesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.RefreshFault(oauthtest.Fault{Drop: true}, -1)
		for i := range 5000 {
			user := fmt.Sprint(100_000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			tok := w.LoginAs(g, user)
			if _, err := g.Source(user).Renew(t.Context(), tok); err == nil {
				t.Fatal("Renew() = nil though the answer was lost")
			}
			time.Sleep(61 * time.Second) // failures of the server slow the process down
			if n := grant.Locals(g); n > 1200 {
				t.Fatalf("the process remembers something of %d grants, want 1200 at most", n)
			}
		}
	})
}
