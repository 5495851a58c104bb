package grant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// tenant is a client of its own at the world's server, with a Keeper that joins
// another one.
type tenant struct {
	world
	*grant.Keeper
}

// register makes an app known to the server, and returns a client for it.
func (w world) register(clientID, secret string) *oauth.Client {
	w.Helper()
	app := oauthtest.ConfidentialApp().WithSecret(secret)
	app.ClientID = clientID
	if err := w.Fake.Register(app); err != nil {
		w.Fatal(err)
	}
	client, err := oauth.New(w.Fake.Provider(""), oauth.Registration{
		ClientID: clientID, Credential: oauth.Secret(secret), RedirectURL: app.RedirectURLs[0], Scopes: testworld.Scopes,
	}, &w.Options)
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// join returns a tenant whose Keeper joins another one.
func (w world) join(with *grant.Keeper, client *oauth.Client) tenant {
	w.Helper()
	k, err := grant.New(client, with.Store(), &grant.Options{With: with, InsecurePlainStore: true})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = k.Close() })
	own := &testworld.World{T: w.T, Fake: w.Fake, Client: client, Store: w.Store, User: w.User, Options: w.Options}
	return tenant{world{own}, k}
}

// tenants returns tenants that share one engine. Its first Keeper is closed.
func (w world) tenants(n int, o *grant.Options) []tenant {
	w.Helper()
	first := w.Process(o)
	if err := first.Close(); err != nil {
		w.Fatal(err)
	}
	var list []tenant
	for i := range n {
		list = append(list, w.join(first, w.register(fmt.Sprint("tenant-", i), fmt.Sprint("secret-of-tenant-", i, "-0123456789"))))
	}
	return list
}

// get returns the user's token, and fails the test if there is none.
func (n tenant) get() *oauth2.Token {
	n.Helper()
	tok, err := n.Source(n.User).Token(n.Context())
	if err != nil {
		n.Fatalf("Token() of %s = %v, want a token", n.world.Client.ClientID(), err)
	}
	return tok
}

// Twelve tenants of one server have 25 callers each, more than there are places
// in flight. The tenant of another server waits for none of them.
func TestG17_TwelveTenantsOfAServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(12, nil)
		quick, dead := w.elsewhere(list[0].Keeper)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathToken}, oauthtest.Fault{Hang: true}, -1)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for i, slow := range list {
			for j := range 25 {
				user := fmt.Sprint(1000 + 25*i + j)
				tok := w.authorize(user, slow)
				callers.Go(func() { _, _ = slow.Source(user).Renew(ctx, tok) })
			}
		}
		w.atOnce(func() {
			if _, err := quick.Source(w.User).Renew(t.Context(), dead); err != nil {
				t.Errorf("Renew() of the tenant of another server = %v, want a token", err)
			}
		})
		cancel()
		callers.Wait()
	})
}

// The revocations of eight tenants hang, more than there are places. A user of
// the tenant of another server logs out at once.
func TestG17_EightTenantsOfAServerWhoseRevocationsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(8, nil)
		quick, _ := w.elsewhere(list[0].Keeper)
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Hang: true}, -1)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for i, slow := range list {
			for j := range 16 {
				user := fmt.Sprint(1000 + 16*i + j)
				w.authorize(user, slow)
				callers.Go(func() { _ = slow.Logout(ctx, user) })
			}
		}
		w.atOnce(func() {
			if err := quick.Logout(t.Context(), w.User); err != nil {
				t.Errorf("Logout() at another server = %v, want nil", err)
			}
		})
		cancel()
		callers.Wait()
	})
}

// Four servers hang, with more callers and logouts each than there are places
// for all. The tenant of a fifth one waits for none of them.
func TestG17_FourServersThatHangAndOneThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		first := w.tenants(1, nil)[0]
		quick, dead := w.elsewhere(first.Keeper)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for i := range 4 {
			server, slow := w.another(first.Keeper, fmt.Sprintf("https://as-%d.example", i))
			server.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
			for j := range 300 {
				user := fmt.Sprint(1000 + j)
				tok := w.issuedBy(server, slow, user)
				callers.Go(func() { _, _ = slow.Source(user).Renew(ctx, tok) })
				if j < 30 {
					leaves := user + "-leaves"
					w.issuedBy(server, slow, leaves)
					callers.Go(func() { _ = slow.Logout(ctx, leaves) })
				}
			}
		}
		w.atOnce(func() {
			if _, err := quick.Source(w.User).Renew(t.Context(), dead); err != nil {
				t.Errorf("Renew() of the tenant of another server = %v, want a token", err)
			}
			if err := quick.Logout(t.Context(), w.User); err != nil {
				t.Errorf("Logout() at another server = %v, want nil", err)
			}
		})
		cancel()
		callers.Wait()
	})
}

// atOnce calls f when all callers of a server that hangs wait, and fails if f
// waits as well.
func (w world) atOnce(f func()) {
	w.Helper()
	synctest.Wait()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > 0 { // by the clock of the bubble
		w.Errorf("a tenant waited %v for the server of another one", took)
	}
}

