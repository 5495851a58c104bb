package storage

import (
	"fmt"
	"strconv"
	"strings"
)

// Change is the notification of a [Watcher] that a record was put or deleted.
// The zero Change means that any record may have changed.
type Change struct {
	// Key is the key of the record.
	Key string

	// Version is the version that Put returned. A process that has read this
	// version need not read again. Zero means deleted or unknown.
	Version Version
}

// String returns the form that [ParseChange] reads: at most MaxKey + 17 bytes
// of printable ASCII.
func (c Change) String() string {
	return fmt.Sprintf("%016x %s", uint64(c.Version), c.Key)
}

// ParseChange reads the form that [Change.String] returns. For any other text
// it returns the zero Change.
func ParseChange(s string) Change {
	version, key, _ := strings.Cut(s, " ")
	v, err := strconv.ParseUint(version, 16, 64)
	if err != nil || CheckKey(key) != nil {
		return Change{}
	}
	return Change{key, Version(v)}
}
