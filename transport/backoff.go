package transport

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// nextPause is the pause that the server asks for. If it asks for none, it is a
// random part of a bound that doubles with each attempt.
func (c *retryCall) nextPause() time.Duration {
	if c.resp != nil {
		if asked := c.limits.askedPause(c.resp); asked > 0 {
			return asked
		}
	}
	bound := c.maxWait
	if shift := c.attempts - 1; shift < 32 && c.firstWait<<shift>>shift == c.firstWait {
		bound = min(c.firstWait<<shift, c.maxWait)
	}
	return rand.N(bound) + 1
}

func (c *retryCall) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return c.pause
}
