package storage

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// NamePrefix begins the storage keys of the records that hold the name keys of
// a sealed store. See [NameKey].
const NamePrefix = "storage.names."

// NameKey returns the storage key of the record that holds the name key of an
// owner. If this record is lost, no process can find the records whose keys
// [Name] made for this owner. So nobody may delete it, and a copy of those
// records needs a copy of it.
func NameKey(owner string) string {
	return NamePrefix + digest(sha256.New(), []string{NamePrefix, owner})[:32]
}

// KeepNames makes the names of an owner in a sealed store those that a store
// without keys has. It is for a store whose records were written without
// [Sealed] and are sealed later. Otherwise no process finds them under the
// names of the sealed store. What is lost: a reader of the database can find a
// user by hashing likely names.
//
// Call it before the first [Name] of the owner, with the store that Sealed
// returned. A second call does nothing. If the owner has a name key already,
// the error wraps [ErrConflict].
func KeepNames(ctx context.Context, store Store, owner string) error {
	s, ok := store.(sealer)
	if !ok {
		return errors.New("storage: KeepNames of a store that is not sealed: pass the one that Sealed returned")
	}
	at := NameKey(owner)
	_, err := s.parts().Put(ctx, at, []byte{plainNames}, 0)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	switch key, err := readNameKey(ctx, s.parts(), at); {
	case err != nil:
		return err
	case key != nil:
		return fmt.Errorf("storage: the owner has a name key already: %w", ErrConflict)
	}
	return nil
}

// Namer is a Store that makes names which nobody without its keys can compute.
// The store that [Sealed] returns is one.
type Namer interface {
	// Name returns 64 hexadecimal digits that depend on owner, on parts, and on
	// a key of the owner. Every process that shares the store gets the same
	// digits.
	Name(ctx context.Context, owner string, parts ...string) (string, error)
}

// Name returns a storage key: prefix and 64 hexadecimal digits. The digits
// depend on prefix, on owner, on parts such as the name of a user, and on where
// one part ends and the next begins.
//
// Owner says whose records these are, such as the authorization server and the
// client of an app. Each owner has a name key of its own. So apps with
// different seal keys can share a store, if they have different owners.
//
// If store is a [Namer], the digits are an HMAC-SHA256 ([RFC 2104]) with a
// random key that the store keeps as a sealed record (see [NameKey]). So a
// reader of the database cannot find a user by hashing likely names. The first
// call for an owner reads or creates the key. It fails if the store or its AEAD
// fails. Later calls use memory only. The name key survives a change of the
// seal's keys, and [Reseal] seals it again like any other record.
//
// If store is not a Namer, the digits are a plain SHA-256.
//
// The error wraps [ErrBadKey] if prefix and digits are no storage key.
//
// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
func Name(ctx context.Context, store Store, prefix, owner string, parts ...string) (string, error) {
	all := append([]string{prefix}, parts...)
	var digits string
	if n, ok := store.(Namer); ok {
		var err error
		if digits, err = n.Name(ctx, owner, all...); err != nil {
			return "", err
		}
	} else {
		digits = plainName(owner, all)
	}
	key := prefix + digits
	if err := CheckKey(key); err != nil {
		return "", err
	}
	return key, nil
}

// plainName returns the digits of a name without a key.
func plainName(owner string, parts []string) string {
	return digest(sha256.New(), append([]string{owner}, parts...))
}

// digest writes the number of bytes of each part and the part to h, and
// returns the sum. Without the numbers, "ab" and "c" would have the name of
// "a" and "bc".
func digest(h hash.Hash, parts []string) string {
	text := make([]byte, 0, 256)
	for _, part := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	_, _ = h.Write(text) // a hash never fails
	return hex.EncodeToString(h.Sum(text[:0]))
}

// keyed returns a function that makes names with a key. It keeps the hashes: to
// prepare one for a key takes as long as to make a name.
func keyed(key []byte) func(parts []string) string {
	hashes := sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}
	return func(parts []string) string {
		h := hashes.Get().(hash.Hash)
		defer hashes.Put(h)
		h.Reset()
		return digest(h, parts)
	}
}

// The record of the name key is one byte of format and the key. In another
// format there is no key: see [KeepNames].
const (
	nameFormat  = 1
	plainNames  = 2
	nameKeySize = 32
)

// names makes the names of one sealed store. It remembers the name keys of the
// owners that were used last, at least as many as nameOwners. A program may
// have a new owner every second, so there must be a bound.
type names struct {
	turn chan struct{} // holds one element while a goroutine reads a key

	mu         sync.Mutex                             // guards the rest; never held across I/O
	made, past map[string]func(parts []string) string // by owner: those used since made was new, and before
}

const nameOwners = 16_384

func newNames() *names {
	return &names{turn: make(chan struct{}, 1), made: map[string]func([]string) string{}}
}

func (n *names) maker(owner string) (func(parts []string) string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f, ok := n.made[owner]; ok {
		return f, true
	}
	f, ok := n.past[owner]
	if ok {
		n.remember(owner, f)
	}
	return f, ok
}

// keep remembers what makes the names of an owner.
func (n *names) keep(owner string, f func(parts []string) string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remember(owner, f)
}

// remember is keep, under the mutex.
func (n *names) remember(owner string, f func(parts []string) string) {
	if len(n.made) == nameOwners {
		n.made, n.past = map[string]func([]string) string{}, n.made
	}
	n.made[owner] = f
}

// name returns the name of parts. Goroutines that need a name key take turns,
// so that one read serves all of them. Each waits on its own ctx.
func (n *names) name(ctx context.Context, store Store, owner string, parts []string) (string, error) {
	if f, ok := n.maker(owner); ok {
		return f(parts), nil
	}
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return "", ended(ctx)
	}
	if f, ok := n.maker(owner); ok {
		return f(parts), nil
	}
	key, err := nameKey(ctx, store, NameKey(owner))
	if err != nil {
		return "", fmt.Errorf("storage: name key: %w", err)
	}
	f := keyed(key)
	if key == nil {
		f = func(parts []string) string { return plainName(owner, parts) }
	}
	n.keep(owner, f)
	return f(parts), nil
}

// nameKey reads the name key at a storage key, or creates it. If two processes
// create it at once, compare-and-swap lets one of them succeed, and the other
// reads again. After a write of unknown outcome nothing is kept: the next call
// reads.
func nameKey(ctx context.Context, store Store, at string) ([]byte, error) {
	key, err := readNameKey(ctx, store, at)
	if !errors.Is(err, ErrNotFound) {
		return key, err
	}
	value := make([]byte, 1+nameKeySize)
	value[0] = nameFormat
	_, _ = rand.Read(value[1:]) // never fails
	_, err = store.Put(ctx, at, value, 0)
	if errors.Is(err, ErrConflict) {
		return readNameKey(ctx, store, at)
	}
	return value[1:], err
}

// readNameKey returns the name key, or nil if names have no key.
func readNameKey(ctx context.Context, store Store, at string) ([]byte, error) {
	r, err := store.Get(ctx, at)
	if err != nil {
		return nil, err
	}
	value := r.Value()
	if len(value) == 1 && value[0] == plainNames {
		return nil, nil
	}
	if len(value) != 1+nameKeySize || value[0] != nameFormat {
		return nil, fmt.Errorf("%w: the record %q holds no name key", ErrCorrupt, at)
	}
	return value[1:], nil
}
