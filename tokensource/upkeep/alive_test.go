package upkeep_test

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

func TestTenThousandIdleGrantsStayAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := people(10_000)
		w := newWorld(t, plain(10*day), users...)
		k := w.keeper()
		for _, u := range users {
			w.login(k, u.ID)
		}
		w.start(&upkeep.Options{Interval: time.Hour}, k)
		most := 0
		for last := 0; time.Since(start) < 11*day/2; {
			time.Sleep(time.Minute)
			n := w.TokenCalls("refresh_token")
			most = max(most, n-last)
			last = n
		}
		if most > 61 { // the ends of a minute can be in two of them
			t.Errorf("there were %d refreshes in a minute, want at most 60", most)
		}
		if n := w.TokenCalls("refresh_token"); n != len(users) {
			t.Errorf("in 5.5 of 10 days without a use there were %d refreshes, want one for each of %d grants", n, len(users))
		}
		for _, g := range w.Grants() {
			if g.LiveRefresh != 1 || g.Refreshes != 1 {
				t.Fatalf("after 5.5 days a grant has %d refreshes and %d live refresh tokens, want 1 and 1", g.Refreshes, g.LiveRefresh)
			}
		}
	})
}

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of a bubble

func TestAnIdleGrantStaysAlive(t *testing.T) {
	instagram, err := provider.Get("instagram")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		p           *provider.Provider
		o           upkeep.Options
		after       time.Duration
		least, most int // refreshes until then
	}{
		{"an idle life of 14 days", plain(14 * day), upkeep.Options{}, 15 * day, 2, 2},
		{"an idle life of 30 days", plain(30 * day), upkeep.Options{}, 16 * day, 1, 1},
		{"an idle life of an hour", plain(time.Hour), upkeep.Options{Interval: time.Minute}, 2 * day, 90, 120},
		{"an idle life that only the program knows", plain(0), upkeep.Options{IdleLife: 10 * day}, 11 * day, 2, 2},
		{"no idle life", plain(0), upkeep.Options{}, 5 * day, 0, 0},
		{"access tokens that are traded", instagram, upkeep.Options{}, 33 * day, 2, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.p)
				k := w.keeper()
				user := oauthtest.DefaultUser().ID
				w.login(k, user)
				w.start(&tt.o, k)
				time.Sleep(tt.after)
				if g := w.Grants()[0]; g.Refreshes > tt.most || g.Refreshes < tt.least {
					t.Errorf("in %v there were %d refreshes, want %d to %d", tt.after, g.Refreshes, tt.least, tt.most)
				}
				if _, err := k.Source(user).Token(t.Context()); err != nil {
					t.Errorf("after %v without a use Token() = %v, want a token", tt.after, err)
				}
			})
		})
	}
}

// Grants that are used need no refresh of the worker.
func TestGrantsInUseAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(20*day))
		k := w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(k, user)
		w.start(nil, k)
		for i := range 5 {
			time.Sleep(5 * day)
			if _, err := k.Source(user).Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := w.Grants()[0].Refreshes; n != i+1 {
				t.Fatalf("after %d uses there were %d refreshes, want one for each", i+1, n)
			}
		}
	})
}

// A refresh that fails is repeated after a tenth of the idle life, however many
// processes there are.
func TestAGrantThatFailsIsTriedInEachTenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(20*day))
		k := w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(k, user)
		w.start(nil, k)
		time.Sleep(3 * time.Minute)
		w.start(nil, w.keeper()) // which would look at other times, if it worked
		time.Sleep(7 * day)
		w.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Status: 503}, -1)
		before := w.TokenCalls("refresh_token")
		for range 10 {
			time.Sleep(day)
			before = min(before, w.TokenCalls("refresh_token"))
		}
		if n := w.TokenCalls("refresh_token") - before; n < 4 || n > 5 {
			t.Errorf("in half of the idle life there were %d attempts, want one in each tenth", n)
		}
		if n := len(w.saw(upkeep.EventFailing)); n != 1 {
			t.Errorf("a grant that fails for 10 days was reported %d times, want once", n)
		}
	})
}

