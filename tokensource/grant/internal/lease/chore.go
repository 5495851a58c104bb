package lease

import (
	"slices"
	"time"
)

// Chore is the background writer of one grant. It writes the claims that
// attempts to redeem have left behind, revokes the tokens that are due, and
// deletes an old tombstone. Its zero value is ready.
//
// Any process may run a Chore at any time. The shell starts one when [Local]
// has a claim, and when [Effect].Due or [Outcome].Due has come. While the
// store fails, a Chore with a claim goes on. If the shell ends one of its
// waits, it tries once more and then returns StoreFailed.
type Chore struct {
	phase   chorePhase
	closing bool // the shell has ended a wait
	pause   time.Duration
	write   write
	drain   drain
}

type chorePhase uint8

const (
	choreStart chorePhase = iota
	choreReading
	choreWriting
	chorePausing
	choreDraining
	choreSweeping
)

const (
	firstChorePause = 100 * time.Millisecond // after a write that failed; it doubles
	lastChorePause  = time.Second
)

// Step learns how the last effect ended, and returns the next one.
func (o *Chore) Step(c Rules, l *Local, ev Event) Effect {
	switch o.phase {
	case choreStart:
		return o.start(l)
	case chorePausing:
		o.closing = !ev.OK
		return o.start(l)
	case choreWriting:
		return o.written(c, l, ev)
	case choreReading:
		if !ev.OK {
			l.blind()
			return c.end(Outcome{StoreFailed: true}, notes{})
		}
		return o.tend(c, ev, ev.Record, ev.Version)
	case choreDraining:
		if e, more := o.drain.step(c, ev); more {
			return e
		}
		return c.end(Outcome{Record: o.drain.current, Version: o.drain.version}, o.drain.notes)
	default: // choreSweeping
		switch {
		case ev.OK:
			return c.end(Outcome{}, notes{})
		case ev.Conflict:
			return o.start(l)
		}
		return c.end(Outcome{StoreFailed: true}, notes{})
	}
}

// start begins to write the first claim, or looks for what is due.
func (o *Chore) start(l *Local) Effect {
	for _, k := range [...]*claim{l.Pending, l.Undo} {
		if k != nil {
			o.phase = choreWriting
			return o.write.begin(k)
		}
	}
	o.phase = choreReading
	return Effect{Read: true}
}

func (o *Chore) written(c Rules, l *Local, ev Event) Effect {
	if e, more := o.write.step(c, ev); more {
		return e
	}
	if o.write.verdict == unwritten {
		return o.wait(c, l)
	}
	o.pause = 0
	happened := o.write.settle(l)
	var e Effect
	if l.Pending != nil || l.Undo != nil {
		e = o.start(l)
	} else {
		e = o.tend(c, ev, o.write.current, o.write.version)
	}
	e.notes = happened
	return e
}

func (o *Chore) wait(c Rules, l *Local) Effect {
	l.blind()
	if o.closing {
		return c.end(Outcome{StoreFailed: true}, notes{})
	}
	o.phase = chorePausing
	o.pause = min(max(2*o.pause, firstChorePause), lastChorePause)
	return Effect{Wait: true, For: o.pause}
}

// tend does what the stored record is due for. A tombstone without tokens is
// deleted when no write of its time can arrive any more (G7).
func (o *Chore) tend(c Rules, ev Event, r *Record, version uint64) Effect {
	switch due := c.Due(r); {
	case due.IsZero() || ev.Now.Wall.Before(due):
		return c.end(Outcome{Record: r, Version: version}, notes{})
	case len(r.Queue) == 0:
		o.phase = choreSweeping
		return Effect{Swap: true, Version: version}
	}
	o.phase = choreDraining
	return o.drain.begin(c, r, version, ev.Now)
}

// drain revokes tokens in the queue of a record. Chore and Logout share it.
//
//	announce ──► revoke, one by one ──► remove those that are gone
//
// Each attempt is announced in the record before it is made (G20). Then other
// processes leave the token alone, a crash costs one pause and no token, and a
// late holder sees that the revocation of a forfeited grant has begun.
type drain struct {
	phase   drainPhase
	current *Record // what is stored
	version uint64
	next    *Record // what is being written

	batch []revocation // what is attempted
	at    int          // which of them is next
	gone  uint64       // bit i: the server has confirmed batch[i]
	given uint64       // bit i: batch[i] is given up

	unsure bool // the outcome of the last swap is unknown
	notes  notes
}

type drainPhase uint8

const (
	drainAnnouncing drainPhase = iota + 1
	drainRevoking
	drainRemoving
	drainReading
)

