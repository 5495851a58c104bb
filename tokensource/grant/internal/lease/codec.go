package lease

import "errors"

var (
	// ErrDamaged means that the bytes are no record.
	ErrDamaged = errors.New("lease: the stored record is damaged")
	// ErrFormat means that a later version wrote the record.
	ErrFormat = errors.New("lease: the stored record has a format that this version does not know")
)

// Encode returns r as bytes.
func (r *Record) Encode() []byte { return nil }

// Decode is the inverse of [Record.Encode].
func Decode(b []byte) (*Record, error) { return nil, ErrDamaged }
