package grant_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// G7: A dead grant stays dead until a new authorization, and a logged-out grant
// is not brought back by a late write.
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

// G8: Outages end no grant, whatever status they come with.
func TestG8_OutagesAreNotDeath(t *testing.T) {
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

// The server says when it wants the next request.
func TestG9_ThePauseThatTheServerAskedForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		here, elsewhere := w.Process(nil), w.Process(nil)
		rejected := w.Login(here)
		w.RefreshFault(oauthtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"200"}}}, 1)
		for _, g := range []*grant.Keeper{here, elsewhere} {
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter != 200*time.Second {
				t.Errorf("Renew() = %+v, want an error that says to wait for 200s", err)
			}
		}
		time.Sleep(199 * time.Second)
		_, err := elsewhere.Source(w.User).Renew(t.Context(), rejected)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		w.WantRefreshes(1)
		time.Sleep(time.Second)
		w.renew(elsewhere, rejected)
		w.WantRefreshes(2)
	})
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
			w.Login(g, user)
			users = append(users, user)
		}
		time.Sleep(time.Minute)
		w.RefreshFault(oauthtest.Fault{Status: 503}, -1)
		const outage = 10 * time.Minute
		for range int(outage / (15 * time.Second)) {
			for _, user := range users {
				_, err := g.Source(user).Token(t.Context())
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter <= 0 {
					t.Fatalf("error = %v, want one that says when to retry", err)
				}
			}
			time.Sleep(15 * time.Second)
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
			w.Login(g, user)
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
