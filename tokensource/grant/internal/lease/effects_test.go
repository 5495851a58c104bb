package lease_test

import (
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// operation emits how the effect of an operation may end. It reports whether
// that must happen before time passes.
func (x *explorer) operation(w *model, p, k int) bool {
	s := w.procs[p].ops[k]

	if s.answer != nil {
		n := x.begin(w)
		x.say("%s's %s gets its answer", word(n.procs[p].name), kind(k))
		x.step(n, p, k, *s.answer)
		x.done(n)
		return true
	}
	switch s.effect.Do {
	case lease.Read:
		x.read(w, p, k)
	case lease.Swap:
		x.swap(w, p, k)
	case lease.Redeem:
		return x.redeem(w, p, k)
	case lease.Revoke:
		x.revoke(w, p, k)
	case lease.Probe:
		x.probe(w, p, k)
	case lease.Wait:
		return x.wait(w, p, k)
	default:
		return x.parked(w, p, k)
	}
	return true
}

// answer emits the state after an effect has ended with ev, and those in which
// the process is stopped before it sees that. n holds the effect.
func (x *explorer) answer(n *model, p, k int, ev lease.Event) {
	stops := ev.OK && n.procs[p].ops[k].effect.Do != lease.Wait
	if stops {
		x.other = *n
	}
	free, label, broken := x.free, x.label, x.broken
	x.step(n, p, k, ev)
	x.done(n)
	if !stops {
		return
	}
	for _, h := range halts {
		if !x.can(&x.other, h.fault) {
			continue
		}
		m := x.spoil(&x.other)
		x.label, x.broken = label, broken
		pr := &m.procs[p]
		if ev.Token.Access != "" {
			pr.holds = m.procs[p].ops[k].effect.Token
		}
		m.blame(p, stopped)
		pr.state = h.state
		s := *pr.ops[k]
		s.answer, s.flying = &ev, false
		pr.ops[k] = &s
		x.say("; it is %s before it sees the answer", h.word)
		x.done(m)
	}
	x.free = free
}

func (x *explorer) read(w *model, p, k int) {
	n := x.begin(w)
	if !w.reaches(p) {
		x.say("%s's %s cannot read", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{})
		return
	}
	x.say("%s's %s reads %s", word(n.procs[p].name), kind(k), show(w.record))
	x.answer(n, p, k, stored(w))
	if x.can(w, faultRead) {
		n = x.spoil(w)
		x.say("%s's %s fails to read", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{})
	}
}

func stored(w *model) lease.Event {
	if w.record == nil {
		return lease.Event{OK: true}
	}
	return lease.Event{OK: true, Record: w.record, Version: w.version}
}

// swap writes the index first, and then the record.
func (x *explorer) swap(w *model, p, k int) {
	s := w.procs[p].ops[k]
	if s.effect.Announce && x.can(w, faultRefused) {
		n := x.spoil(w)
		x.say("%s's %s may not announce now", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Refused: true, Pause: tick})
	}
	if !s.effect.Due.IsZero() && !s.enlisted {
		x.enlist(w, p, k)
		return
	}
	n := x.begin(w)
	if s.enlisted && s.left == 0 {
		x.unwritten(n, p, k)
		x.say("%s's %s is too late to write", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{})
		return
	}
	if !w.reaches(p) {
		x.unwritten(n, p, k)
		x.say("%s's %s cannot write", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Unknown: true})
		return
	}
	x.put(n, p, k, false)
	if x.can(w, faultWriteLost) {
		n = x.spoil(w)
		x.unwritten(n, p, k)
		x.say("%s's %s's write is lost", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Unknown: true})
	}
	if x.can(w, faultWriteDone) && s.effect.Version == w.version {
		n = x.spoil(w)
		x.put(n, p, k, true)
	}
	if x.can(w, faultWriteLate) && s.effect.Version == w.version && !w.late.on {
		n = x.spoil(w)
		x.unwritten(n, p, k)
		n.late.on, n.late.record, n.late.over = true, s.effect.Record, s.effect.Version
		x.say("%s's %s's write is under way, and it is told that it failed", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Unknown: true})
	}
	if x.can(w, faultWriteError) {
		n = x.spoil(w)
		x.unwritten(n, p, k)
		x.say("%s's %s's write is refused", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{})
	}
}

