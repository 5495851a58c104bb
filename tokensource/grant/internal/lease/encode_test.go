package lease_test

import (
	"bytes"
	"fmt"
	"time"
	"unsafe"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

const (
	maxPairs    = codeRefresh - codeAccess
	maxLogins   = 4
	maxProcs    = 3
	storedNow   = 1_000_000 // the version that is stored, in a state that is read back
	storedOnce  = 900_000   // versions that were stored before
	cellNothing = 255       // the zero time
)

// names numbers the names of a state in the order in which they occur.
type names struct {
	number [256]byte
	ids    byte
	procs  byte
	pairs  byte
	order  [maxPairs]byte // pairs by their new number
	old    [6]uint64      // versions that are not stored any more, of the process at hand
	olds   int
}

// encoder writes states in their canonical form.
type encoder struct {
	*layouts
	names
	buf      []byte
	held     [maxPairs]bool // pairs whose refresh token somebody has
	seen     [maxPairs]bool // pairs whose access token somebody may hand out
	owned    [maxPairs]bool // pairs whose refresh token somebody has, and not only to revoke it
	keep     bool           // a token that is as good as none is written all the same
	all      bool           // so are facts that nobody asks about
	now      int64          // ticks since origin
	mono     int64          // ticks since monoOrigin, of the process at hand
	current  uint64         // the version that is stored
	apart    bool           // old versions of the process at hand are told apart
	plain    bool           // names stay as they are
	same     *lease.Record  // what the effect at hand writes: its operation often has it as well
	leaseFor time.Duration
	skew     int64
	off      int64
	lasting  facts // of a pair whose refresh token nobody has: what the server still asks about
	keys     [maxProcs]uint64
	sorted   [maxProcs]int // the places of the processes, in the order in which they are written
	scratch  [maxProcs][]byte
}

func (e *encoder) put(b ...byte) { e.buf = append(e.buf, b...) }

func (e *encoder) flag(bits ...bool) {
	var b byte
	for i, v := range bits {
		if v {
			b |= 1 << i
		}
	}
	e.buf = append(e.buf, b)
}

func (e *encoder) rename(k byte) byte {
	switch {
	case k < codeProcess || k >= codeLogin:
		return k
	case e.plain && k < codeAccess:
		e.number[k] = k
		return k
	case k < codeID:
		if e.number[k] == 0 {
			e.number[k] = codeProcess + e.procs
			e.procs++
		}
		return e.number[k]
	case k < codeAccess:
		if e.number[k] == 0 {
			e.number[k] = codeID + e.ids
			e.ids++
		}
		return e.number[k]
	case k < codeRefresh:
		e.seen[k-codeAccess] = true
		return codeAccess + e.pair(k-codeAccess)
	}
	e.held[k-codeRefresh], e.seen[k-codeRefresh], e.owned[k-codeRefresh] = true, true, true
	return codeRefresh + e.pair(k-codeRefresh)
}

func (e *encoder) pair(n byte) byte {
	k := codeAccess + n
	if e.number[k] == 0 {
		e.number[k] = 1 + e.pairs
		e.order[e.pairs] = n
		e.pairs++
	}
	return e.number[k] - 1
}

func (e *encoder) text(s string) { e.buf = append(e.buf, e.rename(code(s))) }

// ticks returns t as ticks since origin. Parts of a tick are dropped, so that a
// short pause is over at once.
func ticks(t time.Time) int64 {
	const seconds = int64(tick / time.Second)
	d := t.Unix() - originUnix
	n := d / seconds
	if d < 0 && d%seconds != 0 {
		n--
	}
	return n
}

func (e *encoder) wall(t time.Time, f span) {
	if t.IsZero() {
		e.buf = append(e.buf, cellNothing)
		return
	}
	n := ticks(t) - e.now
	if f.past && n <= f.lo {
		e.buf = append(e.buf, cellNothing)
		return
	}
	e.buf = append(e.buf, byte(64+min(max(n, f.lo), f.hi)))
}

func (e *encoder) version(v uint64) {
	switch v {
	case 0:
		e.put(0)
		return
	case e.current:
		e.put(1)
		return
	}
	if !e.apart {
		e.put(2)
		return
	}
	for i, o := range e.old[:e.olds] {
		if o == v {
			e.put(byte(2 + i))
			return
		}
	}
	e.old[e.olds] = v
	e.put(byte(2 + e.olds))
	e.olds++
}

func small(n uint64) byte {
	if n > 250 {
		panic(fmt.Sprintf("the number %d is too large for a state: is it a version? see layouts", n))
	}
	return byte(n)
}

func (e *encoder) value(l *layout, p unsafe.Pointer) {
	for i := range l.fields {
		f := &l.fields[i]
		switch q := unsafe.Add(p, f.off); f.cell {
		case cellBool, cellByte:
			e.buf = append(e.buf, *(*byte)(q))
		case cellInt:
			e.buf = append(e.buf, small(uint64(*(*int)(q))))
		case cellUint64:
			v := *(*uint64)(q)
			if f.most > 0 {
				v = min(v, f.most)
			}
			e.buf = append(e.buf, small(v))
		case cellBits:
			v := *(*uint64)(q)
			if v>>16 != 0 {
				panic("more than 16 tokens are revoked at once: see cellBits")
			}
			e.put(byte(v), byte(v>>8))
		case cellVersion:
			e.version(*(*uint64)(q))
		case cellText:
			e.text(*(*string)(q))
		case cellWall:
			e.wall(*(*time.Time)(q), span{f.lo, f.hi, f.past})
		case cellMillis:
			if ms := *(*int64)(q); ms == 0 {
				e.put(cellNothing)
			} else {
				e.wall(time.UnixMilli(ms), span{f.lo, f.hi, f.past})
			}
		case cellWrite:
			e.phased(&e.write, q)
		case cellDrain:
			e.phased(&e.drain, q)
		case cellMono:
			d := *(*time.Duration)(q)
			if d == 0 {
				e.put(cellNothing)
				continue
			}
			n := int64((d-monoOrigin)/tick) - e.mono
			e.buf = append(e.buf, byte(64+min(max(n, f.lo), f.hi)))
		case cellSpan:
			d := *(*time.Duration)(q)
			switch {
			case d <= 0:
				e.put(0)
			case d < tick:
				e.put(1)
			default:
				e.put(byte(1 + d/tick))
			}
		case cellRecord:
			e.record(*(**lease.Record)(q))
		case cellClaim:
			e.claim(*(**lease.Claim)(q))
		case cellQueue:
			e.queue(*(*[]lease.Revocation)(q))
		case cellSince:
			until := *offset[time.Time](p, f.aux)
			if since := *(*time.Time)(q); !until.IsZero() && until.Sub(since) != e.leaseFor {
				panic("an intent lives for another time than Rules.Lease: the explorer must store Intent.Since")
			}
		}
	}
}

// queue writes revocations. Nobody hands out a token again that is to be
// revoked.
func (e *encoder) queue(queue []lease.Revocation) {
	seen, owned := e.seen, e.owned
	e.put(small(uint64(len(queue))))
	for j := range queue {
		e.value(e.revocation, unsafe.Pointer(&queue[j]))
	}
	if e.lasting == 0 && !e.keep {
		e.seen = seen
	}
	e.owned = owned
}

func (e *encoder) claim(c *lease.Claim) {
	e.flag(c != nil)
	if c != nil {
		e.value(e.layouts.claim, unsafe.Pointer(c))
	}
}

// phased writes a part of an operation, whose layout depends on its phase.
func (e *encoder) phased(by *[8]*layout, p unsafe.Pointer) {
	phase := *offset[byte](p, by[0].phase)
	e.put(phase)
	e.value(by[phase], p)
}

func (e *encoder) record(r *lease.Record) {
	switch r {
	case nil:
		e.put(0)
	case e.same:
		e.put(2)
	default:
		e.put(1)
		e.value(e.layouts.record, unsafe.Pointer(r))
	}
}

// world returns the canonical bytes of a state. They are valid until the next
// call.
func (e *encoder) world(w *model) []byte {
	e.names, e.held, e.seen, e.owned = names{}, [maxPairs]bool{}, [maxPairs]bool{}, [maxPairs]bool{}
	if e.plain {
		for i := range w.issued {
			e.pair(i)
		}
	}
	e.now, e.current, e.apart = w.now, w.version, false
	e.buf = append(e.buf[:0], 0, 0, w.faults, w.expiries, w.logins, w.logouts)
	e.flag(w.away, w.down, w.listed, w.beyond, w.late.on, w.message.phase != 0)
	e.record(w.record)
	if w.listed {
		e.wall(w.due, e.spans["effect.Due"])
	}
	e.processes(w)
	e.apart = false
	if w.late.on {
		e.version(w.late.over)
		e.record(w.late.record)
	}
	if e.text(w.kept); w.kept != "" {
		e.rename(code(refreshOf(w.kept)))
	}
	if m := &w.message; m.phase != 0 {
		e.put(byte(m.phase))
		e.text(m.from)
		e.text(m.token)
		e.put(byte(m.result))
		e.text(m.access)
	}
	for _, i := range e.sorted[:w.n] {
		e.watch(&w.procs[i])
		e.known(w, &w.procs[i])
	}
	e.buf[0], e.buf[1] = byte(len(e.buf)), byte(len(e.buf)>>8)
	e.books(w)
	return e.buf
}

// processes writes the processes in an order that does not depend on their
// places.
func (e *encoder) processes(w *model) {
	n := w.n
	order := &e.sorted
	tie := false
	for i := range n {
		e.keys[i] = 0
		if !e.plain {
			e.keys[i] = w.procs[i].key(w)
		}
		j := i
		for ; j > 0 && e.keys[order[j-1]] > e.keys[i]; j-- {
			order[j] = order[j-1]
		}
		order[j] = i
		tie = tie || j > 0 && e.keys[order[j-1]] == e.keys[i]
	}
	if tie && !e.plain {
		e.settle(w)
	}
	for _, i := range order[:n] {
		e.process(&w.procs[i])
	}
}

// settle orders processes that have the same key by all that they are.
func (e *encoder) settle(w *model) {
	start, before, order := len(e.buf), e.names, &e.sorted
	for i := range w.n {
		e.names = before
		e.process(&w.procs[i])
		e.known(w, &w.procs[i])
		e.watch(&w.procs[i])
		e.scratch[i] = append(e.scratch[i][:0], e.buf[start:]...)
		e.buf = e.buf[:start]
	}
	e.names = before
	for i := range w.n {
		for j := i; j > 0; j-- {
			a, b := order[j-1], order[j]
			if e.keys[a] == e.keys[b] && bytes.Compare(e.scratch[a], e.scratch[b]) > 0 {
				order[j-1], order[j] = b, a
			}
		}
	}
}

// key is a number that distinguishes most processes.
func (p *member) key(w *model) uint64 {
	k := uint64(p.state)<<1 | uint64(p.wall+16)<<3
	bit := func(b bool) {
		k <<= 1
		if b {
			k |= 1
		}
	}
	bit(p.cut)
	bit(p.tired)
	bit(p.local.Pending != nil)
	bit(p.local.Undo != nil)
	bit(w.record != nil && w.record.Intent.Holder == p.name)
	bit(w.good(p.known))
	for _, s := range p.ops {
		k <<= 6
		if s != nil {
			k |= uint64(s.effect.Do) + 1
			if s.answer != nil {
				k |= 16
			}
			if s.effect.Announce {
				k |= 32
			}
		}
	}
	return k
}

func (e *encoder) process(p *member) {
	e.mono, e.olds, e.apart = p.mono, 0, false
	for _, s := range p.ops {
		e.apart = e.apart || s != nil && s.answer != nil
	}
	e.text(p.name)
	e.text(p.holds)
	e.put(byte(64+p.wall), byte(p.state))
	e.flag(p.cut, false, p.tired, p.ops[0] != nil, p.ops[1] != nil, p.ops[2] != nil, p.ops[3] != nil)
	e.claim(p.local.Pending)
	e.claim(p.local.Undo)
	for k, s := range p.ops {
		if s != nil {
			e.slot(k, s)
		}
	}
}

func (e *encoder) slot(k int, s *slot) {
	e.flag(s.nap, s.flying, s.byIndex, s.fresh, s.parked, s.answer != nil, s.enlisted)
	e.put(byte(s.left), s.saw)
	owned := e.owned
	if e.value(e.effect, unsafe.Pointer(&s.effect)); s.effect.Do == lease.Revoke {
		e.owned = owned
	}
	if s.answer != nil {
		e.value(e.event, unsafe.Pointer(s.answer))
	}
	e.same = s.effect.Record
	p := pointer(s.machine)
	phase := *offset[byte](p, e.operations[k][0].phase)
	e.put(phase)
	e.value(e.operations[k][phase], p)
	e.same = nil
}

// pointer returns the address of an operation.
func pointer(o operation) unsafe.Pointer {
	switch m := o.(type) {
	case *lease.Renewal:
		return unsafe.Pointer(m)
	case *lease.Chore:
		return unsafe.Pointer(m)
	case *lease.Login:
		return unsafe.Pointer(m)
	default:
		return unsafe.Pointer(o.(*lease.Logout))
	}
}

// watch writes since when a process has seen an intent, if that intent is
// anywhere.
func (e *encoder) watch(p *member) {
	seen := &p.local.Watch
	if seen.ID == "" || e.number[code(seen.ID)] == 0 {
		e.put(0)
		return
	}
	e.put(1)
	e.mono = p.mono
	e.value(e.layouts.watch, unsafe.Pointer(seen))
}

// known writes the token that a process hands out. A token that is not good,
// and that nobody else has, is as good as none.
func (e *encoder) known(w *model, p *member) {
	k := code(p.known)
	if k != 0 && !e.seen[k-codeAccess] && !w.good(p.known) && !e.keep {
		k = 0
	}
	e.buf = append(e.buf, e.rename(k))
}

// books writes what the server and the judges know about the pairs and logins
// that occur in the state.
func (e *encoder) books(w *model) {
	e.put(0)
	count := len(e.buf) - 1
	for i := byte(0); i < e.pairs; i++ {
		p := w.pairs[e.order[i]]
		if !w.books[p.login].alive && !e.plain {
			p.facts |= dead
		}
		if !e.plain && !e.all {
			p.scars(e.owned[e.order[i]])
		}
		switch held := e.held[e.order[i]]; {
		case e.plain:
		case !held && !w.books[p.login].alive:
			p.facts, p.sent = p.facts&(dead|expired), 0
		case !held:
			p.facts, p.sent = p.facts&(dead|expired|e.lasting), 0
		case p.facts&used != 0:
			p.facts = p.facts&^(got|forgiven|tried|rejected) | saved
		case p.facts&saved != 0:
			p.facts &^= tried
		}
		next := byte(cellNothing)
		if p.next != 0 {
			next = e.pair(p.next - 1)
		}
		e.put(byte(p.facts), byte(p.facts>>8), byte(p.facts>>16), p.login|p.sent<<4, next)
	}
	e.buf[count] = e.pairs
	e.put(byte(len(w.books[:w.exchanged])))
	e.exchanges(w)
}

// scars drops what no judge asks about: what has happened in particular to a
// process that was at work on the refresh token, and all of it if nobody will
// send that token any more.
func (p *pair) scars(owned bool) {
	switch {
	case !owned:
		p.facts, p.sent = p.facts&^doubtful, 0
	case p.facts&excused != 0:
		p.facts |= doubtful
	}
	if p.facts&(dead|expired) != 0 {
		p.facts &^= rejected
	}
}

// exchanges writes the logins. Their times matter only as far as they are
// compared with each other, and while logins are under way or may come, with
// now and with the times of a logout.
func (e *encoder) exchanges(w *model) {
	lo := -e.skew - 1
	if r := w.record; r != nil && (r.Over == lease.NoGrant || len(r.Queue) > 0) {
		lo = -3*e.skew - 2
	}
	var at [maxLogins]int64
	var shift int64
	for i := int(w.exchanged) - 1; i >= 0; i-- {
		at[i] = ticks(w.books[i].at) - e.now + shift
		switch {
		case i+1 < int(w.exchanged):
			at[i] = max(at[i], at[i+1]-e.skew-1)
		case at[i] < lo-e.off || !w.expected():
			shift = lo - e.off - at[i]
			at[i] += shift
		}
	}
	for i := range w.books[:w.exchanged] {
		e.flag(w.books[i].alive, w.books[i].ended)
		e.put(byte(64 + at[i]))
	}
}

// expected reports whether a login is under way or may come.
func (w *model) expected() bool {
	for i := range w.procs[:w.n] {
		if w.procs[i].ops[opLogin] != nil {
			return true
		}
	}
	return w.logins > 0 || w.kept != ""
}

// tokens calls f for every pair whose refresh token p has.
func (e *encoder) tokens(p *member, f func(pair byte)) {
	e.names, e.held, e.buf = names{}, [maxPairs]bool{}, e.buf[:0]
	e.process(p)
	for i, held := range e.held {
		if held {
			f(byte(i))
		}
	}
}
