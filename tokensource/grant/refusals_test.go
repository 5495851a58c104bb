package grant_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// odd is a refusal that neither a standard nor the provider explains.
var odd = wire.JSON(http.StatusBadRequest, `{"error":"a_code_that_nobody_knows"}`)

// loginUsers logs in so many users besides the first one.
func (w world) loginUsers(g *grant.Keeper, n int) (users []string) {
	w.Helper()
	for i := range n {
		user := fmt.Sprint(1000 + i)
		if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
			w.Fatal(err)
		}
		w.Login(g, user)
		users = append(users, user)
	}
	return users
}

// G17: Trouble of one user, or of one process, delays no other one.
func TestG17_EightUsersWithOddRefusalsAndAHealthyOne(t *testing.T) {
	for name, odd := range map[string]oauthtest.Fault{
		"invalid_request":             odd,
		"404 with a code of its own":  wire.JSON(http.StatusNotFound, `{"error":"no_such_session"}`),
		"200 with a code of its own":  wire.JSON(http.StatusOK, `{"ok":false,"error":"no_such_session"}`),
		"401 with nothing":            {Status: http.StatusUnauthorized},
		"403 in JSON without a code":  wire.JSON(http.StatusForbidden, `{"message":"no"}`),
		"a page with 403, for a user": {Status: http.StatusForbidden, Body: xapi.HTMLPage},
	} {
		t.Run(name, func(t *testing.T) { eightUsersAndAHealthyOne(t, odd) })
	}
}

func eightUsersAndAHealthyOne(t *testing.T, odd oauthtest.Fault) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		users := w.loginUsers(g, 8)
		w.Login(g)
		for _, user := range users {
			w.Fake.Inject(oauthtest.Match{GrantType: "refresh_token", UserID: user}, odd, -1)
		}
		time.Sleep(2 * time.Hour)
		for range int(30 * time.Minute / (5 * time.Second)) {
			for _, user := range users {
				if _, err := g.Source(user).Token(t.Context()); err == nil {
					t.Fatal("Token() of a user whose refresh is refused = nil, want an error")
				}
			}
			w.Token(g)
			time.Sleep(5 * time.Second)
		}
	})
}

// One user's requests end in 500 for ever, as at servers that answer so to a
// dead refresh token.
func TestG17_AUserWhoseRefreshesEndIn500(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		ill := w.loginUsers(g, 1)[0]
		w.Fake.Inject(oauthtest.Match{GrantType: "refresh_token", UserID: ill}, oauthtest.Fault{Status: http.StatusInternalServerError}, -1)
		time.Sleep(2 * time.Hour)
		for range 100 { // until the process has seen many failures in a row
			_, err := g.Source(ill).Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(5 * time.Second)
		}
		w.Token(g)
	})
}

func TestG17_AnOddRefusalPolledForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		w.RefreshFault(odd, -1)
		time.Sleep(2 * time.Hour)
		before := 0
		for day, most := range []int{60, 50} {
			for range int(24 * time.Hour / (30 * time.Second)) {
				if _, err := g.Source(w.User).Token(t.Context()); err == nil {
					t.Fatal("Token() = nil, want an error")
				}
				time.Sleep(30 * time.Second)
			}
			if n := w.Refreshes() - before; n > most || n < 20 {
				t.Errorf("day %d: %d refreshes, want 20 to %d", day+1, n, most)
			}
			before = w.Refreshes()
		}
	})
}

