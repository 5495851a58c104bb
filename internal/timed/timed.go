// Package timed gives each operation of a store a limit of time.
//
// Errors are those of the store. Everything is safe for concurrent use.
package timed

import (
	"context"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// Store is a store each of whose operations ends after Timeout.
type Store struct {
	storage.Store
	Timeout time.Duration
}

// Name returns a storage key. The first name may have to read the store.
func (s *Store) Name(ctx context.Context, prefix, owner string, parts ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return storage.Name(ctx, s.Store, prefix, owner, parts...)
}

// Get is Get of the store.
func (s *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.Store.Get(ctx, key)
}

// Put is Put of the store.
func (s *Store) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.Store.Put(ctx, key, value, old)
}

// Delete is Delete of the store.
func (s *Store) Delete(ctx context.Context, key string, old storage.Version) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.Store.Delete(ctx, key, old)
}