// A process is killed at a random moment: its store and its server answer no
// more. Another one takes over.
func TestAnotherProcessTakesOver(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			const n = 30
			users := people(n)
			p := plain(2 * day)
			p.RefreshTokens.Grace = time.Hour
			w := newWorld(t, p, users...)
			view := &testworld.HookedStore{Store: w.store.Store}
			first, second := w.keeper(view), w.keeper()
			for _, u := range users {
				w.login(second, u.ID)
			}
			a := w.start(nil, first)
			w.start(nil, second)
			time.Sleep(19 * time.Hour)                                             // before the first refresh
			w.Set(func(k *oauthtest.Knobs) { k.Latency = 400 * time.Millisecond }) // the worker begins one each second
			for kill := int(random.Uint64N(n)); len(w.saw(grant.EventRefreshed)) < kill; {
				time.Sleep(time.Second)
			}
			time.Sleep(time.Duration(random.Uint64N(uint64(time.Second))))
			view.On(testworld.Hanging)
			time.Sleep(27*time.Hour - time.Since(start))
			if got := w.TokenCalls("refresh_token"); got < n || got > n+1 {
				t.Errorf("seed %d: there were %d refreshes of %d grants, want at most one more", seed, got, n)
			}
			for subject, state := range w.list(second) {
				if state != upkeep.Alive {
					t.Errorf("seed %d: after a takeover the grant of %s is %s, want it alive", seed, subject, state)
				}
			}
			_ = a.Close()
			_ = first.Close()
		})
	}
}

func TestOneProcessWorksAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := people(100)
		w := newWorld(t, plain(20*day), users...)
		k := w.keeper()
		for _, u := range users {
			w.login(k, u.ID)
		}
		workers := []*upkeep.Worker{w.start(nil, k), w.start(nil, w.keeper()), w.start(nil, w.keeper())}
		time.Sleep(9 * day)
		for _, worker := range workers { // each of them stops in the midst of it, and may be closed twice
			for range 2 {
				if err := worker.Close(); err != nil {
					t.Errorf("Close() = %v, want nil", err)
				}
			}
			before := w.TokenCalls("refresh_token")
			time.Sleep(time.Hour)
			if worker == workers[2] && w.TokenCalls("refresh_token") != before {
				t.Error("after the last Close there were refreshes")
			}
		}
		if n := w.TokenCalls("refresh_token"); n > len(users) {
			t.Errorf("three processes made %d refreshes of %d grants", n, len(users))
		}
	})
}

// A process that dies is succeeded within its term and the skew of two clocks,
// whatever the clocks of the others show.
func TestASuccessorWaitsForMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(20*day))
		view := &testworld.HookedStore{Store: w.store.Store}
		dying, k := w.keeper(view), w.keeper()
		w.login(k, oauthtest.DefaultUser().ID, "refresh_token_expires_at=100m")
		w.start(&upkeep.Options{Interval: time.Second}, dying)
		time.Sleep(80 * time.Minute)
		w.start(&upkeep.Options{Interval: time.Second}, k)
		time.Sleep(10*time.Minute - time.Second)
		view.On(testworld.Failing("get", "put"))
		time.Sleep(8 * time.Minute)
		warnings := w.saw(upkeep.EventEnding)
		if len(warnings) != 1 {
			t.Fatalf("there were %d warnings after a process died, want 1", len(warnings))
		}
		if late := warnings[0].Time.Sub(start) - 90*time.Minute; late > 7*time.Minute {
			t.Errorf("the warning came %v late, want it within seven minutes", late)
		}
	})
}

// The Keepers of tenants share an engine, and come and go. The worker finds
// them by the owner of a grant.
func TestGrantsOfTenantsStayAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(20*day))
		k := w.keeper()
		second := oauthtest.App{ClientID: "tenant", RedirectURLs: []string{"https://tenant.example/callback"}}.WithSecret("tenant-secret")
		if err := w.Register(second); err != nil {
			t.Fatal(err)
		}
		client, err := oauth.New(w.Provider(""), oauth.Registration{
			ClientID: second.ClientID, Credential: oauth.Secret(second.Secret()), RedirectURL: second.RedirectURLs[0], Scopes: []string{"read"},
		}, &oauth.Options{HTTPClient: &http.Client{Transport: w.Transport()}})
		if err != nil {
			t.Fatal(err)
		}
		tenant, err := grant.New(client, k.Store(), &grant.Options{With: k, InsecurePlainStore: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tenant.Close() }()
		user := oauthtest.DefaultUser().ID
		w.login(k, user)
		w.client = client
		w.login(tenant, user)
		asked := map[string]bool{}
		find := func(_, clientID string) *grant.Keeper {
			asked[clientID] = true
			if clientID == second.ClientID {
				return tenant
			}
			return nil
		}
		worker := w.start(&upkeep.Options{Find: find}, k)
		time.Sleep(11 * day)
		for _, g := range w.Grants() {
			if g.Refreshes != 1 {
				t.Errorf("after 11 of 20 days without a use the grant to %s has %d refreshes, want 1", g.ClientID, g.Refreshes)
			}
		}
		_ = worker.Close()
		if len(asked) != 1 {
			t.Errorf("Find was asked for %v, want the tenant alone", asked)
		}
	})
}
