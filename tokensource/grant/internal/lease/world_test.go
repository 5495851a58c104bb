package lease_test

import (
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// model is one state of the model: one grant, the processes that share it,
// their store, the server, and what the judges remember.
type model struct {
	// What may still happen.
	faults, expiries, logins, logouts byte

	// The store.
	record      *lease.Record
	version     uint64 // of record; 0 if there is none
	lastVersion uint64
	away        bool // nobody reaches the store
	late        struct {
		on     bool
		record *lease.Record
		over   uint64
	} // a write whose answer was lost, and that may still take effect

	// The index of due work, as far as this grant goes.
	listed bool
	due    time.Time

	// The server.
	pairs     [maxPairs]pair
	issued    byte
	books     [maxLogins]book
	exchanged byte
	down      bool   // the revocation endpoint fails
	kept      string // the access token of a login whose process crashed, and that may be repeated
	message   message

	n     int // processes
	procs [maxProcs]member

	beyond bool  // a clock is wrong by more than the skew
	now    int64 // ticks since origin
	ids    byte
	names  byte
}

// pair is an access token with its refresh token.
type pair struct {
	facts facts
	login byte
	sent  byte // how often the refresh token may have reached the server
	next  byte // the pair for which it was redeemed, plus 1; with a grace window
}

// facts about a pair, for the server and for the judges.
type facts uint32

const (
	used     facts = 1 << iota // the refresh token was redeemed
	dead                       // the access token was revoked or replaced
	expired                    // the access token has expired
	got                        // a process got the pair
	forgiven                   // the process crashed, or told that it gave up
	saved                      // the pair was stored
	tried                      // the store failed to take it
	rejected                   // an API rejected the access token, though it was good

	crashed // what happened to a process that was at work on the refresh token
	stopped
	wasCut
	storeAway
	heldUp
	stepped
)

// doubtful are the causes that justify a doubt about a refresh token.
const doubtful = crashed | stopped | wasCut | storeAway | heldUp | stepped

// excused are those of them that excuse a running process whose tokens are not
// stored in time.
const excused = doubtful &^ storeAway

// book is what the server knows of the grant of one login.
type book struct {
	alive bool
	ended bool      // a logout of this login, or of a later one, was stored
	at    time.Time // of the exchange, by the clock of the process
}

// message is a request to the token endpoint that does not pass at once.
type message struct {
	phase  phase
	from   string // the process; empty if it crashed
	token  string
	result lease.Result // of the answer
	access string       // of the answer
}

type phase byte

const (
	request phase = iota + 1
	answer
)

type state byte

const (
	running state = iota
	stopping
	suspended // its monotonic clock stands still
)

// member is one process with a copy of the engine.
type member struct {
	name  string
	known string // the access token that it hands out
	holds string // the refresh token for which it holds tokens that are not stored
	wall  int8   // by how many ticks its clock is wrong
	mono  int64  // ticks since monoOrigin
	state state
	cut   bool // it does not reach the store
	tired bool // an attempt failed, and it waits for the next tick
	local lease.Local
	ops   [4]*slot
}

const (
	opRenewal = iota
	opChore
	opLogin
	opLogout
)

// kind is one of them.
type kind byte

func (k kind) String() string { return [...]string{"renewal", "chore", "login", "logout"}[k] }

type operation interface {
	Step(lease.Rules, *lease.Local, lease.Event) lease.Effect
}

// slot is an operation under way.
type slot struct {
	machine  operation
	effect   effect
	answer   *lease.Event // the effect has ended, and the process was stopped
	left     int8         // ticks that a wait lasts
	nap      bool         // the wait is shorter than a tick
	flying   bool         // the request is in the network
	enlisted bool         // effect.Due stands in the index
	byIndex  bool         // a chore that the index caused
	fresh    bool         // and the entry was not changed since
	parked   bool         // a login that the store refused, and that may be repeated
	saw      byte         // the login that a logout found, plus 1
}

// effect is the part of [lease.Effect] that an operation waits for.
type effect struct {
	Do       lease.Do
	Record   *lease.Record
	Version  uint64
	Due      time.Time
	Announce bool
	Token    string
	Other    string
	Refresh  bool
	By       lease.Clock
	Poll     bool
}

func (s *slot) clone() *slot {
	c := *s
	switch m := s.machine.(type) {
	case *lease.Renewal:
		n := *m
		c.machine = &n
	case *lease.Chore:
		n := *m
		c.machine = &n
	case *lease.Login:
		n := *m
		c.machine = &n
	case *lease.Logout:
		n := *m
		c.machine = &n
	}
	return &c
}

func (w *model) clock(p int) lease.Clock {
	return lease.Clock{
		Wall: origin.Add(time.Duration(w.now+int64(w.procs[p].wall)) * tick),
		Mono: monoOrigin + time.Duration(w.procs[p].mono)*tick,
	}
}

// ahead returns by how many ticks the fastest clock is ahead.
func (w *model) ahead() int64 {
	n := int64(0)
	for i := range w.procs[:w.n] {
		n = max(n, int64(w.procs[i].wall))
	}
	return n
}

func (w *model) reaches(p int) bool { return !w.away && !w.procs[p].cut }

func (p *member) busy() bool {
	return p.ops != [4]*slot{} || p.local.Pending != nil || p.local.Undo != nil
}

func (w *model) busy() bool {
	for i := range w.procs[:w.n] {
		if w.procs[i].busy() {
			return true
		}
	}
	return false
}

// pair returns the pair to which a token belongs.
func (w *model) pair(token string) *pair {
	switch k := code(token); {
	case k >= codeRefresh && k < codeLogin:
		return &w.pairs[k-codeRefresh]
	case k >= codeAccess && k < codeRefresh:
		return &w.pairs[k-codeAccess]
	}
	return nil
}

// good reports whether the API accepts an access token.
func (w *model) good(access string) bool {
	p := w.pair(access)
	return p != nil && p.facts&(dead|expired) == 0 && w.books[p.login].alive
}

// live reports whether the server accepts a refresh token.
func (w *model) live(refresh string) bool {
	p := w.pair(refresh)
	return p != nil && p.facts&used == 0 && w.books[p.login].alive
}

// expiry is when an access token expires. The token that a record had before it
// was over has expired.
func (w *model) expiry(access string) time.Time {
	if p := w.pair(access); p == nil || p.facts&expired != 0 {
		return origin.Add(-1000 * time.Hour)
	}
	return origin.Add(1000 * time.Hour)
}

// key returns the name of the key to which a token is bound. Each login has a
// key of its own.
func (w *model) key(token string) string {
	p := w.pair(token)
	if p == nil {
		return ""
	}
	return texts[codeLogin+p.login]
}

// issue makes a new pair. It returns its access token.
func (w *model) issue(login byte) string {
	w.pairs[w.issued] = pair{login: login}
	w.issued++
	return texts[codeAccess+w.issued-1]
}

// refreshOf returns the refresh token of the pair of an access token.
func refreshOf(access string) string { return texts[code(access)-codeAccess+codeRefresh] }
func accessOf(refresh string) string { return texts[code(refresh)-codeRefresh+codeAccess] }

// exchange is a login at the server.
func (w *model) exchange(c *config, p int) (login byte, access string) {
	login = w.exchanged
	if c.single {
		for i := range w.books[:login] {
			w.books[i].alive = false
		}
	}
	w.books[login] = book{alive: true, at: w.clock(p).Wall}
	w.exchanged++
	access = w.issue(login)
	w.pair(access).facts |= got
	return login, access
}

// refresh is a redemption at the server.
func (w *model) refresh(c *config, token string) (lease.Result, string) {
	p := w.pair(token)
	switch {
	case !w.books[p.login].alive:
		return lease.Refused, ""
	case p.facts&used == 0:
	case c.grace && p.next != 0 && w.pairs[p.next-1].facts&used == 0:
		return lease.OK, texts[codeAccess+p.next-1] // the same answer once more
	default:
		w.books[p.login].alive = false // reuse ends the family
		return lease.Refused, ""
	}
	p.facts |= used | dead
	access := w.issue(p.login)
	if c.grace {
		p.next = w.issued
	}
	return lease.OK, access
}

// revoke is a revocation at the server.
func (w *model) revoke(c *config, token string) {
	p := w.pair(token)
	switch {
	case c.revokesAll:
		for i := range w.books {
			w.books[i].alive = false
		}
	case code(token) < codeRefresh:
		p.facts |= dead
	case c.deaf && p.facts&used != 0:
	default:
		w.books[p.login].alive = false
	}
}

// write changes the stored record.
func (w *model) write(r *lease.Record) {
	w.record, w.version = r, 0
	if r != nil {
		w.lastVersion++
		w.version = w.lastVersion
	}
	if w.late.on && w.late.over != 0 && w.late.over != w.version {
		w.late.on, w.late.record = false, nil // it can never take effect
	}
}

// enlist writes the index of due work. By no clock is the entry due before the
// next tick, so that the record is written before anybody looks.
func (w *model) enlist(c *config, p int, due time.Time) {
	soon := w.clock(p).Wall.Add(time.Duration(c.skew+1) * tick)
	if due.Before(soon) {
		due = soon
	}
	w.listed, w.due = true, due
	w.touched()
}

// lateDue reports whether a write that needs the index is under way. The entry
// is not due before that write has arrived or is lost.
func (w *model) lateDue() bool {
	r := w.late.record
	return r != nil && (len(r.Queue) > 0 || r.Over == lease.NoGrant)
}

// touched ends the claim of every chore that the entry was not changed.
func (w *model) touched() {
	for i := range w.procs[:w.n] {
		if s := w.procs[i].ops[opChore]; s != nil && s.fresh {
			s = s.clone()
			s.fresh = false
			w.procs[i].ops[opChore] = s
		}
	}
}

// blame notes what happened to a process that is at work on a refresh token.
func (w *model) blame(p int, f facts) {
	pr := &w.procs[p]
	mark := func(r *lease.Record) {
		if r != nil {
			if q := w.pair(r.Token.Refresh); q != nil {
				q.facts |= f
			}
		}
	}
	busy := pr.local.Pending != nil || pr.local.Undo != nil || w.record != nil && w.record.Intent.Holder == pr.name
	if s := pr.ops[opRenewal]; s != nil {
		switch {
		case s.effect.Do == lease.Redeem:
			w.pair(s.effect.Token).facts |= f
			busy = true
		case s.effect.Do == lease.Swap && s.effect.Announce, s.answer != nil, pr.holds != "":
			busy = true
		}
		mark(s.effect.Record)
	}
	if q := w.pair(pr.holds); q != nil {
		q.facts |= f
	}
	if w.late.on && w.late.record != nil && w.late.record.Intent.Holder == pr.name {
		mark(w.late.record)
		busy = true
	}
	if busy {
		mark(w.record)
	}
}
