package lease_test

import (
	"fmt"
	"strings"
	"testing"
)

// cost is the worst that can follow.
func (o outcomes) cost() string {
	switch {
	case o.lost:
		return "grant lost"
	case o.login:
		return "login needed"
	case o.delayed:
		return "delay"
	}
	return "nothing"
}

// TestCostOfOneFault prints what one fault of each kind can cost, at worst, in
// a world of two processes and one expiry. A grant is lost if the server ends
// it because of reuse. A login is needed if the engine gives a grant up, or
// the server refuses it. A delay is a renewal that waits, or that ends without
// a token and is repeated later.
func TestCostOfOneFault(t *testing.T) {
	policies := []struct {
		name string
		c    config
	}{
		{"ResendOnce", config{}}, {"grace window", config{grace: true}},
		{"ResendNever", config{never: true}}, {"ResendAlways", config{resends: always}},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-32s", "fault")
	for _, p := range policies {
		fmt.Fprintf(&table, " %-13s", p.name)
	}
	for i, name := range faultNames {
		var costs []string
		for _, p := range policies {
			c := p.c
			c.procs, c.faults, c.expiries, c.kinds = 2, 1, 1, 1<<i
			r := explore(filled(c), false)
			for _, v := range r.broken {
				t.Errorf("%s: %s", &c, v.name)
			}
			costs = append(costs, r.outcomes.cost())
		}
		fmt.Fprintf(&table, "\n%-32s", name)
		for _, cost := range costs {
			fmt.Fprintf(&table, " %-13s", cost)
		}
		if got, want := strings.Join(costs, ", "), costOf(1<<i); got != want {
			t.Errorf("cost of %q by policy = %s, want %s", name, got, want)
		}
	}
	t.Log("\n" + table.String())
}

// costOf returns what one fault costs by policy: once, grace window, never,
// always.
func costOf(f fault) string {
	switch f {
	case faultCrash, faultStop, faultSuspend, faultCut, faultHeld:
		// The tokens are not stored when the next process must decide. It cannot
		// know whether the server has issued them.
		return "grant lost, delay, login needed, grant lost"
	case fault401, faultRevoke, faultDown, faultReseal, faultProbe:
		return "nothing, nothing, nothing, nothing"
	case faultEnds:
		return "login needed, login needed, login needed, login needed"
	}
	return "delay, delay, delay, delay"
}
