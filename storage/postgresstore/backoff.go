package postgresstore

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses between attempts double from the first to the longest.
const (
	firstPause   = time.Millisecond
	longestPause = time.Second
)

// pause waits before attempt 1, 2, … is made, or until ctx ends or stop is
// closed. Its length is random, so that two statements that collided do not
// collide again.
func pause(ctx context.Context, stop <-chan struct{}, attempt int) {
	wait(ctx, stop, rand.N(min(firstPause<<min(attempt, 20), longestPause)))
}

// wait waits for d, or until ctx ends or stop is closed.
func wait(ctx context.Context, stop <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	case <-ctx.Done():
	}
}
