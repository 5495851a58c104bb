package pacing

import (
	"cmp"
	"maps"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

const (
	firstRefusalPause = 10 * time.Second // after a refusal that nobody recognizes; it doubles
	lastRefusalPause  = time.Hour

	// A refusal that nobody recognizes, and that repeats so often and for so long,
	// is told as one that the user can fix. Otherwise a user whose server words
	// its refusals in its own way would never be asked to log in again.
	repeats     = 3
	repeatsOver = 10 * time.Minute
)

// Refusals holds failed attempts that no other process may learn of, by the
// storage key of their grant. A refused client concerns this process alone: a
// replica with an old secret must not delay those with the right one. The same
// goes for a request that never left this process. So the pause after such an
// attempt is not written into the stored grant. The zero value is ready. It is
// safe for concurrent use.
type Refusals struct {
	mu   sync.Mutex // guards the rest; never held across I/O
	list map[string]*refusal
	kept int // entries after the last sweep
}

// refusal is what is known of the failed attempts with one token set.
type refusal struct {
	set         string        // the name of the token set
	count       uint64        // failed attempts in a row
	unknown     uint64        // those that nobody recognizes
	first, last time.Duration // of these, by the monotonic clock
	until       Moment        // no attempt before
	err         *tokensource.Error
}

// Note records a failed attempt with a token set, and returns the error for the
// callers, with the pause in it. Next is not empty if the server issued another
// set, which has this name and cannot be used. It would do so at each attempt.
func (t *Refusals) Note(key, set, next string, e *tokensource.Error, now Moment, jitter uint64) *tokensource.Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.list[key]
	if r == nil || r.set != set {
		r = t.add(key, &refusal{})
	}
	r.set = cmp.Or(next, set)
	r.count++
	pause := Backoff(r.count, e.RetryAfter, jitter)
	switch {
	case e.Unrecognized:
		pause = r.unrecognized(now.Mono, jitter)
	case next != "":
		pause = refusalPause(r.count, jitter)
	}
	r.until = now.add(pause)
	r.err = e
	return r.failure(now)
}

// unrecognized counts a refusal that nobody recognizes, and returns the pause
// after it. The attempt that decides whether the user is asked is not put off.
func (r *refusal) unrecognized(now time.Duration, jitter uint64) time.Duration {
	r.unknown++
	if r.unknown == 1 {
		r.first = now
	}
	r.last = now
	pause := refusalPause(r.unknown, jitter)
	if left := r.first + repeatsOver - now; left > 0 && r.unknown+1 >= repeats {
		pause = min(pause, left)
	}
	return pause
}

// refusalPause returns the pause after the n-th refusal. At most half of it is
// jitter.
func refusalPause(n, jitter uint64) time.Duration {
	d := firstRefusalPause << min(n-1, 9)
	d = min(d, lastRefusalPause)
	return d/2 + time.Duration(jitter%uint64(d/2+1))
}

// failure returns the last failure as callers see it.
func (r *refusal) failure(now Moment) *tokensource.Error {
	e := *r.err
	e.RetryAfter = max(r.until.left(now), 0)
	if r.unknown >= repeats && r.last-r.first >= repeatsOver {
		e.Kind, e.Reason = tokensource.ErrReauthorize, tokensource.ReasonRefused
	}
	return &e
}

// Check returns why no attempt with a token set may be made now, or nil.
func (t *Refusals) Check(key, set string, now Moment) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.list[key]
	switch {
	case r == nil:
		return nil
	case r.set != set: // a login or another process has replaced the tokens
		t.remove(key)
		return nil
	case r.until.left(now) <= 0:
		return nil
	}
	return r.failure(now)
}

// Count returns how many failed attempts in a row were noted for a token set.
func (t *Refusals) Count(key, set string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.list[key]; r != nil && r.set == set {
		return r.count
	}
	return 0
}

// Waiting returns how many grants must wait for their next attempt.
func (t *Refusals) Waiting(now Moment) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, r := range t.list {
		if r.until.left(now) > 0 {
			n++
		}
	}
	return n
}

// Clear forgets what is known of a grant: an attempt has succeeded.
func (t *Refusals) Clear(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(key)
}

// remove removes an entry. An empty map keeps its memory, so it goes.
func (t *Refusals) remove(key string) {
	if delete(t.list, key); len(t.list) == 0 {
		t.list, t.kept = nil, 0
	}
}

// add adds an entry. It drops entries whose pause ended long ago when there are
// many (G10).
func (t *Refusals) add(key string, r *refusal) *refusal {
	const few = 1024
	if t.list == nil {
		t.list = map[string]*refusal{}
	}
	t.list[key] = r
	if len(t.list) > 2*t.kept+few {
		newest := time.Duration(0)
		for _, other := range t.list {
			newest = max(newest, other.until.Mono)
		}
		maps.DeleteFunc(t.list, func(_ string, other *refusal) bool {
			return other != r && other.until.Mono+lastRefusalPause < newest
		})
		t.kept = len(t.list)
	}
	return r
}
