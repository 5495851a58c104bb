package simulation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// counts say how often something happened: what was done, which faults were
// injected, and which rare situations came about.
type counts struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

func newCounts() *counts { return &counts{n: map[string]int{}} }

func (c *counts) add(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[name] += n
}

func (c *counts) addAll(other map[string]int) {
	for name, n := range other {
		c.add(name, n)
	}
}

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.n)) {
		fmt.Fprintf(&text, "%s %d, ", name, c.n[name])
	}
	return strings.TrimSuffix(text.String(), ", ")
}

// situations are what a simulation of all profiles must bring about. If one of
// them never happens, the checks that judge it see nothing.
//
// The number says in how many simulated days it happens for certain, at about
// twenty times on average. A shorter simulation is not judged by it.
var situations = []struct {
	name string
	days int
}{
	{"takeovers", 3},
	{"logins at nearly the same time", 3},
	{"probes", 3},
	{"refresh tokens sent again", 3},
	{"records written again", 3},
	{"tokens served that the store has not taken", 8},
	{"attempts after a lost answer of their own", 10},
	{"grants refused in doubt", 10},
	{"event grant superseded", 10},
	{"event grant saved", 15},
	{"grants given up in doubt", 25},
	{"replays that were rejected", 40},
	{"tokens stored over the intent of another process", 100},
	{"logins stored in another order than that of their exchanges", 100},
	{"grants refused", 150},
	{"requests not sent because it was too late", 250},
	{"logouts while a refresh was under way", 250},
	{"tokens stored after a grant was given up", 300},

	{"fault store slow", 2},
	{"fault store failed", 2},
	{"fault store hang", 3},
	{"fault store mute", 3},
	{"fault store late", 15},
	{"fault store lost ack", 15},
	{"fault store conflict", 15},
	{"fault wire status", 5},
	{"fault wire lost before", 10},
	{"fault wire lost after", 10},
	{"fault wire refused", 15},
	{"fault wire slow", 30},
	{"fault wire late", 40},
	{"fault wire hang", 40},
	{"fault notification lost", 5},
	{"fault process cut off", 5},
	{"fault process crash", 15},
	{"fault process stop", 15},
	{"fault process suspend", 25},
	{"clock steps", 15},
}

// missing returns the situations that should have come about in so many days.
func (c *counts) missing(days float64) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, s := range situations {
		if float64(s.days) <= days && c.n[s.name] == 0 {
			list = append(list, s.name)
		}
	}
	return list
}
