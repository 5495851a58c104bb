package storagetest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

// Options adjusts [Run]. The zero value tests a store with a single handle.
type Options struct {
	// Reopen returns another handle on the data of the store that open returned
	// last, as another process would have it. With it, Run tests what stores
	// promise that several processes share. If the first handle has a Close method,
	// Run also tests that the data outlive it. Nil leaves these tests out.
	Reopen func(t *testing.T) storage.Store

	// Swaps is how many compare-and-swaps 100 goroutines make at once. Zero means
	// 10,000, and 1,000 with -short.
	Swaps int
}

// suite is what every subtest needs.
type suite struct {
	open func(t *testing.T) storage.Store
	o    Options
}

// part is one subtest. It opens a store of its own.
type part struct {
	name string
	test func(t *testing.T, s *suite)
}

// Run tests the store that open returns. Open returns a new and empty store at
// each call, and closes it with t.Cleanup if necessary. If the store is a
// [storage.Lister] or a [storage.Watcher], Run tests that too. Nil options mean
// all defaults.
func Run(t *testing.T, open func(t *testing.T) storage.Store, o *Options) {
	t.Helper()
	if o == nil {
		o = new(Options)
	}
	s := &suite{open, *o}
	if s.o.Swaps == 0 {
		s.o.Swaps = 10_000
		if testing.Short() {
			s.o.Swaps = 1_000
		}
	}
	var parts []part
	parts = append(parts, basics()...)
	parts = append(parts, limits()...)
	parts = append(parts, cancellation()...)
	parts = append(parts, races()...)
	parts = append(parts, powers()...)
	if o.Reopen != nil {
		parts = append(parts, sharing()...)
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.test(t, s) })
	}
}

// reopen returns another handle on the data of the last store.
func (s *suite) reopen(t *testing.T) storage.Store {
	t.Helper()
	return s.o.Reopen(t)
}

// handles returns a new store and another handle on it. Without Reopen, both
// are the same.
func (s *suite) handles(t *testing.T) (first, second storage.Store) {
	t.Helper()
	first = s.open(t)
	if s.o.Reopen == nil {
		return first, first
	}
	return first, s.reopen(t)
}

// put stores value, which must succeed.
func put(t *testing.T, s storage.Store, key, value string, old storage.Version) storage.Version {
	t.Helper()
	v, err := s.Put(context.Background(), key, []byte(value), old)
	if err != nil {
		t.Fatalf("Put(%q, old %d) = %v, want no error", key, old, err)
	}
	if v == 0 {
		t.Fatalf("Put(%q, old %d) = version 0, which no stored value has", key, old)
	}
	return v
}

// wantPut fails the test unless Put returns the error want.
func wantPut(t *testing.T, s storage.Store, key string, old storage.Version, want error) {
	t.Helper()
	if v, err := s.Put(context.Background(), key, []byte("intruder"), old); !errors.Is(err, want) || v != 0 {
		t.Errorf("Put(%q, old %d) = %d, %v, want 0, %v", key, old, v, err, want)
	}
}

// wantDelete fails the test unless Delete returns the error want.
func wantDelete(t *testing.T, s storage.Store, key string, old storage.Version, want error) {
	t.Helper()
	if err := s.Delete(context.Background(), key, old); !errors.Is(err, want) {
		t.Errorf("Delete(%q, old %d) = %v, want %v", key, old, err, want)
	}
}

// want fails the test unless value is stored under key at version.
func want(t *testing.T, s storage.Store, key, value string, version storage.Version) {
	t.Helper()
	r, err := s.Get(context.Background(), key)
	if err != nil {
		t.Errorf("Get(%q) = %v, want no error", key, err)
		return
	}
	if r.Version != version {
		t.Errorf("Get(%q) = version %d, want %d", key, r.Version, version)
	}
	if string(r.Value()) != value {
		t.Errorf("Get(%q) = %d bytes %.20q, want %d bytes %.20q", key, len(r.Value()), r.Value(), len(value), value)
	}
}

// wantNone fails the test unless nothing is stored under key.
func wantNone(t *testing.T, s storage.Store, key string) {
	t.Helper()
	if r, err := s.Get(context.Background(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get(%q) = %v, %v, want %v", key, r, err, storage.ErrNotFound)
	}
}

// closeStore closes s if it can be closed.
func closeStore(t *testing.T, s storage.Store) {
	t.Helper()
	if c, ok := s.(io.Closer); ok {
		if err := c.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	}
}
