package grant_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestG12_ChangesElsewhereAreSeen(t *testing.T) {
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

// toldStore notifies when the test says so, and counts reads.
type toldStore struct {
	storage.Store
	changed func(storage.Change)
	reads   atomic.Int64
	written func() // called after a Put, before that returns; nil means nothing
}

func (s *toldStore) Watch(ctx context.Context, changed func(storage.Change)) error {
	s.changed = changed
	changed(storage.Change{})
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s *toldStore) Get(ctx context.Context, key string) (storage.Record, error) {
	s.reads.Add(1)
	return s.Store.Get(ctx, key)
}

func (s *toldStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	version, err := s.Store.Put(ctx, key, value, old)
	if s.written != nil {
		s.written()
	}
	return version, err
}

// told returns an engine on a store that notifies only when the test says so.
func (w world) told() (*toldStore, *grant.Keeper) {
	s := &toldStore{Store: w.Store}
	g := w.ProcessOn(s, nil)
	synctest.Wait() // it watches
	return s, g
}

// stored returns the change that has made the user's record what it is.
func (w world) stored() storage.Change {
	w.Helper()
	key := w.keyOf(w.User)
	r, err := w.Store.Get(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	return storage.Change{Key: key, Version: r.Version}
}

func TestG12_ANotificationOfAKnownVersionCostsNoRead(t *testing.T) {
	tests := []struct {
		name string
		tell func(before, after storage.Change) []storage.Change
		seen bool
	}{
		{"nothing", func(_, _ storage.Change) []storage.Change { return nil }, false},
		{"what is known", func(before, _ storage.Change) []storage.Change { return []storage.Change{before} }, false},
		{"another key", func(_, after storage.Change) []storage.Change {
			return []storage.Change{{Key: "k", Version: after.Version}}
		}, false},
		{"the change", func(_, after storage.Change) []storage.Change { return []storage.Change{after} }, true},
		{"late news of what is known", func(before, after storage.Change) []storage.Change { return []storage.Change{after, before} }, true},
		{"no version", func(before, _ storage.Change) []storage.Change { return []storage.Change{{Key: before.Key}} }, true},
		{"anything", func(_, _ storage.Change) []storage.Change { return []storage.Change{{}} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				elsewhere := w.Process(nil)
				first := w.Login(elsewhere)
				s, g := w.told()
				w.Token(g)
				before := w.stored()
				second := w.Login(elsewhere)
				reads := s.reads.Load()
				for _, c := range tt.tell(before, w.stored()) {
					s.changed(c)
				}
				got, want := w.Token(g), first
				if tt.seen {
					want = second
				}
				if read := s.reads.Load() > reads; got.AccessToken != want.AccessToken || read != tt.seen {
					t.Errorf("Token() gave the newer token: %t, asked the store: %t, want %t", got.AccessToken == second.AccessToken, read, tt.seen)
				}
			})
		})
	}
}

// A renewal that waits for another process is also notified of the intent that
// it waits for. That must not make it read the store.
func TestNotificationsDuringARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		holder := w.Process(nil)
		rejected := w.Login(holder)
		w.RefreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		go holder.Source(w.User).Renew(t.Context(), rejected) //nolint:errcheck // as good as the other
		synctest.Wait()
		s, g := w.told()
		ended := make(chan error)
		go func() {
			_, err := g.Source(w.User).Renew(t.Context(), rejected)
			ended <- err
		}()
		synctest.Wait() // it has read the intent, and asks again in 25 ms
		intent := w.stored()
		for _, tt := range []struct {
			tell []storage.Change
			read bool
		}{
			{[]storage.Change{intent}, false},
			{[]storage.Change{{Key: "k"}}, false},
			{[]storage.Change{{Key: intent.Key, Version: intent.Version + 1}}, true},
			{[]storage.Change{{Key: intent.Key}}, true},
			{[]storage.Change{{}}, true},
			{[]storage.Change{{Key: intent.Key, Version: intent.Version + 1}, intent}, true},
		} {
			reads := s.reads.Load()
			for _, c := range tt.tell {
				s.changed(c)
			}
			synctest.Wait()
			if read := s.reads.Load() > reads; read != tt.read {
				t.Errorf("after news of %v the store was asked: %t, want %t", tt.tell, read, tt.read)
			}
		}
		if err := <-ended; err != nil {
			t.Errorf("Renew() = %v, want a token", err)
		}
		w.WantRefreshes(1)
	})
}

