package storage_test

import (
	"context"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory() }, nil)
}

func TestSealedMemory(t *testing.T) {
	keys := newKeys(t)
	storagetest.Run(t, func(t *testing.T) storage.Store { return sealedStore(t, storage.NewMemory(), keys) }, nil)
}

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	return ring(t, seal.NewKey())
}

func ring(t testing.TB, primary []byte, older ...[]byte) *seal.Keys {
	t.Helper()
	keys, err := seal.NewKeys(primary, older...)
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
