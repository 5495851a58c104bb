package grant_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// million is a store with the grants of a million subjects.
type million struct {
	testworld.HookedStore
	values map[string][]byte // by key, of those who will be asked for
	reads  int
}

func (m *million) Get(_ context.Context, key string) (storage.Record, error) {
	m.reads++
	return storage.NewRecord(m.values[key], 1), nil
}

func TestG10_MemoryIsOfActiveSubjectsOnly(t *testing.T) {
	const known, active, limit = 1_000_000, 10_000, 64 << 20
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &million{values: map[string][]byte{}}
		g := w.ProcessOn(store, nil)
		stored := lease.Token{
			ID: "t", Access: strings.Repeat("a", 90), Type: "bearer", Refresh: strings.Repeat("r", 90),
			Obtained: time.Now(), Expiry: time.Now().Add(48 * time.Hour),
		}
		var contexts []context.Context
		for i := range active {
			subject := strconv.Itoa(i * (known / active))
			store.values[w.keyOf(subject)] = grant.StoredBytes(g, subject, stored)
			contexts = append(contexts, g.WithSubject(t.Context(), subject))
		}
		synctest.Wait()
		goroutines, before := bubble.Goroutines(), heap()
		for _, ctx := range contexts {
			if _, err := g.Token(ctx); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if used := heap() - before; used > limit {
			t.Errorf("%d active subjects cost %d MiB, want at most %d", active, used>>20, limit>>20)
		}
		if n := grant.CacheSize(g); n != active {
			t.Errorf("grants in memory = %d, want %d", n, active)
		}
		if n := bubble.Goroutines(); n > goroutines {
			t.Errorf("goroutines = %d with %d active subjects, %d without", n, active, goroutines)
		}
		// There is no timer per subject. A subject that nobody uses costs nothing,
		// also when the cache could forget it.
		reads := store.reads
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if store.reads != reads || w.Refreshes() != 0 {
			t.Errorf("a day without calls led to %d reads and %d refreshes, want none", store.reads-reads, w.Refreshes())
		}
		runtime.KeepAlive(g)
	})
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// G10: Memory, records and requests in flight are bounded.
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

func TestG10_LostAnswersAreRememberedForTenMinutesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.RefreshFault(oauthtest.Fault{Drop: true}, -1)
		for i := range 2000 {
			user := fmt.Sprint(100_000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			tok := w.Login(g, user)
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

// inFlight counts the requests to one path that are under way.
type inFlight struct {
	base      http.RoundTripper
	path      string
	now, most atomic.Int64
}

func (c *inFlight) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == c.path {
		n := c.now.Add(1)
		defer c.now.Add(-1)
		c.most.Store(max(n, c.most.Load()))
	}
	return c.base.RoundTrip(r)
}

func TestG10_RevocationsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		count := &inFlight{base: w.Fake.Transport(), path: xapi.PathRevoke}
		w.Options.HTTPClient = &http.Client{Transport: count}
		w.Client = w.NewClient(&w.Options)
		g := w.Process(nil)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		const users = 50
		var logouts sync.WaitGroup
		for i := range users {
			user := fmt.Sprint(1000 + i)
			if err := w.Fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.Login(g, user)
			logouts.Go(func() {
				if err := g.Logout(t.Context(), user); err != nil {
					t.Error(err)
				}
			})
		}
		logouts.Wait()
		if n := count.most.Load(); n > 16 || n < 2 {
			t.Errorf("of %d logouts at once, %d requests were under way at once, want at most 16", users, n)
		}
	})
}