// elsewhere returns a tenant of another server, which joins with, and the token
// of the user there.
func (w world) elsewhere(with *grant.Keeper) (tenant, *oauth2.Token) {
	w.Helper()
	other, n := w.another(with, "https://elsewhere.example")
	return n, w.issuedBy(other, n, w.User)
}

// another returns another server, and a tenant there, which joins with.
func (w world) another(with *grant.Keeper, origin string) (*oauthtest.Server, tenant) {
	w.Helper()
	p := &provider.Provider{
		Name: "other", AuthorizationURL: origin + "/authorize", TokenURL: origin + "/token", RevocationURL: origin + "/revoke",
		APIOrigins: []string{"https://api.other.example"},
	}
	other, app := oauthtest.New(w.T, &oauthtest.Options{Provider: p}), oauthtest.ConfidentialApp()
	client, err := oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"read"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: other.Transport()}})
	if err != nil {
		w.Fatal(err)
	}
	return other, w.join(with, client)
}

// issuedBy saves a grant of a user at another server, and returns the token.
func (w world) issuedBy(other *oauthtest.Server, n tenant, user string) *oauth2.Token {
	w.Helper()
	if user != w.User {
		if err := other.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
			w.Fatal(err)
		}
	}
	access, refresh, err := other.IssueToken(user, n.Client().ClientID(), "read")
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "Bearer"}
	if _, err := n.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

// authorize adds a user to the server, who has a grant for a tenant, and
// returns the token.
func (w world) authorize(user string, n tenant) *oauth2.Token {
	w.Helper()
	if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
		w.Fatal(err)
	}
	access, refresh, err := w.Fake.IssueToken(user, n.Client().ClientID(), testworld.Scopes...)
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer"}
	if _, err := n.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
	return tok
}

// One user of three tenants has three grants. What happens to one of them does
// not touch the others (M8).
func TestOneUserOfThreeTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(3, nil)
		tokens := map[string]bool{}
		for _, n := range list {
			tokens[n.Login(n.Keeper).AccessToken] = true
		}
		for _, n := range list {
			tokens[n.get().AccessToken] = true
		}
		if len(tokens) != len(list) {
			t.Errorf("%d tenants have %d tokens, want one each", len(list), len(tokens))
		}
		a, b, c := list[0], list[1], list[2]
		_, err := b.Token(a.WithSubject(t.Context(), w.User))
		testworld.WantIs(t, err, tokensource.ErrNoSubject)

		before := b.get().AccessToken
		if got := a.renew(a.Keeper, a.get()); got.AccessToken == before {
			t.Error("Renew() of one tenant = the token of another one")
		}
		if err := c.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		_, err = c.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if got := b.get().AccessToken; got != before {
			t.Errorf("the token of a tenant = another one after the others renewed and logged out")
		}
		if g, err := b.Grant(t.Context(), w.User); err != nil || g.ClientID != "tenant-1" {
			t.Errorf("Grant() = client %q, %v, want tenant-1", g.ClientID, err)
		}
	})
}

// A tenant goes. Its own work ends, and that of the others goes on: reads,
// renewals, notifications of the store.
func TestATenantIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		store := storage.NewMemory() // notifies
		first := w.ProcessOn(store, &grant.Options{Recheck: time.Hour})
		a := w.join(first, w.register("a", "secret-a-0123456789"))
		b := w.join(first, w.register("b", "secret-b-0123456789"))
		rejected := b.Login(b.Keeper)
		for range 2 {
			if err := errors.Join(a.Close(), first.Close()); err != nil {
				t.Fatalf("Close() = %v, want none", err)
			}
		}
		_, err := a.Save(t.Context(), w.User, w.issue())
		testworld.WantIs(t, err, tokensource.ErrClosed)
		b.renew(b.Keeper, rejected)

		elsewhere := w.ProcessOn(store, nil) // of the world's client, so another one than b
		if err := elsewhere.Close(); err != nil {
			t.Fatal(err)
		}
		other, err := grant.New(b.world.Client, store, &grant.Options{DueInterval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close() //nolint:errcheck // it has nothing to write
		if err := other.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, err = b.Source(w.User).Token(t.Context()) // long before the recheck
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

// Two Keepers of one registration in one engine refresh a token once, and see
// each other's logouts.
func TestTheSameRegistrationTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		first := w.Process(nil)
		client := w.register("tenant", "secret-0123456789")
		a, b := w.join(first, client), w.join(first, client)
		dead := a.Login(a.Keeper)
		var calls sync.WaitGroup
		for i := range 40 {
			calls.Go(func() {
				k := []tenant{a, b}[i%2]
				if _, err := k.Source(w.User).Renew(t.Context(), dead); err != nil {
					t.Errorf("Renew() = %v, want a token", err)
				}
			})
		}
		calls.Wait()
		if n := w.Refreshes(); n != 1 {
			t.Errorf("two Keepers of one registration sent %d refreshes for one token, want 1", n)
		}
		if got, want := a.get().AccessToken, b.get().AccessToken; got != want {
			t.Error("two Keepers of one registration have two tokens, want one")
		}
		if err := a.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		_, err := b.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		b.Login(b.Keeper)
		b.get()
	})
}

