// Package attempts bounds how often the same thing is tried in a while.
//
// A [Log] counts attempts in the memory of one process. It has no errors, and
// is safe for concurrent use.
package attempts

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// maxSeen is how many things a Log remembers.
const maxSeen = 4096

// A Log allows Max attempts at one thing within Window. The other fields are
// its own.
type Log struct {
	Max    int
	Window time.Duration

	mu   sync.Mutex // guards seen
	seen map[[sha256.Size]byte][]time.Time
}

// Allow reports whether one more attempt at the thing may begin, and counts it.
// A refusal counts as no attempt.
func (l *Log) Allow(thing string, now time.Time) bool {
	key := sha256.Sum256([]byte(thing))
	l.mu.Lock()
	defer l.mu.Unlock()
	old := func(at time.Time) bool { return now.Sub(at) >= l.Window }
	times := slices.DeleteFunc(l.seen[key], old)
	if len(times) >= l.Max {
		l.seen[key] = times
		return false
	}
	if l.seen == nil {
		l.seen = map[[sha256.Size]byte][]time.Time{}
	}
	if len(l.seen) >= maxSeen {
		// A quarter goes at once: the search for what is old looks at everything.
		for k, list := range l.seen {
			if len(list) == 0 || old(list[len(list)-1]) || len(l.seen) > maxSeen*3/4 {
				delete(l.seen, k)
			}
		}
	}
	l.seen[key] = append(times, now)
	return true
}

// Len returns how many things are remembered.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}
