package simulation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// judge compares what engines do with the books of the fake. It keeps the first
// violation of a run.
type judge struct {
	run *run
	log *logbook

	mu    sync.Mutex // guards the rest; never held while an engine is called
	facts map[string]*facts
	dead  []*process // that crashed
	first string     // the first violation, with the log of its user
	tally tally
}

// tally counts what happened.
type tally struct {
	calls, failed, second401           int
	refreshes, redeemed, commits       int
	logins, logouts                    int
	resent, crashes, stops             int
	diedRefused, diedInDoubt, injected int
}

// facts are what the judge knows of one user.
type facts struct {
	user     string
	pairs    []*pair            // in the order in which they were issued
	byAccess map[string]*pair   // by access token
	sends    map[string][]*send // by refresh token
	stored   stored
	shown    map[string]*pair // by process: the latest one that was handed out
	logins   []*login
	logouts  []*logout
	openings int // logins under way, so that a user does not log in twice at once
}

// pair is a pair of tokens, as the server issued it.
type pair struct {
	access, refresh string
	grant, number   int // at the fake
	at              time.Time
	holder          *process // that got it, if any
	durable         bool     // it stood in the store at some time
	tried           bool     // a write of it failed, or its outcome is not known
}

func (p *pair) String() string {
	if p == nil {
		return "nothing"
	}
	return fmt.Sprintf("pair %d.%d", p.grant, p.number)
}

// older reports whether p was issued before q, in the same grant.
func (p *pair) older(q *pair) bool { return p.grant == q.grant && p.number < q.number }

// stored is what stands in the store.
type stored struct {
	pair    *pair // nil without a grant, or if it is over
	over    string
	intent  time.Time // until when; zero without one
	by      *process  // who wrote it
	written time.Time
}

// send is one request with a refresh token.
type send struct {
	p        *process
	user     *user
	token    string
	at       time.Time
	until    time.Time // end of the intent under which it was sent
	reached  bool      // the server handled it
	answered bool      // the answer came back, whatever it said
	issued   *pair
}

type login struct {
	u      *user
	p      *process
	pair   *pair
	at     time.Time
	done   time.Time // Save returned nil
	failed bool
}

type logout struct {
	u      *user
	p      *process
	at     time.Time
	done   time.Time // Logout returned nil
	unsure bool
	grants map[int]bool // at the fake: those that it must end
}

func newJudge(r *run) *judge {
	return &judge{run: r, log: newLogbook(*follow), facts: map[string]*facts{}}
}

// of returns the facts of a user. The lock must be held.
func (j *judge) of(user string) *facts {
	f := j.facts[user]
	if f == nil {
		f = &facts{user: user, byAccess: map[string]*pair{}, sends: map[string][]*send{}, shown: map[string]*pair{}}
		j.facts[user] = f
	}
	return f
}

// violation records a broken rule. The lock must be held.
func (j *judge) violation(rule, user, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.log.add(time.Since(j.run.start), "judge", user, "VIOLATION "+rule+": "+text)
	if j.first == "" {
		j.first = fmt.Sprintf("violation: %s, %v after the start: %s\nseed %d, profile %s, length %v, %d users, processes %d, grace window %v, single grant %v\n%s",
			rule, time.Since(j.run.start), text, j.run.seed, j.run.profile.name, j.run.length, len(j.run.users), len(j.run.births), j.run.grace, j.run.single, j.log.latest(user))
	}
}

func (j *judge) say(p *process, user, format string, args ...any) {
	j.run.note(p, user, format, args...)
}

// issue enters a pair that the server has issued. The lock must be held.
func (j *judge) issue(access, refresh string) *pair {
	told := j.run.fake.Token(access)
	p := &pair{access: access, refresh: refresh, grant: told.Grant, number: told.Pair, at: time.Now()}
	f := j.of(told.User.ID)
	if known := f.byAccess[access]; known != nil { // repeated within a grace window
		return known
	}
	f.pairs = append(f.pairs, p)
	f.byAccess[access] = p
	return p
}

// sent is called when a request leaves a process.
func (j *judge) sent(p *process, form url.Values, fault string) *send {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &send{p: p, token: form.Get("refresh_token"), at: time.Now()}
	if form.Get("grant_type") != "refresh_token" {
		j.say(p, "", "sends %s, %s", form.Get("token_type_hint"), fault)
		return s
	}
	told := j.run.fake.Token(s.token)
	f := j.of(told.User.ID)
	s.user, s.until = j.user(told.User.ID), f.stored.intent
	j.tally.refreshes++
	j.say(p, f.user, "sends the refresh token of pair %d.%d %s", told.Grant, told.Pair, fault)
	j.judgeSend(f, s)
	f.sends[s.token] = append(f.sends[s.token], s)
	return s
}

