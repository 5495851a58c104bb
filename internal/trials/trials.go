// Package trials finds renewals of a token that do not help.
//
// An API may reject the new token as well, whatever it is given. Each renewal
// that did not help makes the pause before the next one longer. Everything is
// safe for concurrent use, and nothing fails.
package trials

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// mostSpacing is the longest pause between two renewals that do not help, in
// multiples of the shortest one.
const mostSpacing = 60

// Trials finds renewals that do not help (G9): the API rejects the new token as
// well. Each of them doubles the pause before the next one for the same grant.
// Without that, an API that refuses every token, or a resource that is
// forbidden, would cost a refresh for each request.
//
// A grant has an entry from a rejection until the API accepts the next token.
// Make one with New.
type Trials struct {
	base, longest time.Duration // the shortest and the longest pause

	open atomic.Int64 // entries; requests look at it without a lock

	mu    sync.Mutex // guards the rest; never held across I/O
	list  map[string]*trial
	swept time.Duration // when old entries were dropped last
}

// New returns Trials with the shortest pause.
func New(spacing time.Duration) *Trials {
	return &Trials{base: spacing, longest: mostSpacing * spacing}
}

// trial is what the API made of the tokens of one subject.
type trial struct {
	rejected string        // the access token that was rejected last
	at       time.Duration // when, by the monotonic clock
	tokens   uint          // rejected tokens in a row
	accepted bool          // the API has accepted a token after the last rejection
	pardoned bool          // that has shortened a pause already
}

// Reject records that the API has rejected an access token.
func (t *Trials) Reject(subject, access string, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.list[subject]
	if r == nil || now-r.at > t.longest {
		r = &trial{}
		t.add(subject, r, now)
	}
	if r.rejected != access {
		r.tokens++
	}
	r.rejected, r.at = access, now
}

// Spacing returns how old the rejected access token must be before another
// renewal.
//
// A token that the API has accepted meanwhile makes the pause short again. It
// does so once: where one resource is forbidden and the others are not, the
// acceptance says nothing about the resource that rejects.
func (t *Trials) Spacing(subject, access string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.list[subject]
	if r == nil || r.rejected != access || r.tokens < 3 || r.accepted && !r.pardoned {
		return t.base
	}
	d := t.base
	for range min(r.tokens-2, mostSpacing) {
		d = min(2*d, t.longest)
	}
	return d
}

// Renewing records that a renewal of the rejected token begins.
func (t *Trials) Renewing(subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.list[subject]; r != nil && r.accepted {
		r.accepted, r.pardoned = false, true
	}
}

// None reports that no renewal is in question. It costs one atomic load.
func (t *Trials) None() bool { return t.open.Load() == 0 }

// Accept records that the API has accepted an access token. Renewed says that
// the same request was rejected with an earlier token: the renewal has helped.
func (t *Trials) Accept(subject, access string, renewed bool, now time.Duration) {
	if t.None() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	r := t.list[subject]
	switch {
	case r == nil:
	case renewed && access != r.rejected, now-r.at > t.longest:
		delete(t.list, subject)
		t.counted()
	default:
		r.accepted = true
	}
}

// add adds an entry.
func (t *Trials) add(subject string, r *trial, now time.Duration) {
	t.sweep(now)
	r.at = now
	if t.list == nil {
		t.list = map[string]*trial{}
	}
	t.list[subject] = r
	t.counted()
}

// sweep drops entries that no pause needs any more, from time to time (G10).
// Without it, the entry of a subject that is gone would cost every request of
// the others a lock.
func (t *Trials) sweep(now time.Duration) {
	if now-t.swept <= t.longest {
		return
	}
	t.swept = now
	maps.DeleteFunc(t.list, func(_ string, r *trial) bool { return now-r.at > t.longest })
	t.counted()
}

// counted counts the entries. An empty map keeps its memory, so it goes.
func (t *Trials) counted() {
	t.open.Store(int64(len(t.list)))
	if len(t.list) == 0 {
		t.list = nil
	}
}
