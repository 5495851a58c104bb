package storage

import (
	"context"
	"errors"
	"iter"
)

// Errors that a Store returns, alone or wrapped.
//
// After any other error of Put or Delete the outcome is unknown: the write may
// have happened, or may still happen. Exceptions are [ErrBadKey],
// [ErrTooLarge], and the error of a context that had ended before the call.
var (
	// ErrNotFound means that nothing is stored under the key.
	ErrNotFound = errors.New("storage: not found")

	// ErrConflict means that the stored version is not the version that the
	// caller named, so nothing was written.
	ErrConflict = errors.New("storage: version conflict")

	// ErrCorrupt means that the record under a key is damaged, or that a newer
	// version of the store wrote it. The store does not change such a record.
	ErrCorrupt = errors.New("storage: corrupt record")
)

// Store keeps versioned values. Implementations are safe for concurrent use by
// goroutines. If the backend is shared, they are safe for concurrent use by
// processes too.
//
// A version never returns for a key, not even after Delete and a new create.
// Otherwise a process that was stopped meanwhile could overwrite a value that
// it has never read.
//
// Values are copied in and out: the caller may change its slice after Put, and
// the slice that Get returned. Every method returns soon after ctx ends, with
// an error that wraps context.Cause(ctx). Keys are 1 to 128 bytes of
// [A-Za-z0-9._-] (see [CheckKey]). Values have at most [MaxSealed] bytes (see
// [CheckValue]).
type Store interface {
	// Get returns the record under key, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)

	// Put stores value under key if the stored version is still old, and
	// returns the new version. Otherwise it returns ErrConflict. With old 0 it
	// creates the record, and returns ErrConflict if the key exists.
	Put(ctx context.Context, key string, value []byte, old Version) (Version, error)

	// Delete removes key if the stored version is still old. Otherwise it
	// returns ErrConflict. If the key does not exist, it returns nil.
	Delete(ctx context.Context, key string, old Version) error
}

// Lister is a Store that can name its keys. It is optional. A function that
// needs a Lister says so in its error.
type Lister interface {
	// Keys yields, once and in no order, every key that exists during the
	// whole iteration. Keys that are created or deleted meanwhile may or may
	// not appear. An error ends the iteration.
	Keys(ctx context.Context) iter.Seq2[string, error]
}

// Watcher is a Store that can notify of changes, so that processes need not
// poll. It is optional.
type Watcher interface {
	// Watch calls changed after every Put or Delete of any process, until ctx
	// ends or the watch breaks, and returns the reason. It may leave out a Put
	// whose context is one of [WithoutNotice].
	//
	// It calls changed with the zero Change when it has begun to watch, and
	// whenever it may have missed a change. A process that dies, or loses the
	// backend, right after its write may not notify. So a caller that must not
	// miss any change also reads from time to time.
	//
	// Several changes of a key may arrive as one. Changes of different
	// processes may arrive in another order than they were made. A change may
	// arrive before the writer's own Put returns. Calls of changed do not
	// overlap. The function returns quickly and calls no method of the store.
	Watch(ctx context.Context, changed func(Change)) error
}