// judgeSend looks at a request that leaves (G1, G3). The lock must be held.
func (j *judge) judgeSend(f *facts, s *send) {
	if f.stored.by != s.p || f.stored.intent.IsZero() || f.stored.pair == nil || f.stored.pair.refresh != s.token {
		j.violation("unannounced", f.user, "%s sends a refresh token; the store holds %v, intent until %v, by %s", s.p.name, f.stored.pair, f.stored.intent, nameOf(f.stored.by))
	}
	earlier := f.sends[s.token]
	if len(earlier) == 0 {
		return
	}
	j.tally.resent++
	last := earlier[len(earlier)-1]
	lost := 0
	for _, e := range earlier {
		if !e.answered {
			lost++
		}
	}
	if !j.run.grace && lost > 1 {
		j.violation("third-send", f.user, "the refresh token goes out though %d answers were lost", lost)
	}
	if slack := 2*j.run.profile.skew + 2*j.run.profile.step + 10*time.Second; !last.answered && last.at.Add(leaseTime-slack).After(s.at) && !last.p.is("crashed") && last.p.state == "runs" {
		j.violation("resent-early", f.user, "%s sends it %v after %s", s.p.name, s.at.Sub(last.at), last.p.name)
	}
	if last.answered && last.issued != nil && !last.p.wasTroubled(last.at) {
		j.violation("double-redemption", f.user, "%s got an answer at once, and had no trouble since; %s sends the token again", last.p.name, s.p.name)
	}
}

// handled is called when the server has answered a request.
func (j *judge) handled(s *send, status int, body []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.user == nil || status != http.StatusOK {
		return
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Access == "" {
		return
	}
	s.issued = j.issue(answer.Access, answer.Refresh)
	j.tally.redeemed++
	j.say(s.p, s.user.id, "the server issues %v", s.issued)
}

// received is called when an answer is back at the process.
func (j *judge) received(p *process, s *send, resp *http.Response) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.issued != nil {
		s.issued.holder = p
	}
	if s.user != nil {
		j.say(p, s.user.id, "gets the answer: %d, %v", resp.StatusCode, s.issued)
	}
}

func (j *judge) user(id string) *user {
	for _, u := range j.run.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

func nameOf(p *process) string {
	if p == nil {
		return "nobody"
	}
	return p.name
}

// effect is called when a write has taken effect, by whichever process.
func (j *judge) effect(p *process, key string, value []byte) {
	if !strings.HasPrefix(key, grantPrefix) || value == nil {
		return
	}
	told, err := grant.Inspect(value)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.violation("unreadable", "", "%s writes a record that cannot be read: %v", nameOf(p), err)
		return
	}
	f := j.of(told.Subject)
	j.tally.commits++
	next := stored{over: string(told.Dead), intent: told.RedeemingUntil, by: p, written: time.Now()}
	if !told.LoggedOut.IsZero() {
		next.over = "logged out"
	}
	if next.over == "" {
		next.pair = f.find(value)
		if next.pair == nil {
			j.violation("unknown-tokens", f.user, "%s stores tokens that nobody issued", nameOf(p))
			return
		}
		next.pair.durable = true
	}
	if p == nil { // rewritten by re-encryption
		next.by = f.stored.by
	}
	j.say(p, f.user, "stored: %v %s intent %v", next.pair, next.over, !next.intent.IsZero())
	j.judgeWrite(f, next)
	f.stored = next
}

// find returns the pair whose access token stands first in a record: tokens that
// are still to be revoked stand behind it.
func (f *facts) find(value []byte) *pair {
	var found *pair
	at := len(value)
	for i := len(f.pairs) - 1; i >= 0 && i >= len(f.pairs)-40; i-- {
		if k := bytes.Index(value[:at], []byte(f.pairs[i].access)); k >= 0 {
			found, at = f.pairs[i], k
		}
	}
	return found
}

// judgeWrite looks at a write that took effect (G4, G6, G7, G12). The lock must
// be held.
func (j *judge) judgeWrite(f *facts, next stored) {
	old := f.stored
	if next.pair == nil {
		if old.pair != nil && next.over == "refused" {
			j.judgeDeath(f, old)
		}
		return
	}
	if old.pair != nil && next.pair.older(old.pair) {
		j.violation("rolled-back", f.user, "%v is stored over %v", next.pair, old.pair)
	}
	if old.pair != nil && next.pair.grant < old.pair.grant && old.pair.at.Sub(next.pair.at) > j.run.profile.skew*2+35*time.Second {
		j.violation("older-login", f.user, "%v is stored over %v, which was issued %v later", next.pair, old.pair, old.pair.at.Sub(next.pair.at))
	}
	for _, out := range f.logouts {
		if out.grants[next.pair.grant] && !out.done.IsZero() {
			j.violation("revived", f.user, "%v is stored after its logout", next.pair)
		}
	}
	if old.over == "refused" && len(f.pairs) > 0 && !j.byLogin(f, next.pair) {
		j.violation("dead-revived", f.user, "%v is stored over a grant that was refused", next.pair)
	}
}