// A tenant gets a new secret. The Keeper with the old one fails, and its
// failures delay neither the Keeper with the new one nor other tenants (G17).
func TestANewSecretOfATenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(2, nil)
		old, other := list[0], list[1]
		dead, others := old.Login(old.Keeper), other.Login(other.Keeper)
		client := w.register("tenant-0", "the-new-secret-0123456789")
		for range 10 { // enough to limit the attempts of the old one
			if _, err := old.Source(w.User).Renew(t.Context(), dead); !errors.Is(err, tokensource.ErrClient) {
				t.Fatalf("Renew() with the old secret = %v, want ErrClient", err)
			}
			time.Sleep(time.Second)
		}
		renewed := w.join(old.Keeper, client)
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		renewed.renew(renewed.Keeper, dead)
		other.renew(other.Keeper, others)
	})
}

// The server of one tenant hangs. The others go on: its requests do not take
// all places (G17).
func TestG17_AServerThatHangsHoldsUpNoOtherTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(2, nil)
		slow, quick := list[0], list[1]
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathToken, ClientID: "tenant-0"}, oauthtest.Fault{Hang: true}, -1)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for i := range 300 {
			user := fmt.Sprint(1000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			tok := slow.Login(slow.Keeper, user)
			callers.Go(func() {
				if _, err := slow.Source(user).Renew(ctx, tok); err == nil {
					t.Error("Renew() at a server that hangs = nil, want an error")
				}
			})
		}
		dead := quick.Login(quick.Keeper)
		w.atOnce(func() { quick.renew(quick.Keeper, dead) })
		cancel()
		callers.Wait()
	})
}

// One process works off what is due for all tenants, those of closed Keepers
// excepted: another process has them, or will.
func TestG20_TheDueWorkOfAllTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(20, &grant.Options{DueInterval: everySecond})
		w.revocationsFail(40)
		for _, n := range list {
			n.Login(n.Keeper)
			if err := n.Logout(t.Context(), w.User); err == nil {
				t.Error("Logout() = nil though the server answers 503")
			}
		}
		gone := list[0]
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * oneRound)
		if n := w.live(); n != 1 {
			t.Errorf("refresh tokens that live after the background had time = %d, want that of the closed Keeper", n)
		}
		w.join(list[1].Keeper, gone.world.Client)
		time.Sleep(2 * oneRound)
		if n := w.live(); n != 0 {
			t.Errorf("refresh tokens that live after the tenant has returned = %d, want none", n)
		}
		time.Sleep(25*time.Hour + oneRound)
		if n := len(w.grants()); n != 0 {
			t.Errorf("grants in the store a day later = %d, want none", n)
		}
	})
}

// The index forgets the grants of a client that no process has had for a month.
func TestTheDueWorkOfAClientThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		list := w.tenants(2, &grant.Options{DueInterval: 10 * time.Minute})
		gone := list[0]
		gone.Login(gone.Keeper)
		if err := errors.Join(gone.Logout(t.Context(), w.User), gone.Close()); err != nil {
			t.Fatal(err)
		}
		named := func() bool {
			key := gone.keyOf(w.User)
			part, err := w.Store.Store.Get(t.Context(), grant.PartOf(key))
			return err == nil && strings.Contains(string(part.Value()), key)
		}
		time.Sleep(29 * 24 * time.Hour)
		if !named() {
			t.Error("the index has forgotten the grant after 29 days, want it kept for 30")
		}
		time.Sleep(3 * 24 * time.Hour)
		if named() {
			t.Error("the index names the grant after 32 days, want it forgotten")
		}
	})
}

// The last Keeper that is closed ends the work in the background. The next one
// that joins begins it again.
func TestAnEngineWithoutTenantsRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		n := w.tenants(1, &grant.Options{DueInterval: everySecond})[0]
		reads := 0
		w.Store.On(func(context.Context, string) error { reads++; return nil })
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		reads = 0
		time.Sleep(time.Hour)
		if reads != 0 {
			t.Errorf("an engine without tenants made %d calls of the store in an hour, want none", reads)
		}
		w.join(n.Keeper, n.world.Client)
		time.Sleep(time.Minute)
		synctest.Wait()
		if reads == 0 {
			t.Error("an engine with a tenant made no call of the store in a minute, want the work in the background")
		}
	})
}

func TestWithRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.Process(nil)
		for name, test := range map[string]struct {
			store storage.Store
			o     grant.Options
		}{
			"another store":     {storage.NewMemory(), grant.Options{}},
			"a wrapped store":   {&testworld.HookedStore{Store: first.Store()}, grant.Options{}},
			"its own CacheSize": {first.Store(), grant.Options{CacheSize: 10}},
			"its own timeout":   {first.Store(), grant.Options{StoreTimeout: time.Second}},
			"its own interval":  {first.Store(), grant.Options{DueInterval: -1}},
		} {
			test.o.With, test.o.InsecurePlainStore = first, true
			if _, err := grant.New(w.Client, test.store, &test.o); err == nil || !strings.Contains(err.Error(), "Options.With") {
				t.Errorf("New() with %s = %v, want an error that names Options.With", name, err)
			}
		}
	})
}
