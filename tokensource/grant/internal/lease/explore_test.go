package lease_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// report is what the exploration of a configuration found.
type report struct {
	states      int
	transitions uint64
	depth       int
	cut         bool // the bound was reached
	broken      []violation
	stuck       int
	trace       []string // of the first stuck state
	outcomes    outcomes
	seconds     float64
}

type violation struct {
	name  string
	trace []string
}

// explore visits every state of a configuration.
func explore(c *config, stopAtFirst bool) *report {
	began := time.Now()
	x, s := newExplorer(c), newSearch(c.progress)
	r := &report{}
	var q queue
	first := slices.Clone(x.enc.world(c.start()))
	s.add(first, 0, 0)
	q.push(first)
	var w model
	for at := 0; ; at++ {
		b := q.pop()
		if b == nil || stopAtFirst && len(r.broken) > 0 {
			break
		}
		if c.limit > 0 && s.states() >= c.limit {
			r.cut = true
			break
		}
		x.dec.world(b, &w, c)
		move := 0
		x.emit = func(n *model) {
			next := x.enc.world(n)
			x.state(n, &x.enc.held)
			s.transitions++
			if x.broken != "" {
				r.add(c, x.broken, first, append(s.path(at), move))
			} else {
				i, fresh := s.add(next, at, move)
				if fresh {
					q.push(next)
					if s.edges && x.settled(n) {
						s.settled = append(s.settled, uint32(i))
					}
				}
				if s.edges && x.free {
					s.from, s.to = append(s.from, uint32(at)), append(s.to, uint32(i))
				}
			}
			move++
		}
		if s.edges && at == 0 && x.settled(&w) {
			s.settled = append(s.settled, 0)
		}
		guarded(x, &w, func(text string) { r.add(c, text, first, s.path(at)) })
	}
	if c.progress && !r.cut {
		stuck := s.stuck()
		r.stuck = len(stuck)
		if r.stuck > 0 {
			r.trace = replay(c, first, s.path(stuck[0]))
		}
	}
	r.states, r.transitions, r.outcomes = s.states(), s.transitions, x.outcomes
	r.seconds = time.Since(began).Seconds()
	return r
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
	if r.cut {
		b.WriteString(", cut")
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

func TestExploreOne(t *testing.T) {
	c := config{procs: 2, faults: 0, expiries: 1, resends: 1, progress: true}
	if s := os.Getenv("CFG"); s != "" {
		var fa, e, l, lo, p int
		fmt.Sscan(s, &p, &fa, &e, &l, &lo)
		c.procs, c.faults, c.expiries, c.logins, c.logouts = p, byte(fa), byte(e), byte(l), byte(lo)
		o := os.Getenv("OPT")
		c.single = strings.Contains(o, "single")
		c.grace = strings.Contains(o, "grace")
		c.deaf = strings.Contains(o, "deaf")
		c.empty = strings.Contains(o, "empty")
		c.ahead = strings.Contains(o, "ahead")
		c.revokesAll = strings.Contains(o, "revall")
		c.progress = !strings.Contains(o, "noprog")
		if strings.Contains(o, "never") {
			c.resends = 0
		}
		if strings.Contains(o, "always") {
			c.resends = 1 << 62
		}
		if strings.Contains(o, "every") {
			c.kinds = everyFault
		}
		fmt.Sscan(os.Getenv("KINDS"), &c.kinds)
		fmt.Sscan(os.Getenv("LIMIT"), &c.limit)
	}
	r := explore(c.filled(), false)
	t.Log(r)
	if len(r.broken) > 0 {
		t.Fail()
	}
}
