// Package storage keeps small versioned values for the grant engine. It knows nothing of OAuth: a value is opaque bytes,
// and compare-and-swap on its version is the only synchronisation that is asked of a backend.
//
// Memory and package filestore are complete stores, as are the modules sqlitestore, postgresstore and redisstore; Sealed
// encrypts whatever another store keeps, with the keys of package seal. Package storagetest holds the suite that states this contract as tests: run it on every store of your
// own.
package storage

import (
	"context"
	"errors"
	"iter"
)

// Errors that a Store returns, alone or wrapped. After any other error of Put or Delete, except ErrBadKey, ErrTooLarge and
// that of a context which had ended before, the outcome is unknown: the write may or may not have happened.
var (
	// ErrNotFound means that nothing is stored under the key.
	ErrNotFound = errors.New("storage: not found")

	// ErrConflict means that the stored version is not the one the caller named, so nothing was written.
	ErrConflict = errors.New("storage: version conflict")

	// ErrCorrupt means that what is stored under a key is damaged, or was written by a newer version of the store. The
	// record is left as it is.
	ErrCorrupt = errors.New("storage: corrupt record")
)

// Record is a stored value and the version that it was read at.
type Record struct {
	Value   []byte
	Version Version
}

// Store keeps versioned values. Implementations are safe for concurrent use, by goroutines and, where the backend is
// shared, by processes.
//
// A version never returns for a key, not even after Delete and a new create: a process that slept through both must not
// be able to overwrite what it has never seen. Values are copied in and out: the caller may change its slice after Put,
// and the slice that Get returned. Every method returns soon after ctx ends, with an error that wraps context.Cause(ctx).
// Keys are 1 to 128 bytes of [A-Za-z0-9._-] (CheckKey); values are at most 1 MiB and the 4 KiB that sealing may add
// (CheckValue).
type Store interface {
	// Get returns what is stored under key, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)

	// Put stores value under key if the stored version is still old, and returns the new version; else ErrConflict.
	// With old 0 it creates: ErrConflict if the key exists.
	Put(ctx context.Context, key string, value []byte, old Version) (Version, error)

	// Delete removes key if the stored version is still old, else ErrConflict. Deleting what is not there is nil.
	Delete(ctx context.Context, key string, old Version) error
}

// Lister is a Store that can name its keys. Optional; what needs it says so in its constructor or its error.
type Lister interface {
	// Keys yields every key that existed during the whole iteration, once, in no order; keys created or deleted
	// meanwhile may or may not appear. An error ends it.
	Keys(ctx context.Context) iter.Seq2[string, error]
}

// Watcher is a Store that can tell which keys change, so that waiting processes need not poll and news travels at once.
// Optional.
type Watcher interface {
	// Watch calls changed after every Put or Delete by whatever process, until ctx ends or the watch breaks, and returns
	// why. A writer that dies, or loses the backend, right after its write may leave it untold: who must not miss any
	// reads again from time to time. It calls changed with the zero Change when it has begun to watch, and whenever it
	// may have missed something. Several changes of a key may be told as one, and those of different processes in
	// another order than they were made. Calls come one after another, possibly before the writer's own Put returns;
	// changed returns quickly and calls no method of the store.
	Watch(ctx context.Context, changed func(Change)) error
}
