package lease

import "time"

// Logout ends a grant: it writes a tombstone with the tokens to be revoked,
// and revokes them. Its outcome has Unconfirmed set if the server has
// not confirmed every revocation, and StoreFailed if the grant may still be
// alive. The tombstone keeps what is left for a [Chore] or another Logout. Its
// zero value is ready.
//
// A Logout ends the login that it finds. It leaves a login alone that is
// stored while the Logout is under way (G6).
type Logout struct {
	phase   logoutPhase
	seen    bool   // it has read the record
	login   string // the login that it ends
	ended   bool   // that login had been logged out before
	tries   int
	unsure  bool    // the outcome of the last swap is unknown
	current *Record // what is stored
	version uint64
	next    *Record // what is being written
	pending *claim  // the pending tokens that next contains
	drain   drain
	notes   notes
}

type logoutPhase uint8

const (
	logoutStart logoutPhase = iota
	logoutReading
	logoutWriting
	logoutPausing
	logoutDraining
)

// Step learns how the last effect ended, and returns the next one.
func (o *Logout) Step(c Rules, l *Local, ev Event) Effect {
	switch o.phase {
	case logoutStart:
		return o.read()
	case logoutReading:
		if !ev.OK || o.unsure && ev.Version == o.version {
			return o.retry(c, l)
		}
		return o.endGrant(c, l, ev)
	case logoutWriting:
		return o.written(c, l, ev)
	case logoutPausing:
		if !ev.OK {
			return o.end(c, Outcome{StoreFailed: true})
		}
		return o.read()
	default: // logoutDraining
		if e, more := o.drain.step(c, ev); more {
			return e
		}
		o.current, o.version = o.drain.current, o.drain.version
		o.notes.Unrevoked = o.drain.notes.Unrevoked
		return o.finish(c)
	}
}

func (o *Logout) read() Effect {
	o.phase = logoutReading
	return Effect{Read: true}
}

func (o *Logout) end(c Rules, out Outcome) Effect {
	out.Record, out.Version = o.current, o.version
	return c.end(out, o.notes)
}

// retry lets some time pass after a failure of the store, or gives up.
func (o *Logout) retry(c Rules, l *Local) Effect {
	l.blind()
	if o.tries++; o.tries >= saveTries {
		return o.end(c, Outcome{StoreFailed: true})
	}
	o.phase, o.unsure = logoutPausing, false
	return Effect{Wait: true, For: time.Duration(o.tries) * savePause}
}

// endGrant writes the tombstone over what is stored now. Tokens that this
// process has not stored yet go into it as well: otherwise they would outlive
// the logout (G12).
func (o *Logout) endGrant(c Rules, l *Local, ev Event) Effect {
	r := ev.Record
	o.current, o.version, o.unsure = r, ev.Version, false
	login, over := loginOf(r), ""
	if r != nil {
		over = r.Over
	}
	if !o.seen {
		o.seen, o.login, o.ended = true, login, over == NoGrant
	}
	o.notes.LoggedOut = over == NoGrant && !o.ended
	if r != nil && r.queued(l.pendingSet()) {
		l.Pending = nil
	}
	switch {
	case over != NoGrant && o.login != login: // a new login was stored, and replaced the tokens
		return o.revoke(c)
	case l.Pending == nil && (r == nil || over == NoGrant):
		return o.revoke(c)
	}
	o.phase, o.pending = logoutWriting, l.Pending
	o.next = c.tombstone(r, l.Pending, ev.Now)
	return c.swap(o.next, r, ev.Version)
}

// tombstone returns the record after a logout. Its queue holds all tokens of r
// and of the pending claim, if there is one, and announces an attempt to
// revoke each of them.
func (c Rules) tombstone(r *Record, pending *claim, now Clock) *Record {
	if r == nil {
		r = pending.base.over(NoGrant, "")
		r.Ended = now.Wall
	}
	next := r.over(NoGrant, "")
	if r.Over != NoGrant {
		next.Ended = now.Wall
	}
	next.Queue = next.enqueue(r.Token, now.Wall, now.Wall)
	if pending != nil {
		next.Queue = next.enqueue(pending.token, now.Wall, now.Wall)
	}
	next, _ = c.attempt(next, now, true)
	return next
}

func (o *Logout) written(c Rules, l *Local, ev Event) Effect {
	switch {
	case ev.OK:
		o.current, o.version = o.next, ev.Version
		o.notes.LoggedOut = !o.ended
		if o.pending.is(l.Pending) {
			l.Pending = nil
		}
		return o.revoke(c)
	case ev.Conflict, ev.Unknown:
		o.unsure = ev.Unknown
		return o.read()
	}
	return o.retry(c, l)
}

// revoke works off the queue at once.
func (o *Logout) revoke(c Rules) Effect {
	if o.current == nil {
		return o.end(c, Outcome{})
	}
	o.phase = logoutDraining
	if e, more := o.drain.beginAnnounced(o.current, o.version); more {
		return e
	}
	return o.finish(c)
}

func (o *Logout) finish(c Rules) Effect {
	if !o.drain.complete() {
		return o.end(c, Outcome{Unconfirmed: true})
	}
	return o.end(c, Outcome{})
}