func (x *explorer) enlist(w *model, p, k int) {
	due := w.procs[p].ops[k].effect.Due
	n := x.begin(w)
	if !w.reaches(p) {
		x.unwritten(n, p, k)
		x.say("%s's %s cannot write the index", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{})
		return
	}
	n.enlist(x.c, p, due)
	s := *n.procs[p].ops[k]
	s.enlisted, s.left = true, 1
	n.procs[p].ops[k] = &s
	x.say("%s's %s writes the index", word(n.procs[p].name), kind(k))
	x.done(n)
	for _, f := range [...]fault{faultWriteLost, faultWriteDone} {
		if !x.can(w, f) {
			continue
		}
		n = x.spoil(w)
		if f == faultWriteDone {
			n.enlist(x.c, p, due)
		}
		x.unwritten(n, p, k)
		x.say("%s's %s's write of the index fails", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{})
	}
}

// unwritten notes that the store did not take what an operation writes.
func (x *explorer) unwritten(n *model, p, k int) {
	if r := n.procs[p].ops[k].effect.Record; r != nil {
		if q := n.pair(r.Token.Access); q != nil {
			q.facts |= tried
		}
	}
}

// put writes the record, if nobody was faster. The answer may be lost.
func (x *explorer) put(n *model, p, k int, lost bool) {
	s := n.procs[p].ops[k]
	e := s.effect
	if e.Version != n.version {
		x.unwritten(n, p, k)
		x.say("%s's %s's write conflicts", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Conflict: true})
		return
	}
	x.say("%s's %s writes %s", word(n.procs[p].name), kind(k), show(e.Record))
	x.written(n, p, k, e.Record)
	ev := lease.Event{OK: true, Version: n.version}
	if lost {
		x.unwritten(n, p, k)
		x.say(", and is told that it failed")
		ev = lease.Event{Unknown: true}
	}
	x.answer(n, p, k, ev)
}

// written stores r, which operation k of process p made, or which arrives late.
func (x *explorer) written(n *model, p, k int, r *lease.Record) {
	was := n.record
	if r == nil && was != nil && was.Over == lease.NoGrant && ticks(was.Ended)+x.c.keep-n.ahead() <= n.now {
		n.late.on, n.late.record = false, nil // no write is under way for so long
	}
	n.write(r)
	if r != nil {
		if q := n.pair(r.Token.Access); q != nil {
			q.facts |= saved
		}
	}
	x.replaced(n, p, k, was, r)
}

func (x *explorer) redeem(w *model, p, k int) bool {
	s := w.procs[p].ops[k]
	overdue := w.clock(p).Until(s.effect.By) <= 0
	if s.flying {
		n := x.begin(w)
		x.say("%s's %s gets no answer", word(n.procs[p].name), kind(k))
		n.message.from = ""
		if n.message.phase == answer {
			n.message = message{}
		}
		x.answer(n, p, k, lease.Event{Unknown: true})
		return overdue
	}
	if overdue {
		n := x.begin(w)
		x.say("%s's %s has no time left to send %s", word(n.procs[p].name), kind(k), word(s.effect.Token))
		x.answer(n, p, k, lease.Event{Unsent: true})
		return true
	}
	n := x.begin(w)
	x.say("%s's %s redeems %s", word(n.procs[p].name), kind(k), word(s.effect.Token))
	x.sent(n, p, s)
	x.answer(n, p, k, x.served(n, s.effect.Token))
	if x.can(w, fault503) {
		n = x.spoil(w)
		x.say("%s's %s gets 503 for %s", word(n.procs[p].name), kind(k), word(s.effect.Token))
		x.answer(n, p, k, lease.Event{})
		n = x.spoil(w)
		x.say("%s's %s is refused as a client", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Private: true})
	}
	if x.can(w, faultHeld) && w.message.phase == 0 {
		for _, served := range [...]bool{false, true} {
			n = x.spoil(w)
			x.say("%s's %s sends %s, ", word(n.procs[p].name), kind(k), word(s.effect.Token))
			x.sent(n, p, s)
			n.pair(s.effect.Token).facts |= heldUp
			n.message = message{phase: request, from: w.procs[p].name, token: s.effect.Token}
			if served {
				x.deliver(n)
				x.say("and the answer is under way")
			} else {
				x.say("and the request is under way")
			}
			c := *n.procs[p].ops[k]
			c.flying = true
			n.procs[p].ops[k] = &c
			x.done(n)
		}
	}
	return true
}

