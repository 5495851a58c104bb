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

// pause waits before attempt 1, 2, … is made, or until ctx ends or stop is closed. Its length is random, so that those who
// ran into each other do not do so again.
func pause(ctx context.Context, stop <-chan struct{}, attempt int) {
	longest := min(firstPause<<min(attempt, 20), longestPause)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	case <-ctx.Done():
	}
}
