package derived

import "math/rand/v2"

// jitter returns a random number that spreads the pauses of several processes.
func jitter() uint64 { return rand.Uint64() }
