package lease

import "time"

// Login stores the tokens of a new authorization in place of what is there.
// Its outcome is Overtaken, or says why the grant is over, if a later login or
// a logout stays instead.
//
// A Login that ended with StoreFailed may be stepped again. It remembers what
// it has tried. A process that has lost this value goes on with another Login
// that has the same ID, and with Repeated set.
type Login struct {
	Issuer, Endpoint, ClientID, Subject string

	Asked string // the scopes that it asked for
	User  string // as its ID token names the user

	ID        string    // random: names the authorization
	Epoch     string    // random: names the epoch that the login begins, if it begins one
	Exchanged time.Time // when the server answered the exchange
	Token     Token     // what the server issued; ID and Refreshed are set here
	Repeated  bool      // an earlier Login with this ID may have been stored

	phase   loginPhase
	tries   int
	seen    bool // it has read the record
	tomb    tomb // the tombstone that it found at first
	current *Record
	version uint64 // of current
	next    *Record
	pending *claim // the pending tokens that next replaces
	yields  bool   // next queues the tokens of this login

	unsure bool   // the outcome of the last swap is unknown
	over   uint64 // the version over which it wrote
	wrote  bool   // the outcome of any swap was unknown
	before string // the login over which it wrote
	lost   bool   // this login may have been stored, and replaced since

	rival  string // the login against which it was probed
	works  bool   // the probe showed that the token of this login works alone
	broken bool   // the probe showed that it does not work
}

// tomb names a tombstone.
type tomb struct {
	login string
	ended int64 // in milliseconds, as it is stored
}

type loginPhase uint8

const (
	loginStart loginPhase = iota
	loginReading
	loginProbing
	loginWriting
	loginPausing
)

// Step learns how the last effect ended, and returns the next one.
func (o *Login) Step(c Rules, l *Local, ev Event) Effect {
	switch o.phase {
	case loginStart:
		o.tries = 0
		return o.read()
	case loginReading:
		if !ev.OK || o.unsure && ev.Version == o.over {
			return o.retry(c, l)
		}
		o.look(ev)
		return o.decide(c, l, ev)
	case loginProbing:
		o.rival, o.works, o.broken = o.current.Login, ev.OK, ev.Refused
		return o.decide(c, l, ev)
	case loginWriting:
		return o.written(c, l, ev)
	default: // loginPausing
		if !ev.OK {
			return o.end(c, Outcome{StoreFailed: true}, notes{})
		}
		return o.read()
	}
}

func (o *Login) read() Effect {
	o.phase = loginReading
	return Effect{Read: true}
}

func (o *Login) end(c Rules, out Outcome, n notes) Effect {
	o.phase = loginStart
	out.Record, out.Version = o.current, o.version
	return c.end(out, n)
}

// retry lets some time pass after a failure of the store, or gives up.
func (o *Login) retry(c Rules, l *Local) Effect {
	o.unsure = false
	l.blind()
	if o.tries++; o.tries >= saveTries {
		return o.end(c, Outcome{StoreFailed: true}, notes{})
	}
	o.phase = loginPausing
	return Effect{Wait: true, For: time.Duration(o.tries) * savePause}
}

// look remembers what is stored. As long as that is the login over which o was
// written, o has not been stored: no login returns.
func (o *Login) look(ev Event) {
	o.current, o.version, o.unsure = ev.Record, ev.Version, false
	o.lost = o.lost || o.Repeated || o.wrote && loginOf(ev.Record) != o.before
	if !o.seen && ev.Record != nil {
		o.tomb = ev.Record.tomb()
	}
	o.seen = true
}

// loginOf returns the login of r, or nothing if r is nil.
func loginOf(r *Record) string {
	if r == nil {
		return ""
	}
	return r.Login
}

func (r *Record) tomb() tomb {
	if r.Over != NoGrant {
		return tomb{}
	}
	return tomb{r.Login, r.Ended.UnixMilli()}
}

// precedence says which of two logins stays.
type precedence uint8

const (
	install   precedence = iota + 1 // this one
	installed                       // this one: it is stored
	yield                           // what is stored
	probe                           // the one whose access token works
)

func (o *Login) decide(c Rules, l *Local, ev Event) Effect {
	switch c.precedence(o, ev.Now) {
	case installed:
		return o.end(c, Outcome{Over: o.current.Over}, notes{Authorized: o.current.Over == ""})
	case yield:
		return o.yield(c, ev)
	case probe:
		o.phase = loginProbing
		mine, other := o.Token, o.current.Token
		return Effect{Probe: true, Token: mine.Access, Key: mine.Key, Other: other.Access, OtherKey: other.Key}
	}
	return o.install(c, l, ev)
}