// A logout elsewhere is notified before a process has published the tokens that
// it has just written.
func TestG12_ALogoutIsNotifiedBeforeAnOwnWriteIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		rejected := w.Login(elsewhere)
		s, g := w.told()
		writes := 0
		s.written = func() {
			if writes++; writes < 2 { // the intent
				return
			}
			s.written = nil
			if err := elsewhere.Logout(t.Context(), w.User); err != nil {
				t.Error(err)
			}
			s.changed(storage.Change{Key: w.keyOf(w.User)})
		}
		if _, err := g.Source(w.User).Renew(t.Context(), rejected); err != nil {
			t.Fatal(err)
		}
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

// slowStore answers a read with what was stored when that began.
type slowStore struct {
	*storage.Memory
	took time.Duration
}

func (s *slowStore) Get(ctx context.Context, key string) (storage.Record, error) {
	r, err := s.Memory.Get(ctx, key)
	time.Sleep(s.took)
	return r, err
}

func TestG12_ANotificationDuringTheFirstReadIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		memory := storage.NewMemory()
		elsewhere := w.ProcessOn(memory, nil)
		w.Login(elsewhere)
		g := w.ProcessOn(&slowStore{memory, 10 * time.Millisecond}, nil)
		synctest.Wait() // it watches
		time.AfterFunc(5*time.Millisecond, func() {
			if err := elsewhere.Logout(t.Context(), w.User); err != nil {
				t.Error(err)
			}
		})
		w.Token(g) // the read had begun before
		_, err := g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

// A newer login is notified between the write of a login and the answer of the
// store.
func TestG12_ALoginThatANotificationOvertookIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		s, g := w.told()
		var newer *oauth2.Token
		s.written = func() {
			s.written = nil
			time.Sleep(time.Minute) // so that the order of the exchanges is clear
			newer = w.Login(elsewhere)
			s.changed(w.stored())
		}
		w.Login(g)
		if got := w.Token(g); got.AccessToken != newer.AccessToken {
			t.Error("Token() hands out the token of the older login")
		}
	})
}

// A grant that another process has ended is notified while this process notes
// that its refresh failed.
func TestG12_AReleaseThatANotificationOvertookIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elsewhere := w.Process(nil)
		rejected := w.Login(elsewhere)
		s, g := w.told()
		writes := 0
		var newer *oauth2.Token
		s.written = func() {
			if writes++; writes == 2 { // the first announces, the second releases
				newer = w.Login(elsewhere)
				s.changed(w.stored())
			}
		}
		w.RefreshFault(oauthtest.Fault{Status: 503}, 1)
		if _, err := g.Source(w.User).Renew(t.Context(), rejected); err == nil {
			t.Error("Renew() = nil though the server answers 503")
		}
		if got := w.Token(g); got.AccessToken != newer.AccessToken {
			t.Error("Token() hands out the token of the older login")
		}
	})
}

// brokenWatch is a store whose first watch breaks at once.
type brokenWatch struct {
	*storage.Memory
	watches atomic.Int64
}

func (s *brokenWatch) Watch(ctx context.Context, changed func(storage.Change)) error {
	if s.watches.Add(1) == 1 {
		return testworld.ErrStore
	}
	return s.Memory.Watch(ctx, changed)
}

func TestG12_AWatchThatBreaksIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &brokenWatch{Memory: storage.NewMemory()}
		here, elsewhere := w.ProcessOn(store.Memory, nil), w.ProcessOn(store, nil)
		w.Login(here)
		time.Sleep(2 * time.Second)
		w.Token(elsewhere)
		if err := here.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, err := elsewhere.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

// Only the outcome of a renewal is told to other processes. An intent is for
// those that read the grant because they want to renew it.
func TestARenewalNotifiesOfItsOutcomeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		var notifies []bool
		w.Store.On(func(ctx context.Context, op string) error {
			if op == "put" {
				notifies = append(notifies, storage.Notifies(ctx))
			}
			return nil
		})
		w.renew(g, tok)
		if want := []bool{false, true}; !slices.Equal(notifies, want) {
			t.Errorf("Notifies() of the writes of a renewal = %v, want %v", notifies, want)
		}
	})
}