// served lets the server answer.
func (x *explorer) served(n *model, token string) lease.Event {
	alive := n.books[n.pair(token).login].alive
	res, access := n.refresh(x.c, token)
	if alive && res == lease.Refused {
		x.say(", and the server ends the grant")
		x.ended(n, token)
	}
	return x.answered(n, res, access)
}

func (x *explorer) answered(n *model, res lease.Result, access string) lease.Event {
	if res == lease.Refused {
		x.say(" and is refused")
		return res.With(lease.Event{Code: "invalid_grant"})
	}
	x.say(" and gets %s", word(refreshOf(access)))
	return res.With(lease.Event{Token: lease.Token{
		Access: access, Refresh: refreshOf(access), Obtained: origin, Expiry: n.expiry(access),
	}})
}

// deliver brings a request that was held up to the server.
func (x *explorer) deliver(n *model) {
	m := &n.message
	alive := n.books[n.pair(m.token).login].alive
	m.result, m.access = n.refresh(x.c, m.token)
	m.phase = answer
	if alive && m.result == lease.Refused {
		x.ended(n, m.token)
	}
	if m.from == "" {
		n.message = message{}
	}
}

func (x *explorer) revoke(w *model, p, k int) {
	token := w.procs[p].ops[k].effect.Token
	n := x.begin(w)
	if w.down {
		x.unrevoked(n, token)
		x.say("%s's %s cannot revoke %s", word(n.procs[p].name), kind(k), word(token))
		x.answer(n, p, k, lease.Event{})
		return
	}
	x.say("%s's %s revokes %s", word(n.procs[p].name), kind(k), word(token))
	inUse := w.record != nil && w.record.Over == "" && w.live(w.record.Token.Refresh)
	n.revoke(x.c, token)
	x.revoked(n, inUse)
	x.answer(n, p, k, lease.Event{OK: true})
	if x.can(w, faultRevoke) {
		n = x.spoil(w)
		x.unrevoked(n, token)
		x.say("%s's %s fails to revoke %s", word(n.procs[p].name), kind(k), word(token))
		x.answer(n, p, k, lease.Event{})
	}
}

func (x *explorer) probe(w *model, p, k int) {
	e := &w.procs[p].ops[k].effect
	n := x.begin(w)
	ev := lease.Event{Unknown: true} // both work
	switch {
	case !w.good(e.Token):
		ev = lease.Event{Refused: true}
	case !w.good(e.Other):
		ev = lease.Event{OK: true}
	}
	x.say("%s's %s learns whether %s or %s works", word(n.procs[p].name), kind(k), word(e.Token), word(e.Other))
	x.answer(n, p, k, ev)
	if x.can(w, faultProbe) {
		n = x.spoil(w)
		x.say("%s's %s does not learn which token works", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{Unknown: true})
	}
}

// wait ends when its time is over, and earlier when the shell polls. A wait
// that is shorter than a tick is over before the next tick, if the store is
// there: its outages last for ticks.
func (x *explorer) wait(w *model, p, k int) bool {
	s := w.procs[p].ops[k]
	over := s.left == 0 || s.nap && w.reaches(p)
	// The shell polls several times in a tick. Only some of these looks matter.
	over = over || s.effect.Poll && (s.effect.Version != w.version || !w.reaches(p))
	if over {
		n := x.begin(w)
		x.say("%s's %s has waited", word(n.procs[p].name), kind(k))
		x.answer(n, p, k, lease.Event{OK: true})
	}
	return over
}

// parked is a login that the store refused. It is repeated, or the user leaves.
func (x *explorer) parked(w *model, p, k int) bool {
	n := x.begin(w)
	x.say("%s's %s is given up", word(n.procs[p].name), kind(k))
	n.pair(n.procs[p].ops[k].machine.(*lease.Login).Token.Access).facts |= forgiven
	n.procs[p].ops[k] = nil
	x.done(n)
	if w.reaches(p) {
		n = x.begin(w)
		s := *n.procs[p].ops[k]
		s.parked = false
		n.procs[p].ops[k] = &s
		x.say("%s's %s is repeated", word(n.procs[p].name), kind(k))
		x.step(n, p, k, lease.Event{})
		x.done(n)
	}
	return false
}
