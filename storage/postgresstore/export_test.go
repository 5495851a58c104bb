package postgresstore

import "time"

// SetPing has Watch look for a dead server sooner.
func (s *Store) SetPing(every, limit time.Duration) { s.pingEvery, s.pingTime = every, limit }

// Tell tells that key has changed.
func (s *Store) Tell(key string) { s.notifier.add(key) }
