package upkeep_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

func TestGrantsInEachState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := []oauthtest.User{}
		for _, name := range []string{"alive", "expiring", "failing", "in doubt", "dead", "ended", "unsaved"} {
			users = append(users, oauthtest.User{ID: name, Username: strings.ReplaceAll(name, " ", "")})
		}
		w := newWorld(t, plain(0), users...)
		view := &testworld.HookedStore{Store: w.store.Store}
		k, other := w.keeper(), w.keeper(view)
		for _, u := range users {
			if u.ID == "expiring" {
				w.login(k, u.ID, "refresh_token_expires_at=240h")
			} else {
				w.login(k, u.ID)
			}
		}
		time.Sleep(9*day + time.Minute)
		renew := func(k *grant.Keeper, user string) { _, _ = k.Source(user).Token(t.Context()) }
		w.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Status: 503}, 1)
		renew(k, "failing")
		if err := w.RevokeGrant("dead", w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		renew(k, "dead")
		if err := k.Forget(t.Context(), "ended"); err != nil {
			t.Fatal(err)
		}
		// The store takes no tokens of one user. Another user's process dies.
		w.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Commit: true, Drop: true}, 1)
		renew(k, "in doubt")
		writes := 0
		w.store.On(func(_ context.Context, op string) error {
			if op == "put" {
				if writes++; writes > 1 {
					return testworld.ErrStore
				}
			}
			return nil
		})
		renew(k, "unsaved")
		want := map[string]upkeep.State{
			"alive": upkeep.Alive, "expiring": upkeep.Expiring, "failing": upkeep.Failing, "dead": upkeep.Dead, "ended": upkeep.Ended, "unsaved": upkeep.Unsaved,
			"in doubt": upkeep.Alive, // the process may still be at work
		}
		if got := w.list(k); !maps.Equal(got, want) {
			t.Errorf("the states are %v, want %v", got, want)
		}
		time.Sleep(5 * time.Minute)
		want["in doubt"] = upkeep.InDoubt
		if got := w.list(k); !maps.Equal(got, want) {
			t.Errorf("after five minutes the states are %v, want %v", got, want)
		}
		want["unsaved"] = upkeep.InDoubt // as another process sees it
		if got := w.list(other); !maps.Equal(got, want) {
			t.Errorf("another process has the states %v, want %v", got, want)
		}
		w.store.On(nil)
		for e, err := range upkeep.Grants(t.Context(), &upkeep.Query{States: []upkeep.State{upkeep.Dead, upkeep.Expiring}}, k) {
			if err != nil || e.State == upkeep.Dead && e.Dead == "" || e.State == upkeep.Expiring && e.Ends.Sub(start) != 10*day || string(e.State) != e.Subject {
				t.Errorf("a list of two states has %s of %s with the end %v, %v", e.State, e.Subject, e.Ends, err)
			}
		}
	})
}

func TestGrantsByPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := people(57)
		w := newWorld(t, plain(0), users...)
		k := w.keeper()
		for _, u := range users {
			w.login(k, u.ID)
		}
		var seen []string
		pages := 0
		for q := (&upkeep.Query{Limit: 10}); ; pages++ {
			before := len(seen)
			for e, err := range upkeep.Grants(t.Context(), q, k) {
				if err != nil {
					t.Fatal(err)
				}
				seen = append(seen, e.Subject)
				q.After = e.Key
			}
			if n := len(seen) - before; n == 0 {
				break
			} else if n != 10 && len(seen) != len(users) {
				t.Errorf("a page has %d grants, want 10", n)
			}
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != len(users) || pages != 6 {
			t.Errorf("%d pages have %d different grants, want 6 and %d", pages, len(seen), len(users))
		}
	})
}

// A list reads what the caller looks at, and no more than sixteen at once.
func TestGrantsReadsWhatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := people(100)
		w := newWorld(t, plain(0), users...)
		k := w.keeper()
		for _, u := range users {
			w.login(k, u.ID)
		}
		reads := make(chan struct{}, 1000)
		w.store.On(func(_ context.Context, op string) error {
			if op == "get" {
				reads <- struct{}{}
			}
			return nil
		})
		for _, err := range upkeep.Grants(t.Context(), nil, k) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if n := len(reads); n > 16 {
			t.Errorf("for one grant of the list %d were read, want at most 16", n)
		}
	})
}

func TestGrantsRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		w.login(k, oauthtest.DefaultUser().ID)
		plainStore, err := grant.New(w.client, w.store, &grant.Options{InsecurePlainStore: true, DueInterval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = plainStore.Close() }()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for name, tt := range map[string]struct {
			ctx     context.Context
			keepers []*grant.Keeper
			want    string
		}{
			"no Keeper":                         {t.Context(), nil, "no Keeper"},
			"a nil Keeper":                      {t.Context(), []*grant.Keeper{k, nil}, "nil Keeper"},
			"a store that cannot list its keys": {t.Context(), []*grant.Keeper{plainStore}, "Lister"},
			"a context that ended":              {gone, []*grant.Keeper{k}, "canceled"},
		} {
			n := 0
			for e, err := range upkeep.Grants(tt.ctx, nil, tt.keepers...) {
				if n++; err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: Grants() = %v, %v, want an error with %q", name, e, err, tt.want)
				}
			}
			if n != 1 {
				t.Errorf("%s: Grants() has %d elements, want the error alone", name, n)
			}
			if tt.ctx == gone {
				continue
			}
			if _, err := upkeep.Start(nil, tt.keepers...); err == nil {
				t.Errorf("%s: Start() = nil, want an error", name)
			}
		}
		w.store.On(testworld.Failing("get"))
		for _, err := range upkeep.Grants(t.Context(), nil, k) {
			if !errors.Is(err, testworld.ErrStore) {
				t.Errorf("Grants() of a store that fails = %v, want its error", err)
			}
		}
	})
}

func TestStartRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		for name, o := range map[string]upkeep.Options{
			"a negative rate":      {PerMinute: -1},
			"a negative interval":  {Interval: -1},
			"a negative idle life": {IdleLife: -1},
			"the largest rate":     {PerMinute: math.MaxInt},
			"a rate above 60,000":  {PerMinute: 60_001},
			"the longest interval": {Interval: math.MaxInt64},
			"two days":             {Interval: 48 * time.Hour},
			"the longest life":     {IdleLife: math.MaxInt64},
		} {
			if _, err := upkeep.Start(&o, k); err == nil {
				t.Errorf("Start with %s = nil, want an error", name)
			}
		}
	})
}

// Keepers of two stores are two lists, two workers and two probes. Otherwise
// the grants in the second store would be left out without a word.
func TestKeepersOfTwoStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := newWorld(t, plain(0)).keeper(), newWorld(t, plain(0)).keeper()
		if _, err := upkeep.Start(nil, one, other); err == nil {
			t.Error("Start with Keepers of two stores = nil, want an error")
		}
		if _, err := upkeep.Ready(nil, one, other); err == nil {
			t.Error("Ready with Keepers of two stores = nil, want an error")
		}
		for _, err := range upkeep.Grants(t.Context(), nil, one, other) {
			if err == nil {
				t.Error("Grants() of Keepers of two stores = no error, want one")
			}
		}
	})
}

// Records of somebody else are left out, and so are those that nobody here can
// read.
func TestGrantsOfOthersAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(10*day))
		k := w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(k, user)
		for _, key := range []string{"grant.damaged", "sessions.x", "due.00.x"} {
			if _, err := w.store.Put(t.Context(), key, []byte("nonsense"), 0); err != nil {
				t.Fatal(err)
			}
		}
		var record storage.Record
		for e, err := range upkeep.Grants(t.Context(), nil, k) {
			if err != nil || e.Subject != user {
				t.Errorf("Grants() = %s, %v, want the grant of the user alone", e.Subject, err)
			}
			if record, err = w.store.Get(t.Context(), e.Key); err != nil {
				t.Fatal(err)
			}
		}
		// A grant of another client, as its own record and under the key of another.
		if _, err := w.store.Put(t.Context(), "grant.other", record.Value(), 0); err != nil {
			t.Fatal(err)
		}
		other := newWorld(t, plain(10*day))
		other.store = w.store
		p := plain(10 * day)
		p.Issuer = "https://other.example"
		other.client = clientOf(t, other.Server, p)
		for e, err := range upkeep.Grants(t.Context(), nil, other.keeper()) {
			t.Errorf("Grants() of another client = %s, %v, want none", e.Subject, err)
		}
	})
}