// Servers that say in their own words that a refresh token is dead must not
// leave their users without a way to log in. The grant stays stored, because
// the words may have meant something else.
func TestAnOddRefusalThatRepeatsAsksTheUserToLogIn(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"dex: already claimed":            wire.JSON(400, `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`),
		"glewlwyd: 400 without a body":    {Status: 400},
		"LemonLDAP: invalid_request":      wire.JSON(400, `{"error":"invalid_request"}`),
		"a number as the code":            wire.JSON(400, `{"code":4711,"message":"no"}`),
		"422 with a code of the server's": wire.JSON(422, `{"error":"token_gone"}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(fault, -1)
				time.Sleep(2 * time.Hour)
				for waited := time.Duration(0); waited < 10*time.Minute; waited += 20 * time.Second {
					_, err := g.Source(w.User).Token(t.Context())
					testworld.WantIs(t, err, tokensource.ErrClient)
					time.Sleep(20 * time.Second)
				}
				time.Sleep(20 * time.Second)
				_, err := g.Source(w.User).Token(t.Context())
				testworld.WantReason(t, err, tokensource.ReasonRefused)
				if stored := w.inspect(); stored.Dead != "" || !stored.Refreshable {
					t.Errorf("the stored grant = %+v, want it alive", stored)
				}
				w.Fake.ClearFaults()
				time.Sleep(time.Hour)
				if tok := w.Token(g); !w.Works(tok) {
					t.Error("the grant did not revive when the server had recovered")
				}
			})
		})
	}
}

// A user who comes seldom is asked at the third refusal.
func TestAnOddRefusalOfAUserWhoComesEveryFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		w.RefreshFault(odd, -1)
		time.Sleep(2 * time.Hour)
		for i, want := range []error{tokensource.ErrClient, tokensource.ErrClient, tokensource.ErrReauthorize} {
			_, err := g.Source(w.User).Token(t.Context())
			testworld.WantIs(t, err, want)
			w.WantRefreshes(i + 1)
			time.Sleep(5 * time.Minute)
		}
	})
}

// The pause after refusals belongs to the tokens that were refused. A login
// brings others.
func TestALoginEndsThePauseAfterOddRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		w.RefreshFault(odd, -1)
		time.Sleep(2 * time.Hour)
		for range 120 {
			if _, err := g.Source(w.User).Token(t.Context()); err == nil {
				t.Fatal("Token() = nil, want an error")
			}
			time.Sleep(time.Minute)
		}
		w.Fake.ClearFaults()
		w.save(g, w.issue())
		w.renew(g, w.Token(g))
	})
}

// A refused client is no matter of the user, however long it lasts.
func TestARefusedClientNeverAsksTheUser(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"invalid_client":         wire.JSON(401, `{"error":"invalid_client"}`),
		"unauthorized_client":    wire.JSON(400, `{"error":"unauthorized_client"}`),
		"unsupported_grant_type": wire.JSON(400, `{"error":"unsupported_grant_type"}`),
		"invalid_scope":          wire.JSON(400, `{"error":"invalid_scope"}`),
		"a redirect":             {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/"}}},
		"a missing page":         {Status: 404},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(fault, -1)
				time.Sleep(2 * time.Hour)
				for range 120 {
					_, err := g.Source(w.User).Token(t.Context())
					testworld.WantIs(t, err, tokensource.ErrClient)
					time.Sleep(time.Minute)
				}
				w.Fake.ClearFaults()
				w.Token(g)
			})
		})
	}
}

// A replica with an old secret must not delay those with the right one: its
// failures are not in the shared record.
func TestAReplicaWithAnOldSecretDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		good := w.Process(nil)
		app := oauthtest.ConfidentialApp()
		old, err := oauth.New(w.Fake.Provider(""), oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret("the secret of last year"), RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
		}, &w.Options)
		if err != nil {
			t.Fatal(err)
		}
		w.Client = old
		bad := w.Process(nil)
		w.Login(good)
		for range 5 {
			time.Sleep(2 * time.Hour)
			for range 30 {
				_, err := bad.Source(w.User).Token(t.Context())
				testworld.WantIs(t, err, tokensource.ErrClient)
				time.Sleep(time.Second)
			}
			if stored := w.inspect(); stored.Failures != 0 || !stored.RetryAt.IsZero() {
				t.Errorf("the stored grant has %d failures and waits until %v, want none", stored.Failures, stored.RetryAt)
			}
			if tok := w.Token(good); !w.Works(tok) {
				t.Error("the good replica has no token that works")
			}
		}
		if n := w.Refreshes(); n > 60 {
			t.Errorf("%d refreshes, want the bad replica to space its own", n)
		}
	})
}

// The server granted, and has redeemed the old refresh token. What came cannot
// be sent as it is. The new refresh token is stored first, and the error says
// that this setup cannot work.
func TestTokensThatCannotBeSent(t *testing.T) {
	for name, body := range map[string]string{
		"an access token with a line break":   `{"access_token":"at\n1","token_type":"bearer","expires_in":3600,"refresh_token":"rt-new"}`,
		"an access token for a key":           `{"access_token":"at-1","token_type":"DPoP","expires_in":3600,"refresh_token":"rt-new"}`,
		"an access token that is there twice": `{"access_token":"at-1","access_token":"at-2","token_type":"bearer","refresh_token":"rt-new"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				w.RefreshFault(wire.JSON(http.StatusOK, body), -1)
				time.Sleep(2 * time.Hour)
				for range 2 { // the second call meets the pause
					_, err := g.Source(w.User).Token(t.Context())
					testworld.WantIs(t, err, tokensource.ErrClient)
					if errors.Is(err, tokensource.ErrTemporary) || !strings.Contains(err.Error(), "setup cannot use") {
						t.Errorf("Token() = %v, want an error that says that this setup cannot work", err)
					}
				}
				w.WantRefreshes(1)
				if stored := w.inspect(); stored.Dead != "" || !stored.Refreshable || stored.Doubts != 0 {
					t.Errorf("the stored grant = %+v, want it alive", stored)
				}
				w.wantStored("rt-new")
				for range int(24 * time.Hour / time.Minute) {
					_, _ = g.Source(w.User).Token(t.Context())
					time.Sleep(time.Minute)
				}
				if n := w.Refreshes(); n > 60 {
					t.Errorf("%d refreshes in a day, want pauses of up to an hour", n)
				}
			})
		})
	}
}

