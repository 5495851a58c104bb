package lease

import (
	"cmp"
	"time"
)

// Renewal obtains an access token other than Rejected. It hands out what
// another process has stored, waits for the process that is redeeming, or
// announces its own redemption and makes it.
//
// At most one Renewal of a grant may run in a process at a time. It must be
// stepped to its end: between Redeem and Return it may hold tokens that no
// other process has.
type Renewal struct {
	Rejected string // the access token that an API rejected; empty if it has expired
	Ahead    bool   // Rejected is still good: a refresh ahead of its expiry is wanted

	phase   renewalPhase
	version uint64  // over which next is written
	was     *Record // what next replaces
	next    *Record // the announced or forfeited record
	by      Clock   // the deadline of the request
	write   write
	tries   int
	pause   time.Duration // Return: until the next attempt
}

type renewalPhase uint8

const (
	renewalStart renewalPhase = iota
	renewalFlushing
	renewalReading
	renewalWaiting
	renewalAnnouncing
	renewalForfeiting
	renewalRedeeming
	renewalWriting
	renewalPausing
)

const (
	saveTries = 3                      // writes of new tokens before they are served from memory
	savePause = 100 * time.Millisecond // after the first of them; the next one is longer
)

// Step learns how the last effect ended, and returns the next one.
func (o *Renewal) Step(c Rules, l *Local, ev Event) Effect {
	switch o.phase {
	case renewalStart:
		return o.start(c, l, ev)
	case renewalFlushing:
		return o.flushed(c, l, ev)
	case renewalReading:
		if !ev.OK {
			l.blind()
			return c.end(Outcome{StoreFailed: true}, notes{})
		}
		return o.decide(c, l, ev, ev.Record, ev.Version)
	case renewalWaiting:
		if !ev.OK {
			return c.end(Outcome{Overtaken: true}, notes{})
		}
		return o.read()
	case renewalForfeiting:
		return o.forfeited(c, l, ev)
	case renewalAnnouncing:
		return o.announced(c, l, ev)
	case renewalRedeeming:
		return o.redeemed(c, l, ev)
	case renewalWriting:
		return o.written(c, l, ev)
	default: // renewalPausing
		if !ev.OK {
			return o.keep(c, l)
		}
		o.phase = renewalWriting
		return o.write.begin(o.write.claim)
	}
}

// start looks at the tokens that are not stored yet. They are newer than what
// is stored (G4).
func (o *Renewal) start(c Rules, l *Local, ev Event) Effect {
	u := l.Unsaved()
	switch {
	case u == nil:
		return o.read()
	case u.usable(ev.Now, o.Rejected):
		return c.end(Outcome{Record: u}, notes{})
	}
	return o.flush(l.Pending)
}

func (o *Renewal) read() Effect {
	o.phase = renewalReading
	return Effect{Read: true}
}

// flush writes a claim that an earlier attempt has left behind. One attempt at
// a time may have something left to write: otherwise an outage of the store
// would leave a trail of intents (G3).
func (o *Renewal) flush(k *claim) Effect {
	o.phase = renewalFlushing
	return o.write.begin(k)
}

func (o *Renewal) flushed(c Rules, l *Local, ev Event) Effect {
	if e, more := o.write.step(c, ev); more {
		return e
	}
	if o.write.verdict == unwritten {
		l.blind()
		return c.end(Outcome{StoreFailed: true}, notes{})
	}
	happened := o.write.settle(l)
	e := o.decide(c, l, ev, o.write.current, o.write.version)
	e.notes = happened
	return e
}

// decide acts on what is stored now.
func (o *Renewal) decide(c Rules, l *Local, ev Event, r *Record, version uint64) Effect {
	if r == nil {
		return c.end(Outcome{Over: NoGrant}, notes{})
	}
	l.Watch = c.see(l.Watch, r.Intent, ev.Now)
	v, out := c.decide(r, need{o.Rejected, o.Ahead}, l.Watch, ev.Now)
	if l.Undo != nil && v != serve && r.Over == "" {
		return o.flush(l.Undo) // the intent may be this process's own
	}
	switch o.was, o.version = r, version; v {
	case serve, stop:
		out.Record, out.Version = r, version
		return c.end(out, notes{})
	case await:
		o.phase = renewalWaiting
		return Effect{Wait: true, For: out.Pause, Poll: true}
	case forfeit:
		o.phase = renewalForfeiting
		o.next = c.forfeit(r, out.Over, ev.Now)
		return c.swap(o.next, r, version)
	default: // redeem
		o.phase = renewalAnnouncing
		o.next, o.by = c.acquire(r, ev.ID, ev.Now)
		l.Watch = c.see(watch{}, o.next.Intent, ev.Now)
		e := c.swap(o.next, r, version)
		e.Announce = true
		return e
	}
}

func (o *Renewal) forfeited(c Rules, l *Local, ev Event) Effect {
	switch {
	case ev.OK:
		return c.end(Outcome{Over: o.next.Over, Record: o.next, Version: ev.Version}, notes{Died: true})
	case ev.Conflict:
		return o.read()
	}
	l.blind()
	return c.end(Outcome{StoreFailed: true}, notes{})
}

