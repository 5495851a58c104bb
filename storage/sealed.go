package storage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/authtrip/authtrip/storage/seal"
)

// sealDomain stands before the key in the associated data, so that nothing sealed for another purpose with the same keys
// opens as a record.
const sealDomain = "authtrip storage record\x00"

// Sealed returns a Store that keeps its values in store, sealed by aead. Each is bound to its key: a row that was copied
// over another, or changed, does not open, and Get returns an error that wraps seal.ErrUnsealed. Keys and versions are those of
// store. The result is a Lister if store is one, and a Watcher if store is one; closing store remains with the caller.
func Sealed(store Store, aead seal.AEAD) (Store, error) {
	if store == nil {
		return nil, errors.New("storage: nil Store to seal: pass NewMemory(), filestore.Open or another store")
	}
	if k, ok := aead.(*seal.Keys); aead == nil || ok && k == nil {
		return nil, errors.New("storage: nil AEAD: make keys with seal.NewKeys or seal.ParseKeys")
	}
	if _, ok := store.(sealer); ok {
		return nil, errors.New("storage: the store is sealed already: pass the one below it")
	}
	s := &sealed{store, aead}
	l, lists := store.(Lister)
	w, watches := store.(Watcher)
	switch {
	case lists && watches:
		return &sealedListerWatcher{s, l, w}, nil
	case lists:
		return &sealedLister{s, l}, nil
	case watches:
		return &sealedWatcher{s, w}, nil
	}
	return s, nil
}

// The powers of the store below are methods of a type of their own each, so that asking for them by a type assertion
// tells the truth.
type (
	sealedLister struct {
		*sealed
		Lister
	}
	sealedWatcher struct {
		*sealed
		Watcher
	}
	sealedListerWatcher struct {
		*sealed
		Lister
		Watcher
	}
)

// sealer is what Sealed returns, whatever it can do besides.
type sealer interface{ parts() *sealed }

type sealed struct {
	store Store
	aead  seal.AEAD
}

func (s *sealed) parts() *sealed { return s }

// Get implements Store.
func (s *sealed) Get(ctx context.Context, key string) (Record, error) {
	r, err := s.store.Get(ctx, key)
	if err != nil {
		return Record{}, err
	}
	r.Value, err = s.open(ctx, key, r.Value)
	if err != nil {
		return Record{}, err
	}
	return r, nil
}

// Put implements Store.
func (s *sealed) Put(ctx context.Context, key string, value []byte, old Version) (Version, error) {
	if err := CheckCall(ctx, key); err != nil {
		return 0, err
	}
	if err := checkLength(value, MaxValue); err != nil {
		return 0, err
	}
	box, err := s.seal(ctx, key, value)
	if err != nil {
		return 0, err
	}
	return s.store.Put(ctx, key, box, old)
}

// Delete implements Store. It does not open the value: what cannot be opened can be deleted by who knows its version.
func (s *sealed) Delete(ctx context.Context, key string, old Version) error {
	return s.store.Delete(ctx, key, old)
}

func (s *sealed) seal(ctx context.Context, key string, value []byte) ([]byte, error) {
	box, err := s.aead.Seal(ctx, value, sealedFor(key))
	if err != nil {
		return nil, fmt.Errorf("storage: sealing the value of %q: %w", key, err)
	}
	return box, nil
}

func (s *sealed) open(ctx context.Context, key string, box []byte) ([]byte, error) {
	value, err := s.aead.Open(ctx, box, sealedFor(key))
	if err != nil {
		return nil, fmt.Errorf("storage: opening the value of %q: %w", key, err)
	}
	return value, nil
}

// sealedFor returns the associated data of the record under key.
func sealedFor(key string) []byte {
	return append([]byte(sealDomain), key...)
}

// Format prints the kind of store for every verb.
func (s *sealed) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "storage.Sealed") // fmt.State keeps no error to report
}
