package lease_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

const (
	always = math.MaxUint64
	writes = faultWriteLost | faultWriteDone | faultWriteLate | faultWriteError
	rarer  = everyFault &^ classic
)

// parts are the classic faults, in parts. Where one fault may happen, several
// configurations with a part of its kinds show the same as one with all of
// them. A part is small: without a wrong clock, fewer times are told apart, and
// more orders can be left out where a fault cannot come between two steps.
var parts = []fault{
	faultHeld | fault503 | fault401 | faultReseal, faultWriteDone | faultWriteLate, faultWriteLost, faultRead, faultRevoke,
	faultCrash, faultCut, faultAway, faultSkew, faultStop,
}

// inParts returns c once for each part of its faults.
func inParts(c config, parts ...fault) []config {
	var all []config
	for _, c.kinds = range parts {
		all = append(all, c)
	}
	return all
}

// suite lists the configurations. Those that are short run in every test. All
// run with AUTHTRIP_EXPLORE=all.
var suite = slices.Concat([]config{
	{procs: 2, faults: 1, expiries: 1, kinds: everyFault, progress: true, short: true},
	{procs: 2, faults: 1, expiries: 1, never: true, kinds: everyFault, progress: true, short: true},
	{procs: 2, faults: 1, expiries: 2, progress: true, short: true},
	{procs: 1, faults: 2, expiries: 1, kinds: everyFault, progress: true, short: true},
	{procs: 2, faults: 1, expiries: 1, ahead: true, spacing: 1, kinds: everyFault, progress: true, short: true},
	{procs: 2, faults: 1, logouts: 1, deaf: true, short: true},
	{procs: 2, expiries: 1, logins: 1, single: true, progress: true, short: true},
	{procs: 2, logins: 2, single: true, short: true},
	{procs: 2, logins: 1, logouts: 1, progress: true, short: true},
	{procs: 1, faults: 1, expiries: 1, logouts: 1, kinds: everyFault, progress: true, short: true},
	{procs: 2, faults: 1, logins: 1, short: true},
	{procs: 2, faults: 1, logins: 1, logouts: 1, empty: true, kinds: everyFault, progress: true, short: true},
	{procs: 1, faults: 1, logins: 1, logouts: 1, kinds: everyFault, short: true},
	{procs: 1, faults: 1, expiries: 1, logins: 1, kinds: everyFault, short: true},
	{procs: 2, faults: 1, logins: 2, kinds: faultWriteDone, short: true},
	{procs: 1, faults: 1, logins: 2, kinds: faultStop | faultWriteDone | faultCut, short: true},
	{procs: 2, faults: 2, expiries: 1, kinds: faultCut | faultWriteDone | faultHeld | fault503, short: true},

	{procs: 2, faults: 2, expiries: 1},
	{procs: 2, faults: 2, expiries: 1, grace: true},
	{procs: 2, faults: 2, expiries: 1, single: true, never: true},
	{procs: 2, faults: 2, expiries: 1, resends: always},
	{procs: 2, faults: 2, expiries: 1, kinds: rarer | faultCrash | faultHeld},
	{procs: 2, faults: 2, expiries: 2},
	{procs: 2, expiries: 1, logins: 2},
	{procs: 2, expiries: 1, logins: 2, single: true},
	{procs: 2, expiries: 1, logins: 1, logouts: 1, progress: true},
	{procs: 2, faults: 1, logins: 2, kinds: faultStop},
	{procs: 2, faults: 1, expiries: 1, logouts: 1, deaf: true},
	{procs: 3, faults: 1, expiries: 1},
	{procs: 3, faults: 1, expiries: 2},
	{procs: 3, expiries: 1, logins: 2},
	{procs: 2, faults: 1, expiries: 1, logins: 1, kinds: faultRevoke | faultDown | faultCrash | faultStop},
	{procs: 2, faults: 1, expiries: 1, logins: 1, revokesAll: true, single: true, kinds: rarer | faultCrash | faultRevoke},

	{procs: 2, faults: 1, expiries: 1, logins: 1, logouts: 1, kinds: everyFault, limit: 10_000_000},
	{procs: 3, faults: 2, expiries: 1, limit: 10_000_000},
},
	inParts(config{procs: 2, faults: 1, logins: 1, logouts: 1}, parts...),
	inParts(config{procs: 2, faults: 1, expiries: 1, logins: 1}, parts...),
	inParts(config{procs: 2, faults: 1, expiries: 1, logins: 1, single: true}, parts...),
	inParts(config{procs: 2, faults: 1, expiries: 1, logouts: 2}, parts...),
	inParts(config{procs: 2, faults: 1, logins: 2, logouts: 1}, parts...),
	inParts(config{procs: 2, faults: 1, expiries: 1, logins: 1, logouts: 1},
		faultWriteDone|faultWriteLate, faultWriteLost|faultWriteError, faultRevoke, faultDown, faultCrash, faultCut, faultAway),
)

// TestPartsOfTheFaults shows that the parts are all classic faults.
func TestPartsOfTheFaults(t *testing.T) {
	var all fault
	for _, p := range parts {
		all |= p
	}
	if all != classic {
		t.Errorf("the parts = %q, want %q", all, classic)
	}
}

// bound is the number of states at which the exploration of a configuration
// ends in any case. Only a configuration with a limit of its own may end before
// it has visited every state. The largest one that ends has 119,573,307 states.
const bound = 200_000_000

