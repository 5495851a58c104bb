package redisstore

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// SetQuiet sets how often Watch asks for a sign of life.
func (s *Store) SetQuiet(d time.Duration) { s.quiet = d }

// IsOvertaken reports whether err says that a write may have happened, and was
// overwritten.
func IsOvertaken(err error) bool { return errors.Is(err, errOvertaken) }

// IsDirect reports whether s leaves it to its client to end calls in time.
func IsDirect(s *Store) bool { return s.direct }

// ClientOptions returns the settings of the client that Open has made.
func ClientOptions(s *Store) *redis.Options { return s.client.(*redis.Client).Options() }

// PutSource is the script of Put.
var PutSource = putScript.source
