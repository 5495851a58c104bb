package lease_test

import (
	"time"
	"unsafe"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// decoder reads states back. What it returns is valid until the next call.
type decoder struct {
	*layouts
	in       []byte
	w        *model
	ids      byte
	procs    byte
	leaseFor time.Duration
	same     *lease.Record

	// What the states are made of. It is used again for the next state.
	records  arena[lease.Record]
	claims   arena[lease.Claim]
	slots    arena[slot]
	events   arena[lease.Event]
	renewals arena[lease.Renewal]
	chores   arena[lease.Chore]
	logins   arena[lease.Login]
	logouts  arena[lease.Logout]
}

// arena makes values of one type.
type arena[T any] struct {
	values []T
	used   int
}

// get returns a zero value. It is valid until the arena is emptied.
func (a *arena[T]) get() *T {
	if a.used == len(a.values) {
		a.values, a.used = make([]T, 2*a.used+8), 0 // those that were made stay valid
	}
	v := &a.values[a.used]
	a.used++
	var zero T
	*v = zero
	return v
}

func (d *decoder) empty() {
	d.records.used, d.claims.used, d.slots.used, d.events.used = 0, 0, 0, 0
	d.renewals.used, d.chores.used, d.logins.used, d.logouts.used = 0, 0, 0, 0
}

func (d *decoder) byte() byte {
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

func (d *decoder) bit(b byte, i int) bool { return b&(1<<i) != 0 }

func (d *decoder) text() string {
	k := d.byte()
	switch {
	case k >= codeID && k < codeAccess:
		d.ids = max(d.ids, k-codeID+1)
	case k >= codeProcess && k < codeID:
		d.procs = max(d.procs, k-codeProcess+1)
	}
	return texts[k]
}

func (d *decoder) wall() time.Time {
	k := d.byte()
	if k == cellNothing {
		return time.Time{}
	}
	return walls[k]
}

// walls holds the times that a byte can stand for.
var walls = func() (t [256]time.Time) {
	for k := range t {
		t[k] = origin.Add(time.Duration(k-64) * tick)
	}
	return t
}()

func (d *decoder) version() uint64 {
	switch k := d.byte(); k {
	case 0:
		return 0
	case 1:
		return storedNow
	default:
		return storedOnce + uint64(k)
	}
}

func (d *decoder) value(l *layout, p unsafe.Pointer) {
	for i := range l.fields {
		f := &l.fields[i]
		switch q := unsafe.Add(p, f.off); f.cell {
		case cellBool, cellByte:
			*(*byte)(q) = d.byte()
		case cellInt:
			*(*int)(q) = int(d.byte())
		case cellUint64:
			*(*uint64)(q) = uint64(d.byte())
		case cellBits:
			*(*uint64)(q) = uint64(d.byte()) | uint64(d.byte())<<8
		case cellVersion:
			*(*uint64)(q) = d.version()
		case cellText:
			*(*string)(q) = d.text()
		case cellWall:
			*(*time.Time)(q) = d.wall()
		case cellMillis:
			if t := d.wall(); !t.IsZero() {
				*(*int64)(q) = t.UnixMilli()
			}
		case cellWrite:
			d.phased(&d.write, q)
		case cellDrain:
			d.phased(&d.drain, q)
		case cellMono:
			if k := d.byte(); k != cellNothing {
				*(*time.Duration)(q) = monoOrigin + time.Duration(int(k)-64)*tick
			}
		case cellSpan:
			switch k := d.byte(); k {
			case 0:
			case 1:
				*(*time.Duration)(q) = tick / 1000
			default:
				*(*time.Duration)(q) = time.Duration(k-1) * tick
			}
		case cellRecord:
			*(**lease.Record)(q) = d.record()
		case cellClaim:
			*(**lease.Claim)(q) = d.claim()
		case cellQueue:
			if n := d.byte(); n > 0 {
				queue := make([]lease.Revocation, n)
				for j := range queue {
					d.value(d.revocation, unsafe.Pointer(&queue[j]))
				}
				*(*[]lease.Revocation)(q) = queue
			}
		case cellExpiry:
			*(*time.Time)(q) = d.w.expiry(*offset[string](p, f.aux))
		case cellKey:
			*(*string)(q) = d.w.key(*offset[string](p, f.aux))
		case cellExchanged:
			if k := code(*offset[string](p, f.aux)); k >= codeLogin {
				*(*time.Time)(q) = d.w.books[k-codeLogin].at
			}
		case cellSince:
			if until := *offset[time.Time](p, f.aux); !until.IsZero() {
				*(*time.Time)(q) = until.Add(-d.leaseFor)
			}
		}
	}
}

func (d *decoder) claim() *lease.Claim {
	if d.byte() == 0 {
		return nil
	}
	c := d.claims.get()
	d.value(d.layouts.claim, unsafe.Pointer(c))
	return c
}

func (d *decoder) phased(by *[8]*layout, p unsafe.Pointer) {
	phase := d.byte()
	*offset[byte](p, by[0].phase) = phase
	d.value(by[phase], p)
}

func (d *decoder) record() *lease.Record {
	switch d.byte() {
	case 0:
		return nil
	case 2:
		return d.same
	}
	r := d.records.get()
	d.value(d.layouts.record, unsafe.Pointer(r))
	return r
}

// world reads a state from its bytes.
func (d *decoder) world(b []byte, w *model, c *config) {
	*w = model{n: c.procs, lastVersion: storedNow}
	d.w, d.ids, d.procs = w, 0, 0
	d.empty()
	d.in = b[int(b[0])|int(b[1])<<8:]
	d.books()
	d.in = b[2:]
	w.faults, w.expiries, w.logins, w.logouts = d.byte(), d.byte(), d.byte(), d.byte()
	f := d.byte()
	w.away, w.down, w.listed, w.beyond, w.late.on = d.bit(f, 0), d.bit(f, 1), d.bit(f, 2), d.bit(f, 3), d.bit(f, 4)
	w.record = d.record()
	if w.record != nil {
		w.version = storedNow
	}
	if w.listed {
		w.due = d.wall()
	}
	for i := range w.procs[:w.n] {
		d.process(&w.procs[i])
	}
	if w.late.on {
		w.late.over = d.version()
		w.late.record = d.record()
	}
	w.kept = d.text()
	if d.bit(f, 5) {
		m := &w.message
		m.phase = phase(d.byte())
		m.from, m.token = d.text(), d.text()
		m.result = lease.Result(d.byte())
		m.access = d.text()
	}
	for i := range w.procs[:w.n] {
		if d.byte() != 0 {
			d.value(d.watch, unsafe.Pointer(&w.procs[i].local.Watch))
		}
		w.procs[i].known = d.text()
	}
	w.ids, w.names = d.ids, d.procs
}

func (d *decoder) process(p *member) {
	p.name, p.holds = d.text(), d.text()
	p.wall, p.state = int8(d.byte())-64, state(d.byte())
	f := d.byte()
	p.cut, p.tired = d.bit(f, 0), d.bit(f, 2)
	p.local.Pending, p.local.Undo = d.claim(), d.claim()
	for k := range p.ops {
		if d.bit(f, 3+k) {
			p.ops[k] = d.slot(k)
		}
	}
}

func (d *decoder) slot(k int) *slot {
	s := d.slots.get()
	f := d.byte()
	s.nap, s.flying, s.byIndex, s.fresh, s.parked = d.bit(f, 0), d.bit(f, 1), d.bit(f, 2), d.bit(f, 3), d.bit(f, 4)
	s.enlisted = d.bit(f, 6)
	s.left, s.saw = int8(d.byte()), d.byte()
	d.value(d.effect, unsafe.Pointer(&s.effect))
	if d.bit(f, 5) {
		s.answer = d.events.get()
		d.value(d.event, unsafe.Pointer(s.answer))
	}
	switch k {
	case opRenewal:
		s.machine = d.renewals.get()
	case opChore:
		s.machine = d.chores.get()
	case opLogin:
		s.machine = d.logins.get()
	default:
		s.machine = d.logouts.get()
	}
	d.same = s.effect.Record
	phase, p := d.byte(), pointer(s.machine)
	*offset[byte](p, d.operations[k][0].phase) = phase
	d.value(d.operations[k][phase], p)
	d.same = nil
	return s
}

func (d *decoder) books() {
	d.w.issued = d.byte()
	for i := range d.w.issued {
		p := &d.w.pairs[i]
		p.facts = facts(d.byte()) | facts(d.byte())<<8 | facts(d.byte())<<16
		b := d.byte()
		p.login, p.sent = b&15, b>>4
		if n := d.byte(); n != cellNothing {
			p.next = n + 1
		}
	}
	d.w.exchanged = d.byte()
	for i := range d.w.exchanged {
		b := &d.w.books[i]
		f := d.byte()
		b.alive, b.ended = d.bit(f, 0), d.bit(f, 1)
		b.at = walls[d.byte()]
	}
}