func (j *judge) byLogin(f *facts, p *pair) bool {
	for _, l := range f.logins {
		if l.pair == p {
			return true
		}
	}
	return false
}

// judgeDeath looks at a grant that is declared dead because the server refused
// it: the server must have ended it. The lock must be held.
func (j *judge) judgeDeath(f *facts, old stored) {
	j.tally.diedRefused++
	if j.run.fake.Token(old.pair.refresh).Dead == "" {
		j.violation("buried-alive", f.user, "%v is declared dead, and lives at the server", old.pair)
	}
}

// wrote is called with the outcome of a write, as the process saw it.
func (j *judge) wrote(p *process, key string, value []byte, err error) {
	if err == nil || !strings.HasPrefix(key, grantPrefix) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	told, inspectErr := grant.Inspect(value)
	if inspectErr != nil {
		return
	}
	f := j.of(told.Subject)
	if pair := f.find(value); pair != nil && !errors.Is(err, storage.ErrConflict) {
		pair.tried = true
	}
	p.trouble()
	j.say(p, f.user, "a write fails: %v", err)
}

func (j *judge) read(p *process, err error) {
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		p.trouble()
	}
}

func (j *judge) crashed(p *process) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tally.crashes++
	j.dead = append(j.dead, p)
}

func (j *judge) event(p *process, e grant.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Kind == grant.EventDied {
		if te, ok := errors.AsType[*tokensource.Error](e.Err); ok && te.Reason == tokensource.ReasonInDoubt {
			j.tally.diedInDoubt++
			j.judgeDoubt(p, j.of(e.Subject))
		}
	}
	j.say(p, e.Subject, "event: %s", e.Kind)
}

// judgeDoubt looks at a grant that was given up in doubt: its refresh token must
// have been sent, or a process that announced it must have had trouble of its
// own. The lock must be held.
func (j *judge) judgeDoubt(p *process, f *facts) {
	if j.run.grace {
		j.violation("death-in-grace", f.user, "%s gives up within a grace window", p.name)
	}
	prof := j.run.profile
	if prof.crash > 0 || prof.stop > 0 || prof.suspend > 0 || prof.store.hang > 0 {
		return // an announcement without a request is expected here
	}
	if len(f.pairs) == 0 {
		return
	}
	sends := 0
	for _, list := range f.sends {
		for _, s := range list {
			if !s.answered && time.Since(s.at) < 10*time.Minute {
				sends++
			}
		}
	}
	if sends == 0 {
		j.violation("death-unsent", f.user, "%s gives up in doubt, though no request is without an answer", p.name)
	}
}

// ask is one question of a user to a process.
type ask struct {
	u     *user
	p     *process
	at    time.Time
	known []*logout // logouts that had ended before
}

func (j *judge) asks(u *user, p *process) ask {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tally.calls++
	a := ask{u: u, p: p, at: time.Now()}
	for _, out := range j.of(u.id).logouts {
		if !out.done.IsZero() {
			a.known = append(a.known, out)
		}
	}
	return a
}

// answered looks at what a process gave its caller.
func (j *judge) answered(a ask, rejected *oauth2.Token, tok *oauth2.Token, err error, deadline time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.of(a.u.id)
	if took := time.Since(a.at); took > deadline && !a.p.wasTroubled(a.at) {
		j.violation("late", f.user, "%s answers after %v, the caller waits for %v", a.p.name, took, deadline)
	}
	switch {
	case err != nil:
		j.tally.failed++
		j.say(a.p, f.user, "fails: %v", err)
		j.judgeError(a, f, err)
	case tok == nil:
		j.violation("nothing", f.user, "%s returns neither a token nor an error", a.p.name)
	default:
		j.judgeToken(a, f, rejected, tok)
	}
}

