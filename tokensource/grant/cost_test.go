package grant_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

func TestCachedTokenCostsNoAllocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		one := g.Source(w.User)
		ready, oneReady := g.ReadyFor(g), one.ReadyFor(one)
		ctx := tokensource.WithSubject(t.Context(), w.User)
		for name, read := range map[string]func() error{
			"Keeper.Token":         func() error { _, err := g.Token(ctx); return err },
			"Keeper.Authorization": func() error { _, _, err := ready.Authorization(ctx); return err },
			"Source.Token":         func() error { _, err := one.Token(t.Context()); return err },
			"Source.Authorization": func() error { _, _, err := oneReady.Authorization(t.Context()); return err },
		} {
			if n := mallocs(t, 2000, read); n > 20 { // the runtime has some of its own
				t.Errorf("%s: %d allocations in 2000 calls, want none", name, n)
			}
		}
	})
}

// mallocs counts the allocations while f is called a number of times. testing.AllocsPerRun would round them down to none
// if not every call made one.
func mallocs(t *testing.T, runs int, f func() error) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

func TestAuthorization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		if _, value, err := g.ReadyFor(g).Authorization(tokensource.WithSubject(t.Context(), w.User)); err == nil || value != "" {
			t.Errorf("Authorization without a grant = %q, %v, want an error", value, err)
		}
		tok, source := w.Login(g), g.Source(w.User)
		for range 2 { // from the store and from memory
			got, value, err := source.ReadyFor(source).Authorization(t.Context())
			if err != nil || value != "Bearer "+tok.AccessToken || got.AccessToken != tok.AccessToken {
				t.Errorf("Authorization = %q, %v, want the token of the login", value, err)
			}
		}
		proof := *tok
		proof.TokenType = "DPoP"
		if _, err := g.Save(t.Context(), w.User, &proof); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, value, err := source.ReadyFor(source).Authorization(t.Context()); err != nil || value != "" || got.TokenType != "DPoP" {
				t.Errorf("Authorization of a DPoP token = %q, %v, want no value", value, err)
			}
		}
	})
}

// million is a store that holds the grants of a million subjects, made when they are asked for.
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
			contexts = append(contexts, tokensource.WithSubject(t.Context(), subject))
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
		// No timer a subject either: whom nobody asks for costs nothing, not even at the end of the cache's patience.
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
