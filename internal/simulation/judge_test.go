package simulation_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// judge compares what engines do with the books of the fake. It keeps the first
// violation of a run.
type judge struct {
	run    *run
	log    *logbook
	counts *counts

	mu      sync.Mutex                   // guards the rest; never held while an engine is called
	byUser  map[string]*facts            // never changes
	byKey   map[string]*facts            // by storage key; never changes
	intents map[storage.Version]*attempt // that stand in records
	dead    []*process                   // that crashed
	first   string                       // the first violation, with the log of its user
}

// facts are what the judge knows of one user.
type facts struct {
	user, key string
	pairs     []*pair            // in the order in which they were issued
	byAccess  map[string]*pair   // by access token
	sends     map[string][]*send // by refresh token
	pauses    map[string]time.Time
	stored    stored
	attempts  []*attempt
	shown     map[*process]shown
	notified  map[*process]stored    // what stood in the store when it was last notified
	putting   map[*process]time.Time // when its latest write began
	logins    []*login
	logouts   []*logout
	openings  int // logins under way, so that a user does not log in twice at once
}

// pair is a pair of tokens, as the server issued it.
type pair struct {
	access, refresh string
	grant, number   int // at the fake
	at              time.Time
	holders         []*process // that got it; a server with a grace window gives it to several
	durable         bool       // it stood in the store at some time
	tried           bool       // a write of it failed, or its outcome is not known
	received        time.Time  // when its answer was last back at a process
	rejected        bool       // the API rejected it
}

func (p *pair) String() string {
	if p == nil {
		return "nothing"
	}
	return fmt.Sprintf("pair %d.%d", p.grant, p.number)
}

// older reports whether p was issued before q, in the same grant.
func (p *pair) older(q *pair) bool { return p.grant == q.grant && p.number < q.number }

// shown is what a process handed out or wrote last, and when.
type shown struct {
	pair *pair
	at   time.Time
}

// stored is what stands in the store.
type stored struct {
	pair    *pair // nil without a grant, or if it is over
	over    string
	attempt *attempt // whose intent stands there; nil without one
	doubts  uint64
	queued  int
	by      *process // that wrote it
	written time.Time
}

// attempt is one attempt to redeem a refresh token: an intent that was stored.
type attempt struct {
	p            *process
	pair         *pair
	since, until time.Time // as the intent says
	doubts       uint64    // as the record says beside the intent
	began        time.Time // when the write of the intent began
	sent         *send     // nil while nothing was sent, and after a challenge
	challenged   bool      // the one repetition that a challenge allows has been used
	seen         map[*process]time.Time
}

// see notes that a process has read the intent.
func (a *attempt) see(p *process) {
	if a.seen == nil {
		a.seen = map[*process]time.Time{}
	}
	a.seen[p] = time.Now()
}

func newJudge(r *run, log *logbook) *judge {
	j := &judge{
		run: r, log: log, counts: newCounts(),
		byUser: map[string]*facts{}, byKey: map[string]*facts{}, intents: map[storage.Version]*attempt{},
	}
	issuer := r.fake.Provider("").Authority()
	for _, u := range r.users {
		key, err := grant.Key(context.Background(), r.memory, issuer, registration().ClientID, u.id)
		if err != nil {
			r.t.Fatal(err)
		}
		f := &facts{
			user: u.id, key: key, byAccess: map[string]*pair{}, sends: map[string][]*send{}, pauses: map[string]time.Time{},
			shown: map[*process]shown{}, notified: map[*process]stored{}, putting: map[*process]time.Time{},
		}
		j.byUser[u.id], j.byKey[key] = f, f
	}
	return j
}

// violation records a broken rule. The lock must be held.
func (j *judge) violation(rule string, f *facts, format string, args ...any) {
	r, user := j.run, ""
	if f != nil {
		user = f.user
	}
	text := fmt.Sprintf(format, args...)
	r.note(nil, user, "VIOLATION %s: %s", rule, text)
	if j.first != "" {
		return
	}
	j.first = fmt.Sprintf("violation: %s, %v after the start: %s\n"+
		"seed %d, profile %s, length %v, %d users, %d processes, grace window %v, single grant %v\n%s",
		rule, time.Since(r.start), text,
		r.seed, r.profile.name, r.length, len(r.users), len(r.births), r.grace, r.single, j.log.latest(user))
}

// say writes a line into the log.
func (j *judge) say(p *process, f *facts, format string, args ...any) {
	user := ""
	if f != nil {
		user = f.user
	}
	j.run.note(p, user, format, args...)
}

// issue enters a pair that the server has issued. The lock must be held.
func (j *judge) issue(access, refresh string) *pair {
	told := j.run.fake.Token(access)
	f := j.byUser[told.User.ID]
	if known := f.byAccess[access]; known != nil { // repeated within a grace window
		return known
	}
	p := &pair{access: access, refresh: refresh, grant: told.Grant, number: told.Pair, at: time.Now()}
	f.pairs = append(f.pairs, p)
	f.byAccess[access] = p
	return p
}

// lives reports whether the server still accepts the refresh token of a pair.
func (j *judge) lives(p *pair) bool { return j.run.fake.Token(p.refresh).Dead == "" }

// ended returns why the server has ended the grant of a pair. It returns an
// empty reason if the grant lives.
func (j *judge) ended(f *facts, p *pair) oauthtest.Reason {
	newest := p
	for _, other := range f.pairs {
		if newest.older(other) {
			newest = other
		}
	}
	return j.run.fake.Token(newest.refresh).Dead
}

// find returns the pair whose access token stands first in a record: tokens
// that are still to be revoked stand behind it.
func (f *facts) find(value []byte) *pair {
	var found *pair
	at := len(value)
	look := func(p *pair) {
		if k := bytes.Index(value[:at], []byte(p.access)); k >= 0 {
			found, at = p, k
		}
	}
	for i := len(f.pairs) - 1; i >= 0 && i >= len(f.pairs)-40; i-- {
		look(f.pairs[i])
	}
	if f.stored.pair != nil {
		look(f.stored.pair)
	}
	return found
}

// crashed is called when a process has crashed.
func (j *judge) crashed(p *process) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead = append(j.dead, p)
}

// event is called with what an engine reports.
func (j *judge) event(p *process, e tokensource.Event) {
	j.counts.add("event "+string(e.Kind), 1)
	j.say(p, j.byUser[e.Subject], "event: %s", e.Kind)
}
