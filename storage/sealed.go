package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/storage/seal"
)

// sealDomain begins the associated data of every record. A value that was
// sealed for another purpose with the same keys does not open as a record.
const sealDomain = "authtrip storage record\x00"

// Sealed returns a Store that keeps its values in store, sealed by aead. Keys
// and versions are those of store.
//
// Each value is bound to its key. If somebody changes a value, or copies one
// over another, then Get returns an error that wraps seal.ErrUnsealed.
//
// The result is a [Namer]. It is a [Lister] if store is one, and a [Watcher]
// if store is one. The caller closes store. A wrapper that changes how a store
// behaves belongs below Sealed: above, it would hide the Namer.
func Sealed(store Store, aead seal.AEAD) (Store, error) {
	if isnil.Value(store) {
		return nil, errors.New("storage: nil Store to seal: pass NewMemory(), filestore.Open or another store")
	}
	if isnil.Value(aead) {
		return nil, errors.New("storage: nil AEAD: make keys with seal.NewKeys or seal.ParseKeys")
	}
	if _, ok := store.(sealer); ok {
		return nil, errors.New("storage: the store is sealed already: pass the one below it")
	}
	s := newSealed(store, aead)
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

// Each combination of optional interfaces has a type of its own, so that a
// type assertion on the result finds exactly those of the store below.
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

// sealer is every type that Sealed returns.
type sealer interface{ parts() *sealed }

// sealed holds the methods of the AEAD and not the AEAD, so that nothing
// prints an AEAD that is a struct with keys.
type sealed struct {
	store     Store
	sealBytes func(ctx context.Context, plaintext, associatedData []byte) ([]byte, error)
	openBytes func(ctx context.Context, sealed, associatedData []byte) ([]byte, error)
	isCurrent func(sealed []byte) bool // whether the current key sealed it
	names     *names
}

func newSealed(store Store, aead seal.AEAD) *sealed {
	s := &sealed{
		store:     store,
		sealBytes: aead.Seal,
		openBytes: aead.Open,
		isCurrent: func([]byte) bool { return false },
		names:     newNames(),
	}
	if r, ok := aead.(seal.Rotator); ok {
		s.isCurrent = r.Current
	}
	return s
}

func (s *sealed) parts() *sealed { return s }

// Get implements [Store].
func (s *sealed) Get(ctx context.Context, key string) (Record, error) {
	r, err := s.store.Get(ctx, key)
	if err != nil {
		return Record{}, err
	}
	value, err := s.open(ctx, key, r.Value())
	if err != nil {
		return Record{}, err
	}
	return NewRecord(value, r.Version), nil
}

// Put implements [Store].
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

// Delete implements [Store]. It does not open the value, so a record that
// cannot be opened can be deleted.
func (s *sealed) Delete(ctx context.Context, key string, old Version) error {
	return s.store.Delete(ctx, key, old)
}

// Name implements [Namer].
func (s *sealed) Name(ctx context.Context, owner string, parts ...string) (string, error) {
	return s.names.name(ctx, s, owner, parts)
}

func (s *sealed) seal(ctx context.Context, key string, value []byte) ([]byte, error) {
	box, err := s.sealBytes(ctx, value, sealedFor(key))
	if err != nil {
		return nil, fmt.Errorf("storage: sealing the value of %q: %w", key, err)
	}
	return box, nil
}

func (s *sealed) open(ctx context.Context, key string, box []byte) ([]byte, error) {
	value, err := s.openBytes(ctx, box, sealedFor(key))
	if err != nil {
		return nil, fmt.Errorf("storage: opening the value of %q: %w", key, err)
	}
	return value, nil
}

// sealedFor returns the associated data of the record under key.
func sealedFor(key string) []byte {
	return append([]byte(sealDomain), key...)
}
