package simulation_test

import (
	"flag"
	"fmt"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

var (
	seed   = flag.Uint64("seed", 1, "the seed of TestSimulation")
	length = flag.Duration("length", 3*time.Hour, "how long a run of TestSimulation lasts, in simulated time")
	repeat = flag.Duration("repeat", 20*time.Minute, "how long a run of TestASeedRepeats lasts, in simulated time")
	follow = flag.String("log", "", `print the lines of this user, or of "all"`)
)

// TestSimulation runs one seed in each profile.
func TestSimulation(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			result := simulate(t, p, *seed, *length, false)
			if result.first != "" {
				t.Error(result.first)
			}
			t.Log(result.counts)
		})
	}
}

// A seed that fails can be looked at only if it fails again.
func TestASeedRepeats(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			first := simulate(t, p, *seed, *repeat, true)
			again := simulate(t, p, *seed, *repeat, true)
			if again.digest != first.digest || again.lines != first.lines {
				t.Errorf("seed %d has %d lines with digest %x, and then %d with %x", *seed, first.lines, first.digest, again.lines, again.digest)
			}
		})
	}
}

// result is what a run has shown.
type result struct {
	first  string // the first violation; empty if there is none
	digest uint64
	lines  int
	counts *counts
}

// simulate lives one run in a bubble. With digesting the result has a digest.
func simulate(t *testing.T, p profile, seed uint64, length time.Duration, digesting bool) result {
	t.Helper()
	var out result
	t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		synctest.Test(t, func(t *testing.T) {
			r := newRun(t, p, seed, length, digesting)
			r.live()
			out = result{r.judge.first, r.judge.log.digest, r.judge.log.count, r.judge.counts}
		})
	})
	return out
}
