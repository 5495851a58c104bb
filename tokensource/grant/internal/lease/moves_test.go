package lease_test

import (
	"fmt"
	"strings"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// explorer finds the states that follow a state.
type explorer struct {
	c        *config
	enc      encoder
	dec      decoder
	emit     func(next *model) // gets each of them
	next     model             // the one that is being made
	other    model
	before   model
	broken   string // the invariant that next breaks
	free     bool   // next follows without a fault or an event
	whole    bool   // every order of steps is looked at
	verbose  bool
	label    string // how next came about, if verbose
	outcomes outcomes
}

func newExplorer(c *config) *explorer {
	y := newLayouts(c, false)
	x := &explorer{c: c}
	x.enc = encoder{layouts: y, leaseFor: c.rules("").Lease, skew: c.skew, off: c.maxOffset()}
	if c.grace {
		x.enc.lasting = used
	}
	x.dec = decoder{layouts: y, leaseFor: c.rules("").Lease}
	return x
}

func (x *explorer) begin(w *model) *model {
	x.next, x.broken, x.free, x.label = *w, "", true, ""
	return &x.next
}

func (x *explorer) say(format string, args ...any) {
	if x.verbose {
		x.label += fmt.Sprintf(format, args...)
	}
}

func (x *explorer) done(n *model) {
	x.settleDown(n)
	x.emit(n)
	x.broken, x.label = "", ""
}

// can reports whether a fault of this kind may happen.
func (x *explorer) can(n *model, f fault) bool {
	return x.c.kinds&f != 0 && n.faults > 0
}

// spoil begins a state to which a fault leads.
func (x *explorer) spoil(w *model) *model {
	n := x.begin(w)
	n.faults--
	x.free = false
	return n
}

// moves emits every state that follows w.
func (x *explorer) moves(w *model) {
	urgent := false
	for p := range w.procs[:w.n] {
		urgent = x.process(w, p) || urgent
	}
	x.network(w)
	x.environment(w)
	if !urgent {
		x.tick(w)
	}
}

// process emits what process p may do, and what may happen to it. It reports
// whether p must act before time passes.
func (x *explorer) process(w *model, p int) bool {
	pr := &w.procs[p]
	urgent := false
	if pr.state == running {
		for k, s := range pr.ops {
			if s != nil {
				urgent = x.operation(w, p, k) || urgent
			}
		}
		urgent = x.starts(w, p) || urgent
	} else {
		n := x.begin(w)
		n.procs[p].state = running
		x.say("%s goes on", word(pr.name))
		x.done(n)
	}
	x.repeat(w, p)
	x.mishaps(w, p)
	return urgent
}

// starts emits the operations that p may begin. It reports whether p must begin
// one before time passes.
func (x *explorer) starts(w *model, p int) bool {
	x.renewals(w, p)
	pr := &w.procs[p]
	if w.logins > 0 && pr.ops[opLogin] == nil && w.exchanged < maxLogins {
		x.logIn(w, p)
	}
	if w.logouts > 0 && pr.ops[opLogout] == nil {
		n := x.begin(w)
		n.logouts--
		x.start(n, p, &slot{machine: &lease.Logout{}}, opLogout, ": the user logs out", true)
	}
	switch {
	case pr.ops[opChore] != nil:
	case pr.local.Pending != nil || pr.local.Undo != nil:
		x.start(x.begin(w), p, &slot{machine: &lease.Chore{}}, opChore, " starts a chore", pr.idle())
		return true
	case w.reaches(p) && !w.lateDue():
		x.chore(w, p)
	}
	return false
}

// chore emits the chore that p may begin without a claim of its own: because
// the index says so, or without a cause. The latter matters only if the record
// is due. Nothing may depend on it, so it counts as an event.
func (x *explorer) chore(w *model, p int) {
	now := w.clock(p).Wall
	n := x.begin(w)
	if w.listed && !now.Before(w.due) {
		x.start(n, p, &slot{machine: &lease.Chore{}, byIndex: true, fresh: true}, opChore, " finds the grant in the index", true)
		return
	}
	if due := x.c.rules("").Due(w.record); !due.IsZero() && !now.Before(due) {
		x.free = false
		x.start(n, p, &slot{machine: &lease.Chore{}, byIndex: true}, opChore, " looks at the grant", true)
	}
}

// renewals emits the renewal that p may begin.
func (x *explorer) renewals(w *model, p int) {
	pr := &w.procs[p]
	if pr.ops[opRenewal] != nil || pr.tired {
		return
	}
	why, m, late := "", &lease.Renewal{}, pr.idle() || pr.asIs()
	n := x.begin(w)
	switch good := w.good(pr.known); {
	case pr.known == "" && (w.record == nil || w.record.Over == lease.NoGrant):
		return // it would find that there is no grant, and nothing would have changed
	case pr.known == "", !good && w.pair(pr.known).facts&expired != 0:
		why = " needs a token"
	case !good:
		why, m.Rejected = ": an API rejects its token", pr.known
	case good && x.c.ahead && w.expiries > 0 && w.record != nil && w.record.Token.Access == pr.known:
		n.expiries--
		x.free, late = false, false
		why, m.Rejected, m.Ahead = " refreshes ahead", pr.known, true
	case good && x.can(w, fault401):
		n, late = x.spoil(w), false
		n.pair(pr.known).facts |= rejected
		why, m.Rejected = ": an API rejects its good token", pr.known
	default:
		return
	}
	free := x.free
	x.start(n, p, &slot{machine: m}, opRenewal, why, late)
	x.free = free
}

// logIn emits a login, from the exchange on.
func (x *explorer) logIn(w *model, p int) {
	n := x.begin(w)
	x.free = false
	n.logins--
	login, access := n.exchange(x.c, p)
	m := &lease.Login{
		ID: texts[codeLogin+login], Epoch: texts[codeID+n.ids], Exchanged: n.books[login].at,
		Token: lease.Token{Access: access, Refresh: refreshOf(access), Obtained: n.clock(p).Wall, Expiry: n.expiry(access), Key: n.key(access)},
	}
	n.ids++
	x.start(n, p, &slot{machine: m}, opLogin, ": the user logs in", n.logins == 0 && !x.c.single)
}

// start begins an operation up to its first effect, and if late is set up to
// its second one.
func (x *explorer) start(n *model, p int, s *slot, k int, why string, late bool) {
	n.procs[p].ops[k] = s
	x.free = x.free && k != opLogout
	x.say("%s%s", word(n.procs[p].name), why)
	x.step(n, p, k, lease.Event{})
	if late {
		x.late(n, p, k)
	}
	x.done(n)
}

// step hands an event to an operation, and carries on with what it wants.
func (x *explorer) step(n *model, p, k int, ev lease.Event) {
	pr := &n.procs[p]
	s := pr.ops[k].clone()
	s.answer, s.flying, s.enlisted = nil, false, false
	ev.Now, ev.ID = n.clock(p), texts[codeID+n.ids]
	n.ids++
	if k == opRenewal && s.effect.Do == lease.Redeem && ev.OK {
		pr.holds = s.effect.Token
		n.pair(ev.Token.Access).facts |= got
	}
	if k == opLogout && s.effect.Do == lease.Read && s.saw == 0 && ev.OK {
		s.saw = 1
		if ev.Record != nil {
			s.saw = 2 + code(ev.Record.Login) - codeLogin
		}
	}
	was := pr.local
	e := s.machine.Step(x.c.rules(pr.name), &pr.local, ev)
	x.noted(n, was, e)
	x.keyed(n, e)
	if x.verbose {
		x.say("; it wants %s", describe(e))
	}
	if e.Do() != lease.Return {
		s.effect = effect{e.Do(), e.Record, e.Version, e.Due, e.Announce, e.Token, e.Other, e.Refresh, e.By, e.Poll}
		s.left, s.nap = 0, false
		if e.Do() == lease.Wait {
			s.effect.Version = ev.Version // a change of the record ends the wait
			s.left = int8((e.For + tick - 1) / tick)
			s.nap = e.For < tick
			if e.Poll {
				s.left = 1 // the shell polls, at least once in a tick
			}
		}
		pr.ops[k] = s
		return
	}
	pr.ops[k] = nil
	x.returned(n, p, k, s, e)
	if pr.local.Pending == nil && (k == opRenewal || pr.ops[opRenewal] == nil) {
		pr.holds = ""
	}
	if pr.ops == [4]*slot{} && pr.local.Pending == nil && pr.local.Undo == nil {
		pr.local = lease.Local{} // the shell forgets the grant
	}
}

// returned carries out what the shell does at the end of an operation.
func (x *explorer) returned(n *model, p, k int, s *slot, e lease.Effect) {
	pr := &n.procs[p]
	o := e.Outcome
	switch k {
	case opRenewal:
		x.renewed(n, p, s.machine.(*lease.Renewal), o)
		switch {
		case o.Reason() == "":
			pr.known = o.Record.Token.Access
		case o.Reason() == lease.NoGrant || o.Record != nil && o.Record.Over != "":
			pr.known = ""
		default:
			pr.tired = true
		}
	case opChore:
		if !s.byIndex || !s.fresh || o.Reason() != "" || !n.reaches(p) {
			break
		}
		n.listed, n.due = !o.Due.IsZero(), o.Due
		n.touched()
	case opLogin:
		x.loggedIn(n, s.machine.(*lease.Login), o)
		switch o.Reason() {
		case "":
			pr.known = s.machine.(*lease.Login).Token.Access
		case lease.StoreFailed:
			s.parked = true
			s.effect = effect{}
			pr.ops[k] = s
		}
	case opLogout:
		x.loggedOut(n, s, o)
		if o.Reason() != lease.StoreFailed {
			pr.known = ""
		}
	}
}

// tick lets time pass.
func (x *explorer) tick(w *model) {
	n := x.begin(w)
	if x.sleeper(w) {
		return
	}
	n.now++
	for i := range n.procs[:n.n] {
		pr := &n.procs[i]
		pr.tired = false
		if pr.state != suspended {
			pr.mono++
		}
		for k, s := range pr.ops {
			switch {
			case s == nil:
				continue
			case k == opRenewal && s.effect.Do == lease.Wait:
				x.outcomes.delayed = true
			}
			// A wait is measured by the monotonic clock. After a write of the index,
			// the shell looks at both clocks.
			if s.left > 0 && (pr.state != suspended || s.enlisted) {
				s = s.clone()
				s.left--
				pr.ops[k] = s
			}
		}
	}
	x.say("a tick")
	x.done(n)
}

// sleeper reports whether an operation or a write would outlive a tombstone.
// Tombstones live for a day, and the model assumes that nothing sleeps so long.
func (x *explorer) sleeper(w *model) bool {
	r := w.record
	if r == nil || r.Over != lease.NoGrant || ticks(r.Ended)+x.c.keep-w.ahead() > w.now+1 {
		return false
	}
	if w.late.on || w.kept != "" {
		return true
	}
	for i := range w.procs[:w.n] {
		pr := &w.procs[i]
		if pr.state != running && pr.ops != [4]*slot{} || pr.ops[opLogin] != nil {
			return true
		}
	}
	return false
}

// describe prints an effect.
func describe(e lease.Effect) string {
	var b strings.Builder
	switch e.Do() {
	case lease.Read:
		b.WriteString("to read")
	case lease.Swap:
		fmt.Fprintf(&b, "to write %s over version %d", show(e.Record), e.Version)
		if !e.Due.IsZero() {
			fmt.Fprintf(&b, ", due at %+d", ticks(e.Due))
		}
	case lease.Redeem:
		fmt.Fprintf(&b, "to redeem %s within %d ticks", word(e.Token), ticks(e.By.Wall))
	case lease.Revoke:
		fmt.Fprintf(&b, "to revoke %s", word(e.Token))
	case lease.Probe:
		fmt.Fprintf(&b, "to know whether %s or %s works", word(e.Token), word(e.Other))
	case lease.Wait:
		fmt.Fprintf(&b, "to wait for %v", e.For)
	default:
		b.WriteString("to return")
		if e.Outcome.Reason() != "" {
			fmt.Fprintf(&b, ": %s", e.Outcome.Reason())
		}
		if r := e.Outcome.Record; r != nil {
			fmt.Fprintf(&b, " %s", show(r))
		}
	}
	return b.String()
}

// shown is a record that can be printed.
type shown lease.Record

func show(r *lease.Record) *shown { return (*shown)(r) }

func (r *shown) String() string {
	if r == nil {
		return "nothing"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{%s.%d", word(r.Login), r.Serial)
	if r.Over != "" {
		fmt.Fprintf(&b, " over: %s", r.Over)
	} else {
		fmt.Fprintf(&b, " %s %s", word(r.Token.Access), word(r.Token.Refresh))
	}
	if r.Intent.ID != "" {
		fmt.Fprintf(&b, ", intent of %s %s until %+d", word(r.Intent.Holder), word(r.Intent.ID), ticks(r.Intent.Until))
	}
	if r.Doubts > 0 {
		fmt.Fprintf(&b, ", doubts %d", r.Doubts)
	}
	for _, q := range r.Queue {
		fmt.Fprintf(&b, ", to revoke %s at %+d (%d attempts)", word(q.Token), ticks(q.Next), q.Attempts)
	}
	b.WriteString("}")
	return b.String()
}
