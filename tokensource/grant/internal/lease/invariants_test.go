package lease_test

import (
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// The judges. Each of them compares a step with what the server and the store
// know, and names the invariant that the step breaks.

// outcomes is what has happened in some state.
type outcomes struct {
	lost    bool // the server ended a grant because of reuse
	login   bool // the user must log in again
	delayed bool // a renewal ended without a token
}

func (x *explorer) violate(name string) {
	if x.broken == "" {
		x.broken = name
	}
}

// sent judges the sending of a refresh token.
func (x *explorer) sent(n *model, p int, s *slot) {
	token := s.effect.Token
	q := n.pair(token)
	m := s.machine.(*lease.Renewal)
	if n.good(accessOf(token)) && q.facts&rejected == 0 && (!m.Ahead || m.Rejected != accessOf(token)) {
		x.violate("G2 good token thrown away")
	}
	if q.sent > 0 && n.faults == x.c.faults {
		x.violate("G1 sent twice without a fault")
	}
	if uint64(q.sent) > x.c.resends {
		x.violate("G3 sent more often than the policy allows")
	}
	q.sent = min(q.sent+1, 2)
	if x.c.resends < 2 {
		q.sent = min(q.sent, byte(x.c.resends)+1)
	}
	for i := range n.procs[:n.n] {
		o := &n.procs[i]
		if i == p || n.message.token != token || n.message.from != o.name || o.state != running {
			continue
		}
		if r := o.ops[opRenewal]; r != nil && r.flying && n.clock(i).Until(r.effect.By) > 0 && !n.beyond {
			x.violate("G1 two redeem at once")
		}
	}
}

// ended judges the end of a grant because of reuse.
func (x *explorer) ended(n *model, token string) {
	x.outcomes.lost = true
	if n.faults == x.c.faults {
		x.violate("G1 family dead without a fault")
	}
	if n.pair(token).facts&doubtful == 0 && !n.beyond {
		x.violate("G1 family dead without a cause")
	}
}

// replaced judges a write: r stands in the place of was.
func (x *explorer) replaced(n *model, p, k int, was, r *lease.Record) {
	switch {
	case r == nil:
		x.deleted(was)
		return
	case r.Over == lease.NoGrant && (was == nil || was.Over != lease.NoGrant):
		x.loggedOutBy(n, p, k, was, r)
	case r.Over == "" && n.books[loginOf(r)].ended:
		x.violate("G12 alive again after a logout")
	}
	if was == nil {
		return
	}
	if a, b := loginOf(was), loginOf(r); a > b && !x.unordered(n, a, b) {
		x.violate("G6 older login over newer")
	}
	if was.Login != r.Login {
		return
	}
	switch {
	case was.Over != "" && r.Over != "" && r.Over != was.Over && r.Over != lease.NoGrant:
		x.violate("G7 the end of a grant was overwritten")
	case was.Over == lease.Denied && r.Over == "":
		x.violate("G7 dead grant revived")
	case was.Over == "" && r.Over == "" && r.Serial < was.Serial:
		x.violate("G4 older tokens over newer")
	case was.Over == "" && r.Over == lease.Denied && n.live(was.Token.Refresh):
		x.violate("G8 a living grant is declared dead")
	case was.Over == "" && r.Over == lease.InDoubt && p >= 0 && n.procs[p].holds == was.Token.Refresh:
		x.violate("G4 given up by the process that holds the new tokens")
	case was.Over == "" && r.Over == lease.InDoubt && x.causeless(n, was):
		x.violate("G3 doubt without cause")
	}
	if was.Serial == r.Serial && r.Doubts > was.Doubts && x.causeless(n, was) {
		x.violate("G3 doubt without cause")
	}
	if k == opRenewal && n.procs[p].ops[k].effect.Announce {
		x.announced(n, p, was)
	}
}

// unrevoked notes that a revocation failed. It is given up if it has been due
// for long.
func (x *explorer) unrevoked(n *model, token string) {
	if n.record == nil {
		return
	}
	for i := range n.record.Queue {
		q := &n.record.Queue[i]
		if q.Token == token && ticks(q.Since)+x.c.giveUp-x.c.maxOffset() <= n.now {
			n.pair(token).facts |= forgiven
		}
	}
}

// causeless reports whether nothing has happened that justifies a doubt about
// the refresh token of r.
func (x *explorer) causeless(n *model, r *lease.Record) bool {
	q := n.pair(r.Token.Refresh)
	return q != nil && q.facts&doubtful == 0 && !n.beyond
}

// announced judges the announcement of a redemption.
func (x *explorer) announced(n *model, p int, was *lease.Record) {
	if was.Over != "" {
		x.violate("G7 dead grant redeemed")
		return
	}
	if n.procs[p].holds == was.Token.Refresh {
		x.violate("G1 redeemed beside the new tokens")
	}
	off := int64(0)
	for i := range n.procs[:n.n] {
		if n.procs[i].wall != 0 {
			off = x.c.maxOffset()
		}
	}
	if was.Intent.ID != "" && ticks(was.Intent.Until)-off > n.now {
		x.violate("G1 taken over before the lease has ended")
	}
	for i := range n.procs[:n.n] {
		o := &n.procs[i]
		if i != p && o.state == running && n.reaches(i) && o.holds == was.Token.Refresh && !n.beyond &&
			n.pair(o.holds).facts&excused == 0 {
			x.violate("G1 redeemed while the running holder writes")
		}
	}
}

// loggedOutBy judges the write of a tombstone.
func (x *explorer) loggedOutBy(n *model, p, k int, was, r *lease.Record) {
	if k == opLogout && was != nil && was.Over == "" {
		if saw := n.procs[p].ops[k].saw; loginOf(was)+2 > saw {
			x.violate("G6 newer grant deleted")
		}
	}
	for i := range n.books[:loginOf(r)+1] {
		if x.includes(n, loginOf(r), byte(i)) {
			n.books[i].ended = true
		}
	}
}

// includes reports whether a logout that ends one login must end the other one
// too. It must do so if the other one is older. If the clocks cannot tell the
// order, the other one may be that of a user who came back after the logout.
func (x *explorer) includes(n *model, login, other byte) bool {
	return other == login || other < login && !x.unordered(n, other, login)
}

func (x *explorer) deleted(was *lease.Record) {
	switch {
	case was == nil:
	case was.Over != lease.NoGrant:
		x.violate("G6 grant deleted without a logout")
	case len(was.Queue) > 0:
		x.violate("G20 queue deleted")
	}
}

// unordered reports whether two logins came so close that their clocks cannot
// tell their order, and the server keeps both.
func (x *explorer) unordered(n *model, a, b byte) bool {
	d := ticks(n.books[a].at) - ticks(n.books[b].at)
	return n.beyond || !x.c.single && max(d, -d) <= x.c.skew
}

func loginOf(r *lease.Record) byte { return code(r.Login) - codeLogin }

// revoked judges a revocation.
func (x *explorer) revoked(n *model, inUse bool) {
	if inUse && !n.live(n.record.Token.Refresh) {
		x.violate("G6 grant in use revoked")
	}
}

// noted judges what an operation tells.
func (x *explorer) noted(n *model, was lease.Local, e lease.Effect) {
	if e.Saved {
		if u := was.Unsaved(); u == nil || n.pair(u.Token.Access).facts&saved == 0 {
			x.violate("G4 told saved, and was not")
		}
	}
}

// keyed judges which keys an operation uses and stores.
func (x *explorer) keyed(n *model, e lease.Effect) {
	switch r := e.Record; {
	case e.Redeem && e.Key != n.key(e.Token), e.Probe && (e.Key != n.key(e.Token) || e.OtherKey != n.key(e.Other)):
		x.violate("T12 a token is sent under another key than its own")
	case r != nil && r.Over == "" && r.Token.Key != n.key(r.Token.Access):
		x.violate("T12 tokens are stored with another key than their own")
	case r != nil && r.Over != "" && r.Token.Key != "":
		x.violate("G7 the key of a grant that is over is stored")
	}
	if r := e.Outcome.Record; r != nil && r.Over == "" && r.Token.Key != n.key(r.Token.Access) {
		x.violate("T12 a token is handed out with another key than its own")
	}
}

// renewed judges the outcome of a renewal.
func (x *explorer) renewed(n *model, p int, m *lease.Renewal, o lease.Outcome) {
	if o.Reason() != "" {
		x.outcomes.delayed = true
		if r := o.Record; r != nil && r.Over != "" && r.Over != o.Reason() {
			x.violate("G7 a grant that is over is refused for another reason")
		}
		return
	}
	q := n.pair(o.Record.Token.Access)
	switch {
	case o.Record.Over != "" || q == nil:
		x.violate("G7 a dead grant serves a token")
	case o.Record.Token.Access == m.Rejected:
		x.violate("G19 the rejected token is returned")
	case q.facts&expired != 0 && n.procs[p].holds == "": // what has just been issued may have expired meanwhile
		x.violate("G18 an expired token is handed out")
	case q.facts&(saved|tried) == 0:
		x.violate("G4 visible before durable")
	}
}

// loggedIn judges the outcome of a login.
func (x *explorer) loggedIn(n *model, m *lease.Login, o lease.Outcome) {
	if r := n.record; o.Reason() == lease.Overtaken && r != nil && r.Login == m.ID {
		x.violate("G6 a login that is stored is called overtaken")
	}
}

// loggedOut judges the outcome of a logout.
func (x *explorer) loggedOut(n *model, s *slot, o lease.Outcome) {
	if o.Reason() != "" || s.saw < 2 {
		return
	}
	login := s.saw - 2
	if n.record != nil && n.record.Over == "" && x.includes(n, login, loginOf(n.record)) {
		x.violate("G12 logged out, and the grant is there")
	}
	for i := range n.pairs[:n.issued] {
		q := &n.pairs[i]
		if q.login == login && q.facts&(used|got|forgiven) == got && n.books[login].alive && !x.c.deaf {
			x.violate("G12 logged out, and the tokens are live")
		}
	}
}

// state judges a state. held says whose refresh tokens somebody has.
func (x *explorer) state(n *model, held *[maxPairs]bool) {
	for i := range n.pairs[:n.issued] {
		q := &n.pairs[i]
		if held[i] || q.facts&(used|got|forgiven) != got || !n.books[q.login].alive {
			continue
		}
		switch {
		case n.books[q.login].ended:
			x.violate("G12 live tokens left after a logout")
		case q.login+1 < n.exchanged:
			x.violate("G20 live tokens of a replaced login left")
		default:
			x.violate("G4 tokens lost")
		}
	}
	if r := n.record; r != nil && (len(r.Queue) > 0 || r.Over == lease.NoGrant) && !n.listed && !n.beyond {
		x.violate("G20 the index does not name a record with something due")
	}
}

// settled reports whether everything has ended well or for good.
func (x *explorer) settled(n *model) bool {
	if n.away || n.down || n.late.on || n.message.phase != 0 || n.kept != "" {
		return false
	}
	for i := range n.procs[:n.n] {
		if p := &n.procs[i]; p.state != running || p.cut || p.busy() {
			return false
		}
	}
	r := n.record
	if n.beyond && !n.listed {
		return true // a clock that jumps can lose the entry of the index
	}
	return r == nil || len(r.Queue) == 0 &&
		(r.Over != "" || n.live(r.Token.Refresh) && n.good(r.Token.Access))
}
