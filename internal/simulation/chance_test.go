package simulation_test

import "time"

// chance draws from a seed. Each draw names what it is for, and no draw depends
// on the one before: a change in one place shifts nothing elsewhere.
type chance uint64

// of returns the chance of something named by parts.
func (c chance) of(parts ...string) chance {
	const prime = 1099511628211 // FNV-1a
	h := uint64(14695981039346656037) ^ uint64(c)*prime
	for _, p := range parts {
		h = (h ^ '/') * prime
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * prime
		}
	}
	return chance(mix(h))
}

// mix spreads the bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// nth returns the n-th chance.
func (c chance) nth(n int) chance { return chance(mix(uint64(c) + uint64(n)*0x9e3779b97f4a7c15)) }

// float returns a number from 0 up to but not including 1.
func (c chance) float() float64 { return float64(c>>11) / (1 << 53) }

// hit reports true with a probability.
func (c chance) hit(probability float64) bool { return c.float() < probability }

// between returns a duration from low to high. It has a random number of
// nanoseconds, so that two events hardly ever meet in one instant.
func (c chance) between(low, high time.Duration) time.Duration {
	return low + time.Duration(mix(uint64(c))%uint64(high-low+1))
}

// below returns a number from 0 to n-1.
func (c chance) below(n int) int { return int(mix(uint64(c)+1) % uint64(n)) }
