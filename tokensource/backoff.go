package tokensource

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	minBackoff    = time.Second
	maxBackoff    = time.Minute
	maxRetryAfter = 5 * time.Minute // a server may ask for a longer pause, and gets this one
	breakAfter    = 5               // failures in a row, over all grants, after which attempts are rationed
)

// backoff is the pause after the n-th temporary failure in a row: doubling, capped, spread, and at least what the server
// asked for.
func backoff(n uint64, asked time.Duration) time.Duration {
	d := maxBackoff
	if n < 7 {
		d = min(minBackoff<<(max(n, 1)-1), maxBackoff)
	}
	d = d/2 + rand.N(d/2+1)
	return max(d, min(asked, maxRetryAfter))
}

// breaker keeps an outage of the authorization server from meeting a storm: after several failures in a row it lets one
// attempt through per pause, whichever grant it is for. Its zero value is closed.
type breaker struct {
	mu       sync.Mutex // guards the rest; never held across I/O
	failures uint64
	until    time.Time
}

// allow returns nil if an attempt may be made, else an error that says when.
func (b *breaker) allow(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakAfter {
		return nil
	}
	if now.Before(b.until) {
		return &Error{
			Op: "refresh", Kind: ErrTemporary, RetryAfter: b.until.Sub(now),
			Err: errors.New("the authorization server has been failing: attempts are spaced out"),
		}
	}
	b.until = now.Add(minBackoff) // the others wait for this attempt's outcome
	return nil
}

// report takes note of an attempt's outcome. Any answer that is no temporary failure is a sign of life.
func (b *breaker) report(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !errors.Is(err, ErrTemporary) {
		b.failures = 0
		return
	}
	b.failures++
	var asked time.Duration
	if e, ok := errors.AsType[*Error](err); ok {
		asked = e.RetryAfter
	}
	if b.failures >= breakAfter {
		b.until = now.Add(backoff(b.failures-breakAfter+1, asked))
	}
}
