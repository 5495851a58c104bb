package lease_test

import "github.com/authtrip/authtrip/tokensource/grant/internal/lease"

// halts are the ways in which a process stops.
var halts = [...]struct {
	fault fault
	state state
	word  string
}{{faultStop, stopping, "stopped"}, {faultSuspend, suspended, "suspended"}}

// mishaps emits what may happen to process p.
func (x *explorer) mishaps(w *model, p int) {
	pr := &w.procs[p]
	busy := pr.busy()
	if pr.cut {
		n := x.begin(w)
		n.procs[p].cut = false
		x.say("%s reaches the store again", word(pr.name))
		x.done(n)
	} else if busy && x.can(w, faultCut) {
		n := x.spoil(w)
		n.blame(p, wasCut)
		n.procs[p].cut = true
		x.say("%s is cut from the store", word(pr.name))
		x.done(n)
	}
	if busy && x.can(w, faultCrash) {
		x.crash(w, p)
	}
	if busy && pr.state == running {
		for _, h := range halts {
			if x.can(w, h.fault) {
				n := x.spoil(w)
				n.blame(p, stopped)
				n.procs[p].state = h.state
				x.say("%s is %s", word(pr.name), h.word)
				x.done(n)
			}
		}
	}
	x.clockSteps(w, p)
}

func (x *explorer) clockSteps(w *model, p int) {
	steps := [...]struct {
		fault fault
		by    int8
	}{{faultSkew, int8(x.c.skew)}, {faultSkew, -int8(x.c.skew)}, {faultBeyond, 5}, {faultBeyond, -5}}
	for _, s := range steps {
		if w.procs[p].wall != 0 || !x.can(w, s.fault) {
			continue
		}
		// No two clocks differ by more than the skew.
		if s.fault == faultSkew && x.apart(w, s.by) {
			continue
		}
		n := x.spoil(w)
		n.procs[p].wall = s.by
		if s.fault == faultBeyond {
			n.beyond = true
			n.hurry(p)
		}
		x.say("%s's clock is set by %+d", word(w.procs[p].name), s.by)
		x.done(n)
	}
}

// hurry ends the time in which p may write a record after the index. The shell
// measures it by both clocks.
func (w *model) hurry(p int) {
	for k, s := range w.procs[p].ops {
		if s != nil && s.enlisted {
			s = s.clone()
			s.left = 0
			w.procs[p].ops[k] = s
		}
	}
}

// apart reports whether a clock differs from another one by more than the skew
// if it is set by so much.
func (x *explorer) apart(w *model, by int8) bool {
	for i := range w.procs[:w.n] {
		if w.procs[i].wall*by < 0 {
			return true
		}
	}
	return false
}

// crash ends a process. Another one starts in its place, under a new name. A
// login that it had under way may be lost, or kept for another process.
func (x *explorer) crash(w *model, p int) {
	for _, keep := range [...]bool{false, true} {
		login := w.procs[p].ops[opLogin]
		if keep && (login == nil || w.kept != "") {
			return
		}
		n := x.spoil(w)
		pr := &n.procs[p]
		n.blame(p, crashed)
		x.say("%s crashes", word(pr.name))
		x.enc.tokens(pr, func(k byte) { n.pairs[k].facts |= forgiven })
		if keep {
			n.kept = login.machine.(*lease.Login).Token.Access
			n.pair(n.kept).facts &^= forgiven
			x.say(", its login is kept")
		}
		if n.message.from == pr.name {
			n.message.from = ""
			if n.message.phase == answer {
				n.message = message{}
			}
		}
		*pr = member{name: texts[codeProcess+n.names], wall: pr.wall, cut: pr.cut}
		n.names++
		x.say(", and %s starts", word(pr.name))
		x.done(n)
	}
}

// repeat emits what becomes of a login that was kept.
func (x *explorer) repeat(w *model, p int) {
	if w.kept == "" {
		return
	}
	if p == 0 {
		n := x.begin(w)
		n.pair(n.kept).facts |= forgiven
		x.say("the login with %s is given up", word(n.kept))
		n.kept = ""
		x.done(n)
	}
	if pr := &w.procs[p]; pr.state == running && pr.ops[opLogin] == nil {
		n := x.begin(w)
		login := n.pair(n.kept).login
		m := &lease.Login{
			ID: texts[codeLogin+login], Epoch: texts[codeID+n.ids], Exchanged: n.books[login].at, Repeated: true,
			Token: lease.Token{
				Access: n.kept, Refresh: refreshOf(n.kept), Obtained: n.books[login].at, Expiry: n.expiry(n.kept), Key: n.key(n.kept),
			},
		}
		n.ids++
		n.kept = ""
		x.start(n, p, &slot{machine: m}, opLogin, " repeats a login that was kept", false)
	}
}

// network emits what may happen to messages that are under way.
func (x *explorer) network(w *model) {
	if w.late.on {
		if !w.away && w.late.over == w.version {
			n := x.begin(w)
			n.late.on, n.late.record = false, nil
			x.say("the late write takes effect: %s", show(w.late.record))
			x.written(n, -1, -1, w.late.record)
			x.done(n)
		}
		n := x.begin(w)
		n.late.on, n.late.record = false, nil
		x.say("the late write is lost for good")
		x.done(n)
	}
	switch m := &w.message; m.phase {
	case request:
		n := x.begin(w)
		x.say("the request with %s arrives", word(m.token))
		x.deliver(n)
		x.done(n)
		if m.from == "" {
			n = x.begin(w)
			n.message = message{}
			x.say("the request with %s is lost for good", word(m.token))
			x.done(n)
		}
	case answer:
		for p := range w.procs[:w.n] {
			pr := &w.procs[p]
			s := pr.ops[opRenewal]
			if pr.name != m.from || s == nil || !s.flying || pr.state != running || w.clock(p).Until(s.effect.By) <= 0 {
				continue
			}
			n := x.begin(w)
			n.message = message{}
			x.say("%s's answer arrives", word(pr.name))
			x.answer(n, p, opRenewal, x.answered(n, m.result, m.access))
		}
	}
}

// environment emits what may happen to the store, to the server and to tokens.
func (x *explorer) environment(w *model) {
	if w.away {
		n := x.begin(w)
		n.away = false
		x.say("the store is back")
		x.done(n)
	} else if w.busy() && x.can(w, faultAway) {
		n := x.spoil(w)
		for p := range n.procs[:n.n] {
			n.blame(p, storeAway)
		}
		n.away = true
		x.say("nobody reaches the store")
		x.done(n)
	}
	if w.down {
		n := x.begin(w)
		n.down = false
		x.say("revocations work again")
		x.done(n)
	} else if x.can(w, faultDown) && (w.record != nil && len(w.record.Queue) > 0) {
		n := x.spoil(w)
		n.down = true
		x.say("no revocation works")
		x.done(n)
	}
	r := w.record
	if r == nil {
		return
	}
	if x.can(w, faultReseal) {
		n := x.spoil(w)
		n.write(r)
		x.say("the record is encrypted anew")
		x.done(n)
	}
	if r.Over == "" && w.expiries > 0 && !x.c.ahead && w.good(r.Token.Access) {
		n := x.begin(w)
		x.free = false
		n.expiries--
		n.pair(r.Token.Access).facts |= expired
		x.say("%s expires", word(r.Token.Access))
		x.done(n)
	}
	if r.Over == "" && x.can(w, faultEnds) && w.live(r.Token.Refresh) {
		n := x.spoil(w)
		n.books[n.pair(r.Token.Refresh).login].alive = false
		x.say("the server ends the grant")
		x.done(n)
	}
}
