package storage

// Record is a stored value and the version that it was read at. Make one with
// [NewRecord]; the zero Record has no value and version zero.
//
// The value may hold secrets. It is kept in a closure, so fmt, encoding/json,
// log/slog and the other packages that print values never show it, not even
// where a struct holds a Record by value. Two Records cannot be compared.
type Record struct {
	// Version is the version that the value was read at.
	Version Version

	value func() []byte
}

// NewRecord returns a Record of value and version. It keeps value and does not
// copy it.
func NewRecord(value []byte, version Version) Record {
	return Record{Version: version, value: func() []byte { return value }}
}

// Value returns the value that NewRecord was given, at each call the same
// slice. It returns nil for the zero Record.
func (r Record) Value() []byte {
	if r.value == nil {
		return nil
	}
	return r.value()
}
