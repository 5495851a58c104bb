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

// spread is d, give or take a quarter of it; lot decides how much.
func spread(d time.Duration, lot uint64) time.Duration {
	return d*3/4 + time.Duration(lot%uint64(d/2+1))
}

// breaker keeps an outage of the authorization server, or a client that it refuses, from becoming a storm: after several
// failures in a row it lets one attempt through per pause, whichever grant it is for. Its zero value is closed.
type breaker struct {
	mu       sync.Mutex // guards the rest; never held across I/O
	failures uint64
	until    time.Time
	last     *Error
}

// allow returns nil if an attempt may be made, else the last failure and when the next attempt will be.
func (b *breaker) allow(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakAfter {
		return nil
	}
	if now.Before(b.until) {
		return &Error{
			Op: b.last.Op, Kind: b.last.Kind, Code: b.last.Code, Status: b.last.Status, Hint: b.last.Hint,
			RetryAfter: b.until.Sub(now), Err: errors.New("failed several times in a row: attempts are spaced out"),
		}
	}
	b.until = now.Add(minBackoff) // the others wait for this attempt's outcome
	return nil
}

// report takes note of an attempt's outcome. A grant that was refused is a sign of life as good as a token.
func (b *breaker) report(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, _ := errors.AsType[*Error](err)
	if e == nil || !errors.Is(e, ErrTemporary) && !errors.Is(e, ErrClient) {
		b.failures = 0
		return
	}
	b.failures++
	b.last = e
	if b.failures >= breakAfter {
		b.until = now.Add(backoff(b.failures-breakAfter+1, e.RetryAfter))
	}
}
