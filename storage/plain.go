package storage

import (
	"errors"
	"fmt"
)

// ErrPlain means that a store keeps secrets as they are, in a place that
// outlives the process.
var ErrPlain = errors.New("storage: the store is not sealed")

// Volatile is a Store that can tell whether its records end with the process,
// or at least are of no use to anybody afterwards. It is optional. A store
// without it counts as one that outlives the process. [Memory] is a Volatile.
//
// A wrapper around another store that shall count as volatile has this method
// of its own, or embeds a *Memory.
type Volatile interface {
	// Volatile reports whether the records end with the process.
	Volatile() bool
}

// Volatile implements [Volatile]. It returns true.
func (m *memory) Volatile() bool { return true }

// CheckSealed returns nil if secrets may be put into store as they are: if
// [Sealed] made it, or if it is a [Volatile] that returns true. Otherwise it
// returns an error that wraps [ErrPlain].
//
// It sees the outermost store only. A wrapper belongs below Sealed.
func CheckSealed(store Store) error {
	if _, ok := store.(sealer); ok {
		return nil
	}
	if v, ok := store.(Volatile); ok && v.Volatile() {
		return nil
	}
	return fmt.Errorf("%w, so anybody who can read a %T or a backup of it has the tokens: wrap it with storage.Sealed", ErrPlain, store)
}
