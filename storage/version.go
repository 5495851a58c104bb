package storage

import (
	"crypto/rand"
	"encoding/binary"
)

// Version names one state of one key. Two versions can only be compared for
// equality: they have no order. Zero is never the version of a stored value.
// Given to Put, zero means that the key must not exist yet.
type Version uint64

// NewVersion returns 64 random bits that are not zero: a version that no
// stored value has. It is for a store whose counter would not survive a
// Delete. It shares no state between processes.
func NewVersion() Version {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		if v := Version(binary.LittleEndian.Uint64(b[:])); v != 0 {
			return v
		}
	}
}