// The refresh token that came cannot be used. The access token can, and is used
// for its lifetime. An event tells the operator.
func TestARefreshTokenThatCannotBeUsed(t *testing.T) {
	for name, refresh := range map[string]string{
		"twice":             `"refresh_token":"rt-1","refresh_token":"rt-2"`,
		"with a line break": `"refresh_token":"rt\n1"`,
		"a number":          `"refresh_token":7`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				reason := ""
				w.OnEvent = func(e tokensource.Event) {
					if e.Kind == grant.EventRefreshed {
						reason = e.Reason
					}
				}
				w.RefreshFault(wire.JSON(http.StatusOK, `{"access_token":"at-1","token_type":"bearer","expires_in":3600,`+refresh+`}`), 1)
				time.Sleep(2 * time.Hour)
				for range 3 {
					if tok := w.Token(g); tok.AccessToken != "at-1" {
						t.Error("the access token of the answer is not used")
					}
					time.Sleep(15 * time.Minute)
				}
				w.WantRefreshes(1)
				if reason != "no usable refresh token" {
					t.Errorf("the event gives the reason %q", reason)
				}
			})
		})
	}
}

// wantStored fails the test unless refresh is the refresh token in the store.
func (w world) wantStored(refresh string) {
	w.Helper()
	grant.Change(w.T, w.Store.Store, w.keyOf(w.User), func(r *lease.Record) {
		if r.Token.Refresh != refresh {
			w.Errorf("the refresh token in the store = %q, want %q", r.Token.Refresh, refresh)
		}
	})
}

// A refresh token of a public client that the server does not replace could be
// copied and used beside the app, unnoticed. The event says so.
func TestARefreshTokenThatIsNotRotated(t *testing.T) {
	for name, tt := range map[string]struct {
		app    oauthtest.App
		answer string
		want   string
	}{
		"public client, no new refresh token":       {oauthtest.PublicApp(), `,"refresh_token":null`, "not rotated"},
		"public client, a new refresh token":        {oauthtest.PublicApp(), `,"refresh_token":"rt-2"`, ""},
		"confidential client, no new refresh token": {oauthtest.ConfidentialApp(), ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				r := oauth.Registration{ClientID: tt.app.ClientID, RedirectURL: tt.app.RedirectURLs[0], Scopes: testworld.Scopes}
				if secret := tt.app.Secret(); secret != "" {
					r.Credential = oauth.Secret(secret)
				}
				var err error
				if w.Client, err = oauth.New(w.Fake.Provider(""), r, &w.Options); err != nil {
					t.Fatal(err)
				}
				g := w.Process(nil)
				w.Login(g)
				reason := "no event"
				w.OnEvent = func(e tokensource.Event) {
					if e.Kind == grant.EventRefreshed {
						reason = e.Reason
					}
				}
				w.RefreshFault(wire.JSON(http.StatusOK, `{"access_token":"at-2","token_type":"bearer","expires_in":7200`+tt.answer+`}`), 1)
				time.Sleep(2 * time.Hour)
				w.Token(g)
				if reason != tt.want {
					t.Errorf("the event gives the reason %q, want %q", reason, tt.want)
				}
			})
		})
	}
}
