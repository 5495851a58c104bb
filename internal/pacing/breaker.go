package pacing

import (
	"errors"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// breakAfter is the number of failures in a row, over all grants, after which a
// [Breaker] limits attempts.
const breakAfter = 5

// Breaker protects an authorization server that fails, or that refuses the
// client. After several failures in a row it admits one attempt per pause,
// whichever grant the attempt is for. The zero value admits every attempt. It
// is safe for concurrent use.
type Breaker struct {
	mu       sync.Mutex // guards the rest; never held across I/O
	failures uint64
	until    time.Time
	last     *tokensource.Error
}

// Allow returns nil if an attempt may be made. Otherwise it returns the last
// failure with the time until the next attempt.
func (b *Breaker) Allow(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakAfter {
		return nil
	}
	// No pause is longer than MaxRetryAfter. A longer one comes from a clock that
	// was set back, and must not stop everybody until the clock catches up (G18).
	if left := b.until.Sub(now); left > 0 && left <= MaxRetryAfter {
		return &tokensource.Error{
			Op: b.last.Op, Kind: b.last.Kind, Code: b.last.Code, Status: b.last.Status, Hint: b.last.Hint,
			RetryAfter: left, Err: errors.New("failed several times in a row: attempts are spaced out"),
		}
	}
	b.until = now.Add(MinBackoff) // the other callers wait for the outcome of this attempt
	return nil
}

// Report records the outcome of an attempt. A refused grant counts as a
// success, because the server answered. The jitter spreads the next pause.
func (b *Breaker) Report(err error, now time.Time, jitter uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, _ := errors.AsType[*tokensource.Error](err)
	if e == nil || !errors.Is(e, tokensource.ErrTemporary) && !errors.Is(e, tokensource.ErrClient) {
		b.failures = 0
		return
	}
	b.failures++
	b.last = e
	if b.failures >= breakAfter {
		b.until = now.Add(Backoff(b.failures-breakAfter+1, e.RetryAfter, jitter))
	}
}
