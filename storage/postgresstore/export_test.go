package postgresstore

import (
	"time"

	"github.com/authtrip/authtrip/storage"
)

// SetPing has Watch look for a dead server sooner.
func (s *Store) SetPing(every, limit time.Duration) { s.pingEvery, s.pingTime = every, limit }

// Tell tells of a change.
func (s *Store) Tell(c storage.Change) { s.notifier.add(c) }
