package pacing

import (
	"errors"
	"net/http"
	"slices"
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
	// Grants is how many grants must have failed before attempts are limited. A
	// server that fails for one grant only does not slow the others (G17). Zero
	// means one.
	Grants int

	mu       sync.Mutex // guards the rest; never held across I/O
	failures uint64
	failing  []string // grants that failed in these failures, at most Grants
	until    time.Time
	last     *tokensource.Error
}

// Shared reports whether a failure concerns more than the grant for which a
// request was made (G17): the server cannot be reached or is overloaded, or it
// refuses the client.
func Shared(err error) bool {
	e, ok := errors.AsType[*tokensource.Error](err)
	switch {
	case !ok:
		return false
	case errors.Is(e, tokensource.ErrTemporary):
		return e.Status == 0 || e.Status >= 500 || e.Status == http.StatusTooManyRequests
	case errors.Is(e, tokensource.ErrClient):
		return refusesClient(e)
	}
	return false
}

// Private reports whether a failed refresh concerns this process alone, and one
// of its grants at most.
func Private(e *tokensource.Error) bool {
	return e != nil && (errors.Is(e, tokensource.ErrClient) || e.Status == 0 && !e.InDoubt)
}

// refusesClient reports whether the server refused the client, and not one
// grant. X sends unauthorized_client with 401 where the standard has
// invalid_client. A redirect and a missing page mean that the URL is wrong,
// unless an error code comes with them that nobody recognizes.
func refusesClient(e *tokensource.Error) bool {
	noEndpoint := e.Status == http.StatusNotFound || e.Status >= 300 && e.Status <= 399
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" && e.Status == http.StatusUnauthorized ||
		noEndpoint && !e.Unrecognized
}

// open reports whether attempts are limited.
func (b *Breaker) open() bool {
	return b.failures >= breakAfter && len(b.failing) >= max(b.Grants, 1)
}

// Limits reports whether attempts are limited at present.
func (b *Breaker) Limits() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open()
}

// Pauses reports whether Allow would admit no attempt.
func (b *Breaker) Pauses(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open() && b.left(now) > 0
}

// left returns how much of the pause is left. No pause is longer than
// MaxRetryAfter. A longer one comes from a clock that was set back, and must
// not stop everybody until the clock catches up (G18).
func (b *Breaker) left(now time.Time) time.Duration {
	if left := b.until.Sub(now); left <= MaxRetryAfter {
		return left
	}
	return 0
}

// Allow returns nil if an attempt may be made. Otherwise it returns the last
// failure with the time until the next attempt.
func (b *Breaker) Allow(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open() {
		return nil
	}
	if left := b.left(now); left > 0 {
		return &tokensource.Error{
			Op: b.last.Op, Kind: b.last.Kind, Code: b.last.Code, Status: b.last.Status, Hint: b.last.Hint,
			RetryAfter: left, Err: errors.New("failed several times in a row: attempts are spaced out"),
		}
	}
	b.until = now.Add(MinBackoff) // the other callers wait for the outcome of this attempt
	return nil
}

// Report records the outcome of an attempt for a grant. A refused grant counts
// as a success, because the server answered. The jitter spreads the next pause.
func (b *Breaker) Report(err error, grant string, now time.Time, jitter uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, _ := errors.AsType[*tokensource.Error](err)
	if e == nil || !errors.Is(e, tokensource.ErrTemporary) && !errors.Is(e, tokensource.ErrClient) {
		b.failures, b.failing = 0, nil
		return
	}
	b.failures++
	b.last = e
	if len(b.failing) < max(b.Grants, 1) && !slices.Contains(b.failing, grant) {
		b.failing = append(b.failing, grant)
	}
	if b.open() {
		b.until = now.Add(Backoff(b.failures-breakAfter+1, e.RetryAfter, jitter))
	}
}
