package lease_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// report is what the exploration of a configuration found.
type report struct {
	states      int
	transitions uint64
	cut         int // the number of states at which the search was ended; 0 if it has visited all
	broken      []violation
	stuck       int
	trace       []string // of the first stuck state
	outcomes    outcomes
	seconds     float64
}

// violation is an invariant that is broken, and the shortest way to break it.
type violation struct {
	name  string
	trace []string
}

// explore visits every state of a configuration. A move that breaks an
// invariant is not followed.
func explore(c *config, stopAtFirst bool) *report {
	began := time.Now()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is little to collect
	x, s, r := newExplorer(c), newSearch(c.progress), &report{}
	first := slices.Clone(x.enc.world(c.start()))
	var w model
	s.visit(first, func(state int, b []byte) bool {
		if c.limit > 0 && s.states() >= c.limit {
			r.cut = c.limit
			return false
		}
		if state > 0 && state%1_000_000 == 0 && os.Getenv("AUTHTRIP_EXPLORE") != "" {
			fmt.Fprintf(os.Stderr, "%d states are visited, %d wait\n", state, s.states()-state)
		}
		x.dec.world(b, &w, c)
		if state == 0 {
			s.settle(x, &w, 0)
		}
		move := 0
		x.emit = func(n *model) {
			r.move(x, s, n, first, state, move)
			move++
		}
		guarded(x, &w, func(text string) { r.add(c, text, first, s.path(state)) })
		return !stopAtFirst || len(r.broken) == 0
	})
	if c.progress && r.cut == 0 {
		if stuck := s.stuck(); len(stuck) > 0 {
			r.stuck, r.trace = len(stuck), replay(c, first, s.path(stuck[0]))
		}
	}
	r.states, r.transitions, r.outcomes = s.states(), s.transitions, x.outcomes
	r.seconds = time.Since(began).Seconds()
	return r
}

// move notes one move of a state, which leads to n.
func (r *report) move(x *explorer, s *search, n *model, first []byte, state, move int) {
	next := x.enc.world(n)
	x.state(n, &x.enc.held)
	s.transitions++
	if x.broken != "" {
		r.add(x.c, x.broken, first, append(s.path(state), move))
		return
	}
	i, fresh := s.add(next, state, move)
	if fresh {
		s.todo.push(next)
		s.settle(x, n, i)
	}
	if s.edges && x.free {
		s.from, s.to = append(s.from, uint32(state)), append(s.to, uint32(i))
	}
}

// settle notes whether a new state is a settled one.
func (s *search) settle(x *explorer, n *model, i int) {
	if !x.settled(n) {
		return
	}
	if r := n.record; r != nil && r.Over != "" && r.Over != lease.NoGrant {
		x.outcomes.login = true
	}
	if s.edges {
		s.settled = append(s.settled, uint32(i))
	}
}

// guarded makes all moves. A panic of a machine is a violation.
func guarded(x *explorer, w *model, failed func(text string)) {
	defer func() {
		if v := recover(); v != nil {
			if os.Getenv("STACK") != "" {
				panic(v)
			}
			failed(fmt.Sprint("panic: ", v))
		}
	}()
	x.moves(w)
}

func (r *report) add(c *config, name string, first []byte, path []int) {
	if !slices.ContainsFunc(r.broken, func(v violation) bool { return v.name == name }) {
		r.broken = append(r.broken, violation{name, replay(c, first, path)})
	}
}

// replay makes the moves of a path once more, in words. The names of processes
// and tokens stay the same all the way.
func replay(c *config, first []byte, path []int) []string {
	canonical, plain := newExplorer(c), newExplorer(c)
	plain.verbose, plain.enc.plain = true, true
	var w, v model
	state := slices.Clone(first)
	canonical.dec.world(state, &w, c)
	named := slices.Clone(plain.enc.world(&w))
	var lines []string
	for _, m := range path {
		canonical.dec.world(state, &w, c)
		i := 0
		canonical.emit = func(n *model) {
			if i == m {
				state = slices.Clone(canonical.enc.world(n))
			}
			i++
		}
		guarded(canonical, &w, func(string) {})
		plain.dec.world(named, &v, c)
		found := false
		plain.emit = func(n *model) {
			if !found && bytes.Equal(canonical.enc.world(n), state) {
				found = true
				lines = append(lines, plain.label)
				named = slices.Clone(plain.enc.world(n))
			}
		}
		guarded(plain, &v, func(string) {})
		if !found {
			return append(lines, "(the trace cannot be replayed from here)")
		}
	}
	return lines
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d states, %d transitions, %.1f s", r.states, r.transitions, r.seconds)
	if r.cut > 0 {
		fmt.Fprintf(&b, ", cut at the bound of %d states", r.cut)
	}
	for _, v := range r.broken {
		fmt.Fprintf(&b, "\n  VIOLATION %s (%d steps)\n", v.name, len(v.trace))
		for i, l := range v.trace {
			fmt.Fprintf(&b, "    %2d %s\n", i+1, l)
		}
	}
	if r.stuck > 0 {
		fmt.Fprintf(&b, "\n  %d STUCK states\n", r.stuck)
		for i, l := range r.trace {
			fmt.Fprintf(&b, "    %2d %s\n", i+1, l)
		}
	}
	return b.String()
}
