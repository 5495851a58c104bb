package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// powers tests the optional interfaces that a store has.
func powers() []part {
	return []part{
		{"Lister", testLister},
		{"ListerWhileWriting", testListerWhileWriting},
		{"Watcher", testWatcher},
		{"WatcherEnds", testWatcherEnds},
		{"Namer", testNamer},
	}
}

// lister returns s as a Lister, or skips the test.
func lister(t *testing.T, s storage.Store) storage.Lister {
	t.Helper()
	l, ok := s.(storage.Lister)
	if !ok {
		t.Skip("the store is no storage.Lister")
	}
	return l
}

// listed returns how often each key was listed.
func listed(t *testing.T, l storage.Lister) map[string]int {
	t.Helper()
	keys := map[string]int{}
	for key, err := range l.Keys(context.Background()) {
		if err != nil {
			t.Fatalf("Keys() = %v, want no error", err)
		}
		keys[key]++
	}
	return keys
}

func testLister(t *testing.T, s *suite) {
	store := s.open(t)
	l := lister(t, store)
	if keys := listed(t, l); len(keys) != 0 {
		t.Fatalf("Keys() of an empty store = %v, want none", keys)
	}
	names := []string{"a", "A", "..", "key.with-all_signs"}
	for i := range 200 {
		names = append(names, fmt.Sprintf("k%d", i))
	}
	for _, key := range names {
		put(t, store, key, "value", 0)
	}
	gone := put(t, store, "gone", "value", 0)
	wantDelete(t, store, "gone", gone, nil)
	wantListed(t, listed(t, l), names)
	for key, err := range l.Keys(context.Background()) { // a loop may end early
		if err != nil || key == "" {
			t.Errorf("Keys() = %q, %v, want a key", key, err)
		}
		break
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errCause)
	for key, err := range l.Keys(ctx) {
		if !errors.Is(err, errCause) || key != "" {
			t.Fatalf("Keys() with an ended ctx = %q, %v, want its cause", key, err)
		}
		return
	}
	t.Errorf("Keys() with an ended ctx yields nothing, want its cause")
}

func wantListed(t *testing.T, got map[string]int, names []string) {
	t.Helper()
	for _, name := range names {
		if got[name] != 1 {
			t.Errorf("Keys() has %q %d times, want once", name, got[name])
		}
		delete(got, name)
	}
	if len(got) != 0 {
		t.Errorf("Keys() has also %v, want nothing else", got)
	}
}

// testListerWhileWriting rewrites keys while they are listed, also inside the
// loop. Each key exists all the time, so Keys must yield it exactly once.
func testListerWhileWriting(t *testing.T, s *suite) {
	store := s.open(t)
	l := lister(t, store)
	names := make([]string, 50)
	for i := range names {
		names[i] = fmt.Sprintf("k%d", i)
		put(t, store, names[i], "0", 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := increment(context.Background(), store, names[i%len(names)]); err != nil {
				t.Errorf("increment during Keys() = %v, want no error", err)
				return
			}
		}
	})
	for range 5 {
		got := map[string]int{}
		for key, err := range l.Keys(context.Background()) {
			if err != nil {
				t.Fatalf("Keys() during writes = %v, want no error", err)
			}
			got[key]++
			if err := increment(context.Background(), store, key); err != nil {
				t.Fatalf("increment inside Keys() = %v, want no error", err)
			}
		}
		wantListed(t, got, names)
	}
	cancel()
	writer.Wait()
}

// watching is a Watch that runs.
type watching struct {
	arrived chan storage.Change
	put     map[storage.Version]bool // that changes may have
	ended   chan error
	cancel  context.CancelCauseFunc
}

// watch begins to watch s, or skips the test if s is no Watcher.
func watch(t *testing.T, s storage.Store) *watching {
	t.Helper()
	watcher, ok := s.(storage.Watcher)
	if !ok {
		t.Skip("the store is no storage.Watcher")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	w := &watching{make(chan storage.Change, 1000), map[storage.Version]bool{}, make(chan error, 1), cancel}
	go func() { w.ended <- watcher.Watch(ctx, func(c storage.Change) { w.arrived <- c }) }()
	t.Cleanup(func() { cancel(nil) })
	return w
}

// wantChange waits until the watcher receives want or a zero Change. The
// version may be zero, but must not be wrong: a process that has read this
// version does not read again.
func (w *watching) wantChange(t *testing.T, why string, want storage.Change) {
	t.Helper()
	w.put[want.Version] = true
	limit := time.After(hangs)
	for {
		select {
		case got := <-w.arrived:
			if got.Version != 0 && got.Version != want.Version && w.put[got.Version] {
				continue // late, or a second time
			}
			if got.Key == want.Key && got.Version != 0 && got.Version != want.Version {
				t.Fatalf("Watch() notifies of %v after %s, want %v", got, why, want)
			}
			if got.Key == want.Key || got.Key == "" {
				return
			}
		case err := <-w.ended:
			t.Fatalf("Watch() = %v before it notified of %s", err, why)
		case <-limit:
			t.Fatalf("Watch() does not notify of %s", why)
		}
	}
}

// drop discards the changes that have arrived.
func (w *watching) drop() {
	for len(w.arrived) > 0 {
		<-w.arrived
	}
}

func testWatcher(t *testing.T, s *suite) {
	first, second := s.handles(t)
	w := watch(t, first)
	w.wantChange(t, "its beginning", storage.Change{})
	for _, store := range []storage.Store{first, second} {
		w.drop()
		v := put(t, store, "k", "created", 0)
		w.wantChange(t, "a create", storage.Change{Key: "k", Version: v})
		v = put(t, store, "k", "swapped", v)
		w.wantChange(t, "a swap", storage.Change{Key: "k", Version: v})
		v = putWithoutNotice(t, store, "k", "without notice", v)
		w.put[v] = true // a store may notify of it
		v = put(t, store, "k", "swapped", v)
		w.wantChange(t, "a swap after one without notice", storage.Change{Key: "k", Version: v})
		other := put(t, store, "other", "value", 0)
		w.wantChange(t, "another key", storage.Change{Key: "other", Version: other})
		wantDelete(t, store, "k", v, nil)
		w.wantChange(t, "a delete", storage.Change{Key: "k"})
		clean(t, store, "other")
		w.wantChange(t, "a delete", storage.Change{Key: "other"})
	}
}

// putWithoutNotice is put with a context of storage.WithoutNotice.
func putWithoutNotice(t *testing.T, s storage.Store, key, value string, old storage.Version) storage.Version {
	t.Helper()
	v, err := s.Put(storage.WithoutNotice(context.Background()), key, []byte(value), old)
	if err != nil || v == 0 {
		t.Fatalf("Put(WithoutNotice, %q, old %d) = version %d, %v, want a version and no error", key, old, v, err)
	}
	return v
}

func testWatcherEnds(t *testing.T, s *suite) {
	store := s.open(t)
	w, other := watch(t, store), watch(t, store)
	w.wantChange(t, "its beginning", storage.Change{})
	other.wantChange(t, "its beginning", storage.Change{})
	w.cancel(errCause)
	select {
	case err := <-w.ended:
		wantCause(t, "Watch", err, errCause)
	case <-time.After(hangs):
		t.Fatalf("Watch() did not return within %v after its ctx ended", hangs)
	}
	w.drop()
	v := put(t, store, "k", "value", 0)
	other.wantChange(t, "a create, after another watch ended", storage.Change{Key: "k", Version: v})
	if len(w.arrived) != 0 {
		t.Errorf("changed(%v) was called after Watch returned", <-w.arrived)
	}
}
