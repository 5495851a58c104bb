package lease_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// machine is an operation on a grant.
type machine interface {
	Step(lease.Rules, *lease.Local, lease.Event) lease.Effect
}

// world is a store with one record, an authorization server and the true time.
type world struct {
	t       *testing.T
	now     time.Duration // since start
	stored  []byte        // nil if nothing is stored
	version uint64
	last    uint64 // the last version that was given out
	ids     int
	server
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newWorld(t *testing.T) *world {
	return &world{t: t, server: server{access: map[string]int{}, refresh: map[string]int{}, used: map[string]bool{}}}
}

// server rotates refresh tokens. A token that is used twice ends its grant.
type server struct {
	grants  int
	sets    int
	sent    []string       // the refresh tokens that arrived
	access  map[string]int // live access tokens, with their grants
	refresh map[string]int
	used    map[string]bool
	dead    []int // grants that ended because of reuse
	stuck   bool  // revocations fail
}

// authorize issues the tokens of a new grant.
func (s *server) authorize(at time.Time) lease.Token {
	s.grants++
	return s.issue(s.grants, at)
}

func (s *server) issue(grant int, at time.Time) lease.Token {
	s.sets++
	t := lease.Token{
		Access: fmt.Sprint("a", s.sets), Type: "Bearer", Refresh: fmt.Sprint("r", s.sets), Scope: "read",
		Obtained: at, Expiry: at.Add(time.Hour),
	}
	s.access[t.Access], s.refresh[t.Refresh] = grant, grant
	return t
}

func (s *server) redeem(refresh string, at time.Time) (lease.Token, bool) {
	s.sent = append(s.sent, refresh)
	grant, live := s.refresh[refresh]
	if s.used[refresh] {
		s.end(grant)
		s.dead = append(s.dead, grant)
		return lease.Token{}, false
	}
	if !live {
		return lease.Token{}, false
	}
	s.used[refresh] = true
	return s.issue(grant, at), true
}

func (s *server) end(grant int) {
	for _, live := range []map[string]int{s.access, s.refresh} {
		for token, g := range live {
			if g == grant {
				delete(live, token)
			}
		}
	}
}

// live counts the access tokens and the unused refresh tokens that work.
func (s *server) live() int {
	n := len(s.access)
	for r := range s.refresh {
		if !s.used[r] {
			n++
		}
	}
	return n
}

// process is one process. Its clocks may differ from the true time.
type process struct {
	*world
	rules lease.Rules
	local lease.Local
	skew  time.Duration // of the wall clock
}

func (w *world) process(name string) *process {
	return &process{world: w, rules: lease.Rules{
		Self: name, Lease: time.Minute, Margin: 10 * time.Second, Skew: 30 * time.Second, Quiet: 5 * time.Second,
		Spacing: 10 * time.Second, Resends: 1,
		Hold: time.Hour, FirstPause: 10 * time.Second, LastPause: time.Hour, GiveUp: 7 * 24 * time.Hour, Keep: 24 * time.Hour,
	}}
}

func (p *process) clock() lease.Clock {
	return lease.Clock{Wall: start.Add(p.now + p.skew), Mono: p.now}
}

func (p *process) wall() time.Time { return p.clock().Wall }

// op is an operation under way: effect is what is to be done next.
type op struct {
	*process
	machine
	effect lease.Effect
	notes  []lease.Notes
}

func (p *process) begin(m machine) *op {
	o := &op{process: p, machine: m}
	return o.step(lease.Event{})
}

// step answers the effect.
func (o *op) step(ev lease.Event) *op {
	o.t.Helper()
	o.ids++
	ev.Now, ev.ID = o.clock(), fmt.Sprint("id", o.ids)
	o.effect = o.Step(o.rules, &o.local, ev)
	o.notes = append(o.notes, o.effect.Notes())
	return o
}

// answer answers the effect with a result, though nothing was done.
func (o *op) answer(r lease.Result) *op { return o.step(r.With(lease.Event{})) }

// do carries out the effect.
func (o *op) do() *op {
	o.t.Helper()
	return o.step(o.perform())
}

// perform carries out the effect, and returns how it ended.
func (o *op) perform() lease.Event {
	o.t.Helper()
	switch e := o.effect; e.Do() {
	case lease.Read:
		return o.read()
	case lease.Swap:
		return o.swap(e)
	case lease.Redeem:
		if t, ok := o.redeem(e.Token, o.wall()); ok {
			return lease.Event{OK: true, Token: t}
		}
		return lease.Event{Refused: true, Code: "invalid_grant"}
	case lease.Revoke:
		if o.stuck {
			return lease.Event{}
		}
		delete(o.access, e.Token)
		delete(o.refresh, e.Token)
		return lease.Event{OK: true}
	case lease.Probe:
		return o.probe(e.Token, e.Other).With(lease.Event{})
	case lease.Wait:
		o.now += e.For
		return lease.Event{OK: true}
	}
	o.t.Fatalf("effect %d cannot be carried out", o.effect.Do())
	return lease.Event{}
}

func (w *world) probe(mine, other string) lease.Result {
	_, a := w.access[mine]
	_, b := w.access[other]
	switch {
	case a && !b:
		return lease.OK
	case !a:
		return lease.Refused
	}
	return lease.Unknown
}

func (w *world) read() lease.Event {
	w.t.Helper()
	if w.stored == nil {
		return lease.Event{OK: true}
	}
	return lease.Event{OK: true, Record: w.record(), Version: w.version}
}

func (w *world) record() *lease.Record {
	w.t.Helper()
	r, err := lease.Decode(w.stored)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) swap(e lease.Effect) lease.Event {
	if e.Version != w.version {
		return lease.Event{Conflict: true}
	}
	if e.Record == nil {
		w.stored, w.version = nil, 0
		return lease.Event{OK: true}
	}
	w.last++
	w.stored, w.version = e.Record.Encode(), w.last
	return lease.Event{OK: true, Version: w.version}
}

// until carries out effects until one of the given kind is next.
func (o *op) until(do lease.Do) *op {
	o.t.Helper()
	for range 1000 {
		if o.effect.Do() == do {
			return o
		}
		o.do()
	}
	o.t.Fatalf("no effect %d", do)
	return o
}

// run carries out the operation to its end.
func (o *op) run() lease.Outcome {
	o.t.Helper()
	return o.until(lease.Return).effect.Outcome
}

// fail lets the store fail until the operation returns.
func (o *op) fail() lease.Outcome {
	o.t.Helper()
	for range 1000 {
		switch o.effect.Do() {
		case lease.Return:
			return o.effect.Outcome
		case lease.Read, lease.Swap:
			o.answer(lease.Failed)
		default:
			o.do()
		}
	}
	o.t.Fatal("the operation does not end")
	return lease.Outcome{}
}

// noted counts the steps whose notes f selects.
func (o *op) noted(f func(lease.Notes) bool) int {
	n := 0
	for _, notes := range o.notes {
		if f(notes) {
			n++
		}
	}
	return n
}

func (p *process) login() *lease.Login {
	p.ids++
	return &lease.Login{
		Issuer: "https://as.example", ClientID: "client", Subject: "alice",
		ID: fmt.Sprint("login", p.ids), Epoch: fmt.Sprint("epoch", p.ids), Exchanged: p.wall(), Token: p.authorize(p.wall()),
	}
}

// loggedIn stores a login.
func (p *process) loggedIn() lease.Token {
	p.t.Helper()
	m := p.login()
	if out := p.begin(m).run(); out.Reason() != "" {
		p.t.Fatalf("login: %s", out.Reason())
	}
	return m.Token
}

// renew runs a Renewal after a rejection of the stored token.
func (p *process) renewal() *lease.Renewal { return &lease.Renewal{Rejected: p.record().Token.Access} }

// settle runs Chores until nothing is left to do within a week.
func (p *process) settle() {
	p.t.Helper()
	for range 100 {
		out := p.begin(&lease.Chore{}).run()
		if out.Due.IsZero() {
			return
		}
		p.now += max(0, out.Due.Sub(p.wall()))
	}
	p.t.Fatal("the chores do not end")
}

// wantHeld checks that the record holds a refresh token that the server
// accepts.
func (w *world) wantHeld() {
	w.t.Helper()
	r := w.record()
	if _, live := w.refresh[r.Token.Refresh]; r.Over != "" || !live || w.used[r.Token.Refresh] {
		w.t.Errorf("the record holds %q (over: %q), which the server does not accept", r.Token.Refresh, r.Over)
	}
}
