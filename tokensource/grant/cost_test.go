package grant_test

import (
	"runtime"
	"testing"
	"testing/synctest"
)

func TestCachedTokenCostsNoAllocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.Login(g)
		one := g.Source(w.User)
		ready, oneReady := g.ReadyFor(g), one.ReadyFor(one)
		ctx := g.WithSubject(t.Context(), w.User)
		for name, read := range map[string]func() error{
			"Keeper.Token":         func() error { _, err := g.Token(ctx); return err },
			"Keeper.Authorization": func() error { _, _, err := ready.Authorization(ctx); return err },
			"Source.Token":         func() error { _, err := one.Token(t.Context()); return err },
			"Source.Authorization": func() error { _, _, err := oneReady.Authorization(t.Context()); return err },
		} {
			if n := mallocs(t, 2000, read); n > 200 { // the runtime has some of its own
				t.Errorf("%s: %d allocations in 2000 calls, want none", name, n)
			}
		}
	})
}

// mallocs counts the allocations while f is called a number of times.
// testing.AllocsPerRun would round them down to none if not every call made
// one.
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
		if _, value, err := g.ReadyFor(g).Authorization(g.WithSubject(t.Context(), w.User)); err == nil || value != "" {
			t.Errorf("Authorization without a grant = %q, %v, want an error", value, err)
		}
		tok, source := w.Login(g), g.Source(w.User)
		for range 2 { // from the store and from memory
			got, value, err := source.ReadyFor(source).Authorization(t.Context())
			if err != nil || value != "Bearer "+tok.AccessToken || got.AccessToken != tok.AccessToken {
				t.Errorf("Authorization = %q, %v, want the token of the login", value, err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newBound(t)
		g := w.Process(nil)
		w.Login(g)
		source := g.Source(w.User)
		for range 2 {
			if got, value, err := source.ReadyFor(source).Authorization(t.Context()); err != nil || value != "" || got.TokenType != "DPoP" {
				t.Errorf("Authorization of a DPoP token = %q, %v, want no value", value, err)
			}
		}
	})
}
