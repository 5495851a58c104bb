// Package due is the index of due work: which records of a store need work that
// no caller asks for, and when. That is a revocation to repeat, or a grant that
// ended to delete (G20).
//
// # Parts
//
// The [Index] has many parts. A [Part] is a small value in the store.
// [Part.With] enters a record, [Part.After] takes out what was worked off, and
// [Part.Without] takes out what nobody works off. None of them changes the part
// that it is called on.
//
// # Owners
//
// One index serves all clients whose grants are in a store. An entry names the
// [Owner] of its record, so that a process with other clients passes over it
// without a look at the record.
//
// # Concurrency and errors
//
// Everything is safe for concurrent use. Errors are those of the store, and
// [ErrLater].
package due

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// Parts is the number of parts of the index.
	Parts = 256

	format    = 1
	ownerSize = 8    // bytes
	limit     = 8192 // records in one part (G10); work on more of them waits until they are used
)

// Owner stands for the client whose record an entry is about.
type Owner uint64

// OwnerOf returns the Owner with a name.
func OwnerOf(name string) Owner {
	sum := sha256.Sum256([]byte(name))
	return Owner(binary.BigEndian.Uint64(sum[:]))
}

// Entry says when a record has something due.
type Entry struct {
	Key   string // of the record in the store
	Owner Owner
	At    time.Time
}

// Part is one part of the index, in the order of the keys.
type Part []Entry

// Done is an entry that was worked off, and when it is due again.
type Done struct {
	Entry
	Again time.Time // zero means never
}

// Of returns the number of the part that a record belongs to.
func Of(key string) uint64 {
	h := uint64(0)
	for _, c := range []byte(key) {
		h = (h ^ uint64(c)) * 1099511628211 // FNV-1a
	}
	return h >> 32 % Parts
}

func (p Part) find(key string) (int, bool) {
	return slices.BinarySearchFunc(p, key, func(e Entry, key string) int { return strings.Compare(e.Key, key) })
}

// With returns the part after e was entered, with a time that is not before
// earliest. It returns false if nothing changes.
func (p Part) With(e Entry, earliest time.Time) (Part, bool) {
	i, found := p.find(e.Key)
	due := e.At
	if found && p[i].At.Before(due) {
		due = p[i].At
	}
	if due.Before(earliest) {
		due = earliest
	}
	due = due.Truncate(time.Second)
	switch {
	case found && p[i].At.Equal(due), !found && len(p) >= limit:
		return p, false
	case found:
		next := slices.Clone(p)
		next[i].At = due
		return next, true
	}
	e.At = due
	return slices.Insert(slices.Clone(p), i, e), true
}

// Without returns the part without the entries of owners that a process does
// not know and whose time was before a time. It returns false if there is none.
func (p Part) Without(known func(Owner) bool, before time.Time) (Part, bool) {
	left := slices.DeleteFunc(slices.Clone(p), func(e Entry) bool { return e.At.Before(before) && !known(e.Owner) })
	return left, len(left) < len(p)
}

// After returns the part after entries were worked off. An entry that another
// process has changed meanwhile stays.
func (p Part) After(done []Done) Part {
	next := slices.Clone(p)
	for _, o := range done {
		i, found := next.find(o.Key)
		switch {
		case !found || !next[i].At.Equal(o.At):
		case o.Again.IsZero():
			next = slices.Delete(next, i, i+1)
		default:
			next[i].At = o.Again.Truncate(time.Second)
		}
	}
	return next
}

// Encode returns a part as bytes: the format, and for each entry the length of
// the key, the key, the owner in 8 bytes, and the time in seconds since 1970.
func Encode(p Part) []byte {
	b := []byte{format}
	for _, e := range p {
		b = binary.AppendUvarint(b, uint64(len(e.Key)))
		b = append(b, e.Key...)
		b = binary.BigEndian.AppendUint64(b, uint64(e.Owner))
		b = binary.AppendVarint(b, e.At.Unix())
	}
	return b
}

// ErrLater is the error of a part in another format.
var ErrLater = errors.New("grant: a later version wrote this part of the index of due work: upgrade this one")

// Decode is the inverse of [Encode]. A part that is damaged counts as
// empty. A format of a later version is an error, so that it is not
// overwritten.
func Decode(b []byte) (Part, error) {
	if len(b) > 0 && b[0] != format {
		return nil, fmt.Errorf("%w (format %d, expected %d)", ErrLater, b[0], format)
	}
	var p Part
	for b = b[min(1, len(b)):]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) || uint64(len(b)-n)-size < ownerSize {
			return nil, nil
		}
		key := string(b[n : n+int(size)]) //nolint:gosec // at most len(b)
		b = b[n+int(size):]               //nolint:gosec // at most len(b)
		owner := Owner(binary.BigEndian.Uint64(b))
		b = b[ownerSize:]
		at, n := binary.Varint(b)
		if n <= 0 || len(p) > 0 && p[len(p)-1].Key >= key {
			return nil, nil
		}
		b = b[n:]
		p = append(p, Entry{key, owner, time.Unix(at, 0)})
	}
	return p, nil
}