// judgeToken looks at a token that was handed out (G2, G4, G12). The lock must
// be held.
func (j *judge) judgeToken(a ask, f *facts, rejected, tok *oauth2.Token) {
	p := f.byAccess[tok.AccessToken]
	if p == nil {
		j.violation("foreign-token", f.user, "%s hands out a token that was not issued to this user", a.p.name)
		return
	}
	if !p.durable && !p.tried {
		j.violation("not-durable", f.user, "%s hands out %v before it is stored", a.p.name, p)
	}
	if before := f.shown[a.p.name]; before != nil && p.older(before) {
		j.violation("went-back", f.user, "%s hands out %v after %v", a.p.name, p, before)
	}
	if rejected != nil {
		old := f.byAccess[rejected.AccessToken]
		if rejected.AccessToken == tok.AccessToken || old != nil && p.older(old) {
			j.violation("renewed-older", f.user, "%s hands out %v for the rejected %v", a.p.name, p, old)
		}
		if j.run.fake.Token(tok.AccessToken).Dead != "" {
			j.tally.second401++
		}
	}
	j.judgeExpired(a, f, p, tok)
	for _, out := range a.known {
		if out.grants[p.grant] && a.at.Sub(out.done) > staleBound && !a.p.wasTroubled(out.at) {
			j.violation("stale", f.user, "%s hands out %v, %v after its logout", a.p.name, p, a.at.Sub(out.done))
		}
	}
	f.shown[a.p.name] = p
}

// judgeExpired looks for a token that is handed out after its end, by the clocks
// of a process whose clocks are right (G18). The lock must be held.
func (j *judge) judgeExpired(a ask, f *facts, p *pair, tok *oauth2.Token) {
	if j.run.profile.skew > 0 || j.run.profile.step > 0 {
		return
	}
	wall, _ := a.p.now()
	if !tok.Expiry.IsZero() && wall.Sub(tok.Expiry) > time.Second && !a.p.wasTroubled(a.at) {
		j.violation("expired", f.user, "%s hands out %v, %v after its end", a.p.name, p, wall.Sub(tok.Expiry))
	}
}

// judgeError looks at an error (G6, G8). The lock must be held.
func (j *judge) judgeError(a ask, f *facts, err error) {
	e, ok := errors.AsType[*tokensource.Error](err)
	if !ok || !errors.Is(err, tokensource.ErrReauthorize) {
		return
	}
	if e.Reason == tokensource.ReasonRefused && f.stored.pair != nil && f.stored.written.Before(a.at) {
		if j.run.fake.Token(f.stored.pair.refresh).Dead == "" && f.stored.by != nil && !a.p.wasTroubled(f.stored.written) {
			j.violation("false-reauthorize", f.user, "%s says that the user must log in; %v lives", a.p.name, f.stored.pair)
		}
	}
	if e.Reason == tokensource.ReasonNoGrant && f.stored.pair != nil && a.at.Sub(f.stored.written) > staleBound && !a.p.wasTroubled(f.stored.written) {
		j.violation("no-grant", f.user, "%s knows no grant; %v is stored", a.p.name, f.stored.pair)
	}
}

// mayLogin reports whether a user who was told to log in does it: one login at a
// time, and not at once after a logout.
func (j *judge) mayLogin(u *user, c chance) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.of(u.id)
	if f.openings > 0 {
		return false
	}
	if n := len(f.logouts); n > 0 && time.Since(f.logouts[n-1].at) < c.of("stay out").between(0, 20*time.Minute) {
		return false
	}
	return true
}

func (j *judge) exchanged(u *user, p *process, access, refresh string) *login {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.of(u.id)
	f.openings++
	j.tally.logins++
	l := &login{u: u, p: p, pair: j.issue(access, refresh), at: time.Now()}
	l.pair.holder = p
	f.logins = append(f.logins, l)
	j.say(p, u.id, "exchanges a code for %v", l.pair)
	return l
}

func (j *judge) saved(l *login, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.of(l.u.id).openings--
	if err != nil {
		l.failed = true
		j.say(l.p, l.u.id, "Save of %v: %v", l.pair, err)
		return
	}
	l.done = time.Now()
	j.say(l.p, l.u.id, "has saved %v", l.pair)
}

func (j *judge) logsOut(u *user, p *process) *logout {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.of(u.id)
	out := &logout{u: u, p: p, at: time.Now(), grants: map[int]bool{}}
	if f.stored.pair != nil {
		out.grants[f.stored.pair.grant] = true
	}
	f.logouts = append(f.logouts, out)
	j.tally.logouts++
	j.say(p, u.id, "logs out")
	return out
}

func (j *judge) loggedOut(out *logout, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.of(out.u.id)
	if err != nil {
		out.unsure = true
		j.say(out.p, f.user, "Logout: %v", err)
		return
	}
	for g := range out.grants { // a login that was stored meanwhile is not concerned
		for _, l := range f.logins {
			if l.pair.grant == g && l.done.After(out.at) {
				delete(out.grants, g)
			}
		}
	}
	out.done = time.Now()
	j.say(out.p, f.user, "has logged out")
}