// String names a configuration.
func (c *config) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processes, %s", c.procs, count(c.faults, "fault"))
	for _, n := range []struct {
		n    byte
		what string
	}{{c.expiries, "expiry"}, {c.logins, "login"}, {c.logouts, "logout"}} {
		if n.n > 0 {
			b.WriteString(", " + count(n.n, n.what))
		}
	}
	switch {
	case c.never:
		b.WriteString(", ResendNever")
	case c.resends == always:
		b.WriteString(", ResendAlways")
	}
	for _, o := range []struct {
		set  bool
		what string
	}{
		{c.grace, "grace window"}, {c.single, "single grant"}, {c.revokesAll, "a revocation ends all"},
		{c.deaf, "deaf to used tokens"}, {c.empty, "no record at first"}, {c.ahead, "refreshed ahead"},
		{c.kinds == everyFault, "every kind of fault"},
	} {
		if o.set {
			b.WriteString(", " + o.what)
		}
	}
	if c.kinds != everyFault && c.kinds != 0 && c.kinds != classic {
		b.WriteString(", faults: " + c.kinds.String())
	}
	return b.String()
}

func count(n byte, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "y"):
		return fmt.Sprint(n, " ", strings.TrimSuffix(what, "y"), "ies")
	}
	return fmt.Sprint(n, " ", what, "s")
}

func (f fault) String() string {
	var names []string
	for i, name := range faultNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "; ")
}

// TestExploration visits every state of small worlds of processes, a store and
// a server, with the operations of this package in them. In every state it
// checks every invariant that a state can show: see invariants_test.go.
//
// AUTHTRIP_EXPLORE=all explores every configuration of the suite, and a number
// that of the suite's line of this number. CPUs do not matter: the bound of a
// configuration is a number of states, and the output names it.
func TestExploration(t *testing.T) {
	for i, c := range suite {
		if !chosen(i, c) {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			partly := c.limit > 0
			if !partly {
				c.limit = bound
			}
			r := explore(filled(c), true)
			t.Logf("%s\n%s", &c, r)
			if len(r.broken) > 0 || r.stuck > 0 || r.cut > 0 && !partly {
				t.Fail()
			}
		})
	}
}

// chosen reports whether a configuration is to be explored. The race detector
// makes the search ten times slower, and finds nothing in one goroutine.
func chosen(i int, c config) bool {
	switch which := os.Getenv("AUTHTRIP_EXPLORE"); {
	case which == "all", which == fmt.Sprint(i+1):
		return true
	case which != "":
		return false
	case testing.Short() || raced():
		return i == 0
	}
	return c.short
}

func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// TestExplorationReadsWhatOperationsRead shows that the explorer leaves nothing
// out of a state that an operation still reads: with all fields of the
// operations, it reaches the same states.
func TestExplorationReadsWhatOperationsRead(t *testing.T) {
	for _, c := range []config{
		{procs: 2, faults: 1, expiries: 1, kinds: faultStop | faultCut | faultWriteDone | fault503},
		{procs: 1, faults: 1, logins: 1, logouts: 1, kinds: faultWriteDone | faultWriteError | faultRevoke | faultRead},
		{procs: 1, faults: 1, expiries: 1, logins: 1, kinds: writes | faultCut},
	} {
		c := filled(c)
		brief, full := reached(c, false), reached(c, true)
		for b := range full {
			if !brief[b] {
				t.Errorf("%s: a state is not reached without the fields that are left out", c)
				break
			}
		}
		if len(brief) != len(full) {
			t.Errorf("%s: %d states with all fields, %d without those that are left out", c, len(full), len(brief))
		}
	}
}

// TestExplorationTellsApartWhatMatters shows that nothing gets lost because the
// explorer drops facts that no judge asks about: with them, it reaches the same
// states.
func TestExplorationTellsApartWhatMatters(t *testing.T) {
	for _, c := range []config{
		{procs: 2, faults: 1, expiries: 1, kinds: faultStop | faultCut | faultAway | faultWriteDone | faultHeld},
		{procs: 2, faults: 1, expiries: 1, ahead: true, spacing: 1, kinds: faultStop | fault401},
		{procs: 1, faults: 1, expiries: 1, logouts: 1, kinds: faultCrash | faultWriteLate},
		{procs: 1, faults: 1, expiries: 1, logins: 1, kinds: faultCrash | faultCut},
	} {
		c := filled(c)
		brief := newExplorer(c).enc
		states := func(all bool) (map[string]bool, int) {
			x, found, n := newExplorer(c), map[string]bool{}, 0
			x.enc.all = all
			x.walk(func(w *model) { found[string(brief.world(w))], n = true, n+1 })
			return found, n
		}
		got, n := states(false)
		want, m := states(true)
		if !maps.Equal(got, want) {
			t.Errorf("%s: %d states, and %d without facts that no judge asks about", c, len(want), len(got))
		}
		if m <= n {
			t.Errorf("%s: %d states, and as many with facts that no judge asks about: nothing is dropped", c, n)
		}
	}
}

// reached returns the states of c in their brief form, though the search may
// tell them apart by all fields.
func reached(c *config, all bool) map[string]bool {
	x, brief := newExplorer(c), newExplorer(c)
	x.enc.keep, brief.enc.keep = true, true
	y := newLayouts(c, all)
	x.enc.layouts, x.dec.layouts = y, y
	states := map[string]bool{}
	x.walk(func(w *model) { states[string(brief.enc.world(w))] = true })
	return states
}

// walk calls f for every state.
func (x *explorer) walk(f func(w *model)) {
	s := newSearch(false)
	var w model
	s.visit(slices.Clone(x.enc.world(x.c.start())), func(state int, b []byte) bool {
		x.dec.world(b, &w, x.c)
		f(&w)
		x.emit = func(n *model) {
			next := x.enc.world(n)
			if _, fresh := s.add(next, state, 0); fresh {
				s.todo.push(next)
			}
		}
		x.moves(&w)
		return true
	})
}
