// Package pacing spaces out attempts that fail.
//
// [Backoff] is the pause of one grant. [Breaker] is the pause of a whole
// process.
package pacing

import "time"

const (
	// MinBackoff is the shortest pause.
	MinBackoff = time.Second
	// MaxBackoff is the longest pause that this package chooses by itself.
	MaxBackoff = time.Minute
	// MaxRetryAfter is the longest pause that a server can ask for.
	MaxRetryAfter = 5 * time.Minute
)

// Backoff returns the pause after a number of temporary failures in a row. It
// doubles with each failure up to [MaxBackoff]. At most half of it is jitter.
// It is never shorter than what the server asked for, up to [MaxRetryAfter].
//
// The jitter is a parameter: the function has no randomness of its own.
func Backoff(failures uint64, asked time.Duration, jitter uint64) time.Duration {
	d := MaxBackoff
	if failures < 7 {
		d = min(MinBackoff<<(max(failures, 1)-1), MaxBackoff)
	}
	d = d/2 + time.Duration(jitter%uint64(d/2+1))
	return max(d, min(asked, MaxRetryAfter))
}

// Spread returns d changed by up to a quarter in either direction. The jitter
// decides how much.
func Spread(d time.Duration, jitter uint64) time.Duration {
	return d*3/4 + time.Duration(jitter%uint64(d/2+1))
}