// precedence decides by IDs where it can. A stored record with the ID of o
// shows that o was stored, whatever became of it since. If o were written once
// more, it would undo a logout or a renewal (G6).
//
// Two logins at once are ordered by their exchanges. If these were so close
// that the clocks of two hosts cannot show their order, and the server keeps
// one grant of a user, the API shows which tokens work. Where the server keeps
// both grants, either may stay, and the other one is revoked.
//
// A stored time in the future shows that the clock of some host is wrong, and
// orders nothing. Otherwise no login could be stored until that time has come
// (G18).
func (c Rules) precedence(o *Login, now Clock) precedence {
	r := o.current
	switch {
	case r == nil:
		return install
	case r.Login == o.ID:
		return installed
	case r.Over == NoGrant && !c.replaces(o, r, now):
		return yield
	}
	ahead := o.Exchanged.Sub(r.Exchanged)
	if c.future(r.Exchanged, now) {
		ahead = 0
	}
	switch {
	case ahead > c.Skew:
		return install
	case ahead < -c.Skew:
		return yield
	case !c.SingleGrant && r.Over == "" && o.lost:
		return yield // o may have been stored, replaced and revoked
	case !c.SingleGrant && r.Over == NoGrant && ahead < 0:
		return yield
	case !c.SingleGrant, r.Over != "" && r.Over != NoGrant:
		return install
	case o.rival != r.Login:
		return probe
	case o.broken, !o.works && ahead < 0:
		return yield
	}
	return install
}

// replaces reports whether o may replace the tombstone r. A logout that came
// while o was under way stays (G12): o replaces only a tombstone that it found
// at first, or an old one.
func (c Rules) replaces(o *Login, r *Record, now Clock) bool {
	found := o.tomb == r.tomb() && !o.Repeated
	later := r.Ended.After(o.Exchanged.Add(c.Skew)) && !c.future(r.Ended, now)
	return found && !later || r.Ended.Add(c.Skew).Before(o.Exchanged)
}

// future reports whether t can only come from a wrong clock.
func (c Rules) future(t time.Time, now Clock) bool { return t.After(now.Wall.Add(c.Skew)) }

// install writes the login. A login over an alive grant keeps its epoch. The
// tokens that it replaces are queued by the same write, also those that this
// process has not stored yet (G4).
func (o *Login) install(c Rules, l *Local, ev Event) Effect {
	base := Record{Issuer: o.Issuer, Endpoint: o.Endpoint, ClientID: o.ClientID, Subject: o.Subject}
	base.Epoch, base.Login, base.Exchanged, base.Asked, base.User = o.Epoch, o.ID, o.Exchanged, o.Asked, o.User
	if old := o.current; old != nil {
		if old.Over == "" {
			base.Epoch = old.Epoch
		}
		base.Queue = without(old.Queue, func(q revocation) bool { return c.spare(q.Since, o.Exchanged) })
		o.replace(c, &base, old.Exchanged, old.Token, ev)
	}
	o.pending = nil
	if k := l.Pending; k != nil && k.base.Login != o.ID {
		o.pending = k
		o.replace(c, &base, k.base.Exchanged, k.token, ev)
	}
	t := o.Token
	t.ID, t.Refreshed = o.ID, false
	return o.swap(c, base.took(0, t), false)
}

// replace queues tokens of a login that was exchanged at the given time.
func (o *Login) replace(c Rules, base *Record, exchanged time.Time, t Token, ev Event) {
	if !c.spare(exchanged, o.Exchanged) {
		base.Queue = base.enqueue(t, ev.Now.Wall, ev.Now.Wall)
	}
}

// yield gives way to what is stored. The tokens of this login are revoked,
// unless that would end what is stored (G4).
func (o *Login) yield(c Rules, ev Event) Effect {
	if o.current.queued(o.ID) || c.leave(o.ID, o.Exchanged, o.current) {
		return o.yielded(c)
	}
	next := *o.current
	t := o.Token
	t.ID = o.ID
	next.Queue = o.current.enqueue(t, ev.Now.Wall, ev.Now.Wall)
	return o.swap(c, &next, true)
}

func (o *Login) yielded(c Rules) Effect {
	n := notes{Late: o.current.queued(o.ID)}
	n.Superseded = !n.Late
	if o.current.Over != "" {
		return o.end(c, Outcome{Over: o.current.Over}, n)
	}
	return o.end(c, Outcome{Overtaken: true}, n)
}

func (o *Login) swap(c Rules, next *Record, yields bool) Effect {
	o.phase, o.next, o.yields = loginWriting, next, yields
	return c.swap(next, o.current, o.version)
}

func (o *Login) written(c Rules, l *Local, ev Event) Effect {
	switch {
	case ev.OK:
		o.current, o.version = o.next, ev.Version
		if o.yields {
			return o.yielded(c)
		}
		n := notes{Authorized: true}
		if o.pending.is(l.Pending) {
			n.Late = o.current.queued(o.pending.token.ID)
			n.Superseded = !n.Late
			l.Pending = nil
		}
		return o.end(c, Outcome{}, n)
	case ev.Unknown:
		o.unsure, o.over = true, o.version
		o.wrote, o.before = true, loginOf(o.current)
		return o.read()
	case ev.Conflict:
		return o.read()
	}
	return o.retry(c, l)
}
