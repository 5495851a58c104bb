package lease_test

import (
	"testing"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// The order of two steps does not matter if neither of them changes what the
// other one does. The explorer then looks at one order only (partial-order
// reduction). It does that when no further fault can happen that could hit an
// operation between these steps, or make one of them fail. The reduction has
// two parts:
//
//   - A step that touches nothing but its own operation comes at once, before
//     all other moves. See [explorer.private].
//   - A start that only leads to a read comes last, right before that read. See
//     [explorer.late].
//
// TestExplorationLeavesOutOrdersOnly compares both with the whole graph.

// halting are the faults that can hit an operation between any two steps.
const halting = faultCrash | faultStop | faultSuspend | faultCut | faultAway | faultSkew | faultBeyond

// few reports whether the order of a step is left out. It is not if one of the
// given faults, which change what the step does, may still happen.
func (x *explorer) few(n *model, kinds fault) bool {
	return !x.whole && (n.faults == 0 || x.c.kinds&kinds == 0)
}

// settleDown makes the private steps of n.
func (x *explorer) settleDown(n *model) {
	for x.few(n, halting) && x.anyPrivate(n) {
	}
}

// anyPrivate makes a private step of n, if there is one.
func (x *explorer) anyPrivate(n *model) bool {
	for p := range n.procs[:n.n] {
		for k, s := range n.procs[p].ops {
			if s != nil && x.makePrivate(n, p, k) {
				return true
			}
		}
	}
	return false
}

// makePrivate makes the next step of an operation, if it is a private one. A
// step that ends the operation is not: the judges look at its outcome, and at
// the store and the server at that moment. Nor is one that changes what the
// other operations of the process see.
func (x *explorer) makePrivate(n *model, p, k int) bool {
	ev, ok := x.private(n, p, k)
	if !ok {
		return false
	}
	x.before = *n
	broken, label := x.broken, x.label
	if ev.Conflict {
		x.unwritten(n, p, k)
	}
	x.say("; %s's %s goes on by itself", word(n.procs[p].name), kind(k))
	x.step(n, p, k, ev)
	if s := n.procs[p].ops[k]; s == nil || s.parked || n.procs[p].local != x.before.procs[p].local {
		*n, x.broken, x.label = x.before, broken, label
		return false
	}
	return true
}

// private returns how the effect of an operation ends, if nothing that may
// happen before can change that, and if it changes nothing outside of the
// operation. A process that is stopped makes such a step later. The step may
// come at once all the same, unless the time matters to it.
func (x *explorer) private(w *model, p, k int) (lease.Event, bool) {
	s := w.procs[p].ops[k]
	e := &s.effect
	// Versions do not return. Version 0 does, which means that there is no record.
	moved := w.reaches(p) && e.Version != 0 && e.Version != w.version
	runs := w.procs[p].state == running
	switch {
	case s.answer != nil:
	case e.Do == lease.Swap:
		ready := e.Due.IsZero() || s.enlisted && s.left > 0 && runs
		return lease.Event{Conflict: true}, ready && moved && x.few(w, faultWriteLost|faultWriteError|faultRefused)
	case e.Do == lease.Wait:
		over := s.left == 0 || s.nap && w.reaches(p) || e.Poll && moved
		return lease.Event{OK: true}, over && k != opChore // a chore then looks at what others may change
	case e.Do == lease.Redeem:
		return lease.Event{Unsent: true}, runs && !s.flying && w.clock(p).Until(e.By) <= 0
	case e.Do == lease.Revoke:
		q := w.pair(e.Token)
		gone := !w.books[q.login].alive || code(e.Token) < codeRefresh && q.facts&dead != 0
		return lease.Event{OK: true}, gone && !w.down && !x.c.revokesAll && x.few(w, faultRevoke|faultDown)
	}
	return lease.Event{}, false
}

// late carries out the read with which an operation that has just been started
// begins. Until then, nothing can have seen it or changed it.
func (x *explorer) late(n *model, p, k int) {
	s := n.procs[p].ops[k]
	if !x.few(n, halting|faultRead) || s == nil || s.effect.Do != lease.Read {
		return
	}
	if !n.reaches(p) {
		x.say("; it cannot read")
		x.step(n, p, k, lease.Event{})
		return
	}
	x.say("; it reads %s", show(n.record))
	x.step(n, p, k, stored(n))
}

// idle reports whether p has nothing under way. Otherwise that may change what
// an operation finds when it starts.
func (p *member) idle() bool { return p.ops == [4]*slot{} }

// asIs reports whether nothing that p has under way changes what a renewal
// finds when it starts: the token that p hands out, and tokens that are not
// stored.
func (p *member) asIs() bool {
	return p.local.Pending == nil && p.ops[opLogin] == nil && (p.ops[opLogout] == nil || p.known == "")
}

// TestExplorationLeavesOutOrdersOnly shows that the reduction loses nothing:
// every state of the whole graph is reached, once the private steps are made.
// Only states in which an operation has still to make its first read are left
// out.
func TestExplorationLeavesOutOrdersOnly(t *testing.T) {
	for _, c := range []config{
		{procs: 2, faults: 1, expiries: 1, kinds: faultStop | faultCut | faultWriteDone | faultHeld},
		{procs: 2, faults: 1, logouts: 1, kinds: faultStop | faultSuspend},
		{procs: 2, expiries: 1, logins: 1, single: true},
		{procs: 2, logins: 2},
		{procs: 1, faults: 1, logins: 1, logouts: 1, kinds: faultWriteDone | faultRevoke | faultCrash | faultAway},
		{procs: 2, logouts: 2},
		{procs: 2, faults: 1, expiries: 1, kinds: faultWriteLost | faultWriteLate | faultHeld | fault503 | fault401},
		{procs: 2, faults: 1, logouts: 1, kinds: faultRead | faultRevoke | faultDown},
		{procs: 2, faults: 1, logins: 1, kinds: faultWriteDone | faultReseal},
	} {
		c := filled(c)
		few, all := newExplorer(c), newExplorer(c)
		all.whole = true
		states := map[string]bool{}
		few.walk(func(w *model) { states[string(few.enc.world(w))] = true })
		whole, missing := 0, 0
		all.walk(func(w *model) {
			whole++
			n := *w
			few.settleDown(&n)
			if !few.reading(&n) && !states[string(few.enc.world(&n))] {
				missing++
			}
		})
		if missing > 0 {
			t.Errorf("%s: %d states of the whole graph are not reached", c, missing)
		}
		if whole <= len(states) {
			t.Errorf("%s: %d states, of %d: nothing is left out", c, len(states), whole)
		}
		t.Logf("%s: %d states, of %d", c, len(states), whole)
	}
}

// reading reports whether an operation has a read to make.
func (x *explorer) reading(w *model) bool {
	for i := range w.procs[:w.n] {
		for _, s := range w.procs[i].ops {
			if s != nil && s.effect.Do == lease.Read && s.answer == nil && x.few(w, halting|faultRead) {
				return true
			}
		}
	}
	return false
}
