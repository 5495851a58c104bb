package storage

import (
	"crypto/rand"
	"encoding/binary"
)

// Version names one state of one key. Versions can only be compared for equality: they have no order. Zero is never the
// version of a stored value; given to Put it means that the key must not exist yet.
type Version uint64

// NewVersion returns a version that no stored value has: 64 random bits, not zero. It is for stores that keep no counter
// which survives a delete, and shares nothing between processes.
func NewVersion() Version {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		if v := Version(binary.LittleEndian.Uint64(b[:])); v != 0 {
			return v
		}
	}
}
