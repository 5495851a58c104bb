package storage

import (
	"fmt"
	"strconv"
	"strings"
)

// Change is what a Watcher tells: that a record was put or deleted. The zero Change says that any may have been.
type Change struct {
	Key     string
	Version Version // what Put returned: who has read it already need not read again; zero if unknown or deleted
}

// String returns the form that ParseChange reads. It has at most MaxKey + 17 bytes, all of them printable ASCII.
func (c Change) String() string {
	return fmt.Sprintf("%016x %s", uint64(c.Version), c.Key)
}

// ParseChange reads what String has written. Anything else is news of an unknown kind: the zero Change.
func ParseChange(s string) Change {
	version, key, _ := strings.Cut(s, " ")
	v, err := strconv.ParseUint(version, 16, 64)
	if err != nil || CheckKey(key) != nil {
		return Change{}
	}
	return Change{key, Version(v)}
}
