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
// them never happens, the checks that judge it are blind.
//
// The number says in how many simulated days it happens for certain. A shorter
// simulation is not judged by it.
var situations = []struct {
	name string
	days int
}{}

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
