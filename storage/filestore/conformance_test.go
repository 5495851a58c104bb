package filestore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func TestStore(t *testing.T) {
	run(t, &filestore.Options{InsecureNoSync: true}, 3000)
}

func TestDurable(t *testing.T) {
	run(t, nil, 300) // TestStore makes more swaps: a disk may take milliseconds for each
}

func run(t *testing.T, o *filestore.Options, swaps int) {
	var dir string
	open := func(t *testing.T) storage.Store {
		dir = t.TempDir()
		return openStore(t, dir, o)
	}
	storagetest.Run(t, open, &storagetest.Options{
		Reopen: func(t *testing.T) storage.Store { return openStore(t, dir, o) },
		Swaps:  swaps,
	})
}

func TestSealedStore(t *testing.T) {
	keys := newKeys(t)
	o := &filestore.Options{InsecureNoSync: true}
	var dir string
	open := func(t *testing.T) storage.Store {
		dir = t.TempDir()
		return sealedStore(t, openStore(t, dir, o), keys)
	}
	storagetest.Run(t, open, &storagetest.Options{
		Reopen: func(t *testing.T) storage.Store { return sealedStore(t, openStore(t, dir, o), keys) },
		Swaps:  300,
	})
}

// openStore opens the store in dir until the end of the test.
func openStore(t testing.TB, dir string, o *filestore.Options) *filestore.Store {
	t.Helper()
	f, err := filestore.Open(dir, o)
	if err != nil {
		t.Fatalf("Open() = %v, want no error", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	})
	return f
}

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatalf("NewKeys() = %v, want no error", err)
	}
	return keys
}

func sealedStore(t testing.TB, s storage.Store, aead seal.AEAD) storage.Store {
	t.Helper()
	sealed, err := storage.Sealed(s, aead)
	if err != nil {
		t.Fatalf("Sealed() = %v, want no error", err)
	}
	return sealed
}

// put stores value, which must succeed.
func put(t testing.TB, s storage.Store, key, value string, old storage.Version) storage.Version {
	t.Helper()
	v, err := s.Put(context.Background(), key, []byte(value), old)
	if err != nil {
		t.Fatalf("Put(%q, old %d) = %v, want no error", key, old, err)
	}
	return v
}

// increment adds one to the number under key by compare-and-swap, and repeats
// after a conflict.
func increment(s storage.Store, key string) error {
	for {
		r, err := s.Get(context.Background(), key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		n, err := strconv.Atoi("0" + string(r.Value()))
		if err != nil {
			return err
		}
		_, err = s.Put(context.Background(), key, []byte(strconv.Itoa(n+1)), r.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}
