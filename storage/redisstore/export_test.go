package redisstore

import (
	"errors"
	"time"
)

// SetQuiet sets how often Watch asks for a sign of life.
func (s *Store) SetQuiet(d time.Duration) { s.quiet = d }

// IsOvertaken reports whether err says that a write may have happened, and was overwritten.
func IsOvertaken(err error) bool { return errors.Is(err, errOvertaken) }

// PutSource is the script of Put.
var PutSource = putScript.source