// begin announces an attempt for each token that is due.
func (d *drain) begin(c Rules, r *Record, version uint64, now Clock) Effect {
	*d = drain{phase: drainAnnouncing, current: r, version: version}
	d.next, d.batch = c.attempt(r, now, false)
	return c.swap(d.next, r, version)
}

// beginAnnounced revokes every token in the queue of r that no late holder can
// succeed. So the attempts need no announcement. The others are those of a
// newer login that was given up in doubt: a logout of an older one does not end
// it (G6). It returns false if there are none.
func (d *drain) beginAnnounced(r *Record, version uint64) (Effect, bool) {
	batch := r.Queue
	if r.forfeited(r.Token.ID) {
		batch = without(batch, func(q revocation) bool { return q.Set == r.Token.ID })
	}
	*d = drain{phase: drainRevoking, current: r, version: version, batch: batch}
	if len(d.batch) == 0 {
		return Effect{}, false
	}
	return d.revoke(), true
}

// step returns the next effect, or false when the drain has ended. Then
// current is the last record that it knows to be stored.
func (d *drain) step(c Rules, ev Event) (Effect, bool) {
	switch d.phase {
	case drainAnnouncing:
		if !ev.OK {
			// Another process may be at work. What is left is due again.
			return Effect{}, false
		}
		d.current, d.version = d.next, ev.Version
		if len(d.batch) == 0 {
			return Effect{}, false
		}
		return d.revoke(), true
	case drainRevoking:
		d.revoked(c, ev)
		if d.at++; d.at < len(d.batch) {
			return d.revoke(), true
		}
		return d.remove(c)
	case drainReading:
		if !ev.OK || d.unsure && ev.Version == d.version {
			return Effect{}, false
		}
		if d.current, d.version = ev.Record, ev.Version; ev.Record == nil {
			return Effect{}, false
		}
		return d.remove(c)
	default: // drainRemoving
		return d.removed(ev)
	}
}

func (d *drain) revoke() Effect {
	d.phase = drainRevoking
	q := d.batch[d.at]
	return Effect{Revoke: true, Token: q.Token, Refresh: q.Refresh}
}

// revoked judges one attempt. A revocation that fails after GiveUp is given up
// (G20). It has been attempted until then: a time in which no process was there
// ends nothing, and neither does a request that was not sent.
func (d *drain) revoked(c Rules, ev Event) {
	switch {
	case ev.OK:
		d.gone |= 1 << d.at
	case ev.Unsent:
	case ev.Now.Wall.Sub(d.batch[d.at].Since) >= c.GiveUp:
		d.given |= 1 << d.at
		d.notes.Unrevoked = true
	}
}

// remove removes the tokens that are gone or given up from the queue, if any
// of them is still in it.
func (d *drain) remove(c Rules) (Effect, bool) {
	rest := without(d.current.Queue, d.done)
	if len(rest) == len(d.current.Queue) {
		return Effect{}, false
	}
	d.phase = drainRemoving
	next := *d.current
	next.Queue = rest
	d.next = &next
	return c.swap(d.next, d.current, d.version), true
}

func (d *drain) removed(ev Event) (Effect, bool) {
	switch {
	case ev.OK:
		d.current, d.version = d.next, ev.Version
	case ev.Conflict, ev.Unknown:
		d.unsure = ev.Unknown
		d.phase = drainReading
		return Effect{Read: true}, true
	}
	return Effect{}, false // the tokens are revoked once more, which does no harm
}

// complete reports whether the server has confirmed every revocation.
func (d *drain) complete() bool { return d.gone == 1<<len(d.batch)-1 }

// done reports whether q needs no further attempt.
func (d *drain) done(q revocation) bool {
	i := slices.IndexFunc(d.batch, func(b revocation) bool { return b.Set == q.Set && b.Refresh == q.Refresh })
	return i >= 0 && (d.gone|d.given)&(1<<i) != 0
}

// attempt returns r after an attempt was announced for each token that is due,
// or for all, and these tokens. The pause after an attempt doubles.
func (c Rules) attempt(r *Record, now Clock, all bool) (*Record, []revocation) {
	next := *r
	next.Queue = nil
	var batch []revocation
	for _, q := range r.Queue {
		if all || !now.Wall.Before(q.Next) {
			q.Next = now.Wall.Add(c.revokePause(q.Attempts))
			q.Attempts++
			batch = append(batch, q)
		}
		next.Queue = append(next.Queue, q)
	}
	return &next, batch
}

func (c Rules) revokePause(attempts uint64) time.Duration {
	d := c.FirstPause
	for range min(attempts, 32) {
		d = min(2*d, c.LastPause)
	}
	return d
}