// announced sends the request if the intent was stored. An intent that may
// have been stored is withdrawn. If it were left, it would look like a lost
// answer, and the grant could end though no refresh token was ever sent (G3).
func (o *Renewal) announced(c Rules, l *Local, ev Event) Effect {
	switch {
	case ev.OK:
		o.version = ev.Version
		if ev.Now.Until(o.by) <= 0 {
			return o.claim(c, o.undo(0, time.Time{}), ev) // the store was slow: the request could outlive the intent (G1)
		}
		o.phase = renewalRedeeming
		return Effect{Redeem: true, Token: cmp.Or(o.next.Token.Refresh, o.next.Token.Access), Key: o.next.Token.Key, By: o.by}
	case ev.Conflict:
		return o.read()
	case ev.Refused:
		return c.end(Outcome{Spaced: true, Record: o.was, Version: o.version, Pause: ev.Pause}, notes{})
	case ev.Unknown:
		l.Undo = o.undo(o.version, time.Time{})
	}
	return c.end(Outcome{StoreFailed: true}, notes{})
}

// undo withdraws the intent if no request was sent. An abandoned intent
// that it replaced comes back, and with it the doubt.
func (o *Renewal) undo(over uint64, retryAt time.Time) *claim {
	return &claim{kind: release, base: o.next, over: over, intent: o.was.Intent, doubts: o.was.Doubts, retryAt: retryAt}
}

// redeemed turns the answer of the server into a claim. After a lost answer
// nothing is written: the intent stays, and shows to every process that the
// refresh token may have been redeemed (G3).
func (o *Renewal) redeemed(c Rules, l *Local, ev Event) Effect {
	switch {
	case ev.OK:
		e := o.claim(c, newAdoption(o.next, ev.Token, ev.Spent), ev)
		e.Refreshed = true
		return e
	case ev.Refused:
		reason := Denied
		if o.next.Doubts > 0 {
			reason = InDoubt // the attempt whose answer was lost has redeemed it
		}
		return o.claim(c, &claim{kind: refusal, base: o.next, reason: reason, code: ev.Code}, ev)
	case !ev.Unknown:
		o.pause = backoff(o.next.Failures+1, ev.Pause, ev.Jitter)
		k := o.undo(0, ev.Now.Wall.Add(o.pause))
		if !ev.Unsent {
			k.intent, k.doubts = intent{}, o.next.Doubts
		}
		if ev.Private {
			k.retryAt, o.pause = time.Time{}, ev.Pause
		}
		e := o.claim(c, k, ev)
		e.Failed = true
		return e
	}
	left := c.left(l.Watch, o.next.Intent, ev.Now)
	out := Outcome{LostAnswer: true, Record: o.next, Version: o.version, Pause: max(0, left)}
	return c.end(out, notes{Failed: true})
}

// claim writes what the attempt has brought about.
func (o *Renewal) claim(c Rules, k *claim, ev Event) Effect {
	o.phase = renewalWriting
	return o.write.beginAt(c, k, o.next, o.version, ev)
}

func (o *Renewal) written(c Rules, l *Local, ev Event) Effect {
	if e, more := o.write.step(c, ev); more {
		return e
	}
	if o.write.verdict == unwritten {
		o.tries++
		if o.write.claim.kind == adopt && o.tries < saveTries {
			o.phase = renewalPausing
			return Effect{Wait: true, For: time.Duration(o.tries) * savePause}
		}
		return o.keep(c, l)
	}
	return c.end(o.outcome(ev.Now), o.write.settle(l))
}

// keep leaves the claim to a Chore. New tokens are served from memory
// meanwhile (G4).
func (o *Renewal) keep(c Rules, l *Local) Effect {
	if o.write.claim.kind != adopt {
		l.Undo = o.write.claim
		return c.end(Outcome{StoreFailed: true, Pause: o.pause}, notes{})
	}
	l.Pending = o.write.claim
	u := l.Unsaved()
	return c.end(Outcome{JustRenewed: o.again(u), Record: u}, notes{Unsaved: true})
}

// outcome says what the caller gets after the claim was written or has turned
// out to be void.
func (o *Renewal) outcome(now Clock) Outcome {
	r := o.write.current
	out := Outcome{Record: r, Version: o.write.version}
	k := o.write.claim
	switch {
	case r == nil:
		out.Over = NoGrant
	case r.Over != "":
		out.Over = r.Over
	case k.kind == adopt && o.write.verdict == stored:
		out.JustRenewed = o.again(r)
	case r.usable(now, o.Rejected): // G6: another process has stored a better token
	case o.write.verdict == stored:
		out.Spaced, out.Pause = true, o.pause
	default:
		out.Overtaken = true
	}
	return out
}

// again reports whether the server has issued the rejected token once more
// (G19), or no access token that can be sent.
func (o *Renewal) again(r *Record) bool {
	return r.Token.Access == o.Rejected || r.Token.Access == ""
}
