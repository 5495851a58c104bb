package simulation_test

import (
	"errors"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// login is one login of a user.
type login struct {
	p      *process
	pair   *pair
	at     time.Time // of the exchange
	done   time.Time // when Save returned nil
	failed bool
}

// logout is one logout of a user.
type logout struct {
	p      *process
	at     time.Time
	done   time.Time    // when Logout returned nil
	grants map[int]bool // at the fake: those that it must end
}

// loginOf returns the login whose tokens a pair is, or nil.
func (f *facts) loginOf(p *pair) *login {
	if l := f.loginOfGrant(p.grant); l != nil && l.pair == p {
		return l
	}
	return nil
}

// loginOfGrant returns the login that began a grant, or nil.
func (f *facts) loginOfGrant(number int) *login {
	for i := len(f.logins) - 1; i >= 0; i-- {
		if f.logins[i].pair.grant == number {
			return f.logins[i]
		}
	}
	return nil
}

// mayLogin reports whether a user who was told to log in does it: one login at
// a time, and not at once after a logout.
func (j *judge) mayLogin(u *user, c chance) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[u.id]
	if f.openings > 0 {
		return false
	}
	n := len(f.logouts)
	return n == 0 || time.Since(f.logouts[n-1].at) >= c.of("stay out").between(0, 20*time.Minute)
}

// exchanged is called when a process has got the tokens of a login.
func (j *judge) exchanged(u *user, p *process, access, refresh string) *login {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[u.id]
	f.openings++
	l := &login{p: p, pair: j.issue(access, refresh), at: time.Now()}
	l.pair.holders = []*process{p}
	j.counts.add("logins", 1)
	if n := len(f.logins); n > 0 && l.at.Sub(f.logins[n-1].at) < clockSkew {
		j.counts.add("logins at nearly the same time", 1)
	}
	f.logins = append(f.logins, l)
	j.say(p, f, "exchanges a code for %v", l.pair)
	return l
}

// saved is called when Save has returned.
func (j *judge) saved(u *user, l *login, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[u.id]
	f.openings--
	if err != nil {
		l.failed = true
		j.say(l.p, f, "Save of %v: %v", l.pair, err)
		j.judgeUnsaved(f, l, err)
		return
	}
	l.done = time.Now()
	j.say(l.p, f, "has saved %v", l.pair)
	j.judgeSaved(f, l)
}

// judgeSaved looks at a login that Save has accepted: it stands in the store,
// unless a later login or logout has replaced it (G6). The lock must be held.
func (j *judge) judgeSaved(f *facts, l *login) {
	if !j.run.profile.clocksAgree() {
		return
	}
	if !l.pair.durable && !f.rival(l) && !f.loggedOutSince(l.at) {
		j.violation("login-lost", f, "Save of %v returned nil, and it was never stored; the store holds %v %s", l.pair, f.stored.pair, f.stored.over)
	}
	now := f.stored.pair
	if now == nil || now.grant == l.pair.grant || !j.lives(l.pair) || j.run.fake.Token(l.pair.access).Dead != "" {
		return // without a token that works, no probe shows which login lives
	}
	if j.run.fake.Token(now.refresh).Dead == oauthtest.Replaced {
		j.violation("wrong-login", f, "%v lives and was saved; the store holds %v, which it has replaced", l.pair, now)
	}
}

// judgeUnsaved looks at a login that Save has refused in a time without faults.
// The lock must be held.
func (j *judge) judgeUnsaved(f *facts, l *login, err error) {
	if l.at.Before(j.run.faulty.Add(settled)) || errors.Is(err, errCrashed) || f.rival(l) || f.loggedOutSince(l.at.Add(-clockSkew)) {
		return
	}
	j.violation("login-refused", f, "%s does not save %v: %v", l.p.name, l.pair, err)
}

// rival reports whether another login was exchanged at nearly the same time, or
// later.
func (f *facts) rival(l *login) bool {
	for _, other := range f.logins {
		if other != l && other.at.After(l.at.Add(-2*clockSkew-time.Second)) {
			return true
		}
	}
	return false
}

// loggedOutSince reports whether a logout ended after a moment, or never did.
func (f *facts) loggedOutSince(t time.Time) bool {
	for _, out := range f.logouts {
		if out.done.IsZero() || out.done.After(t) {
			return true
		}
	}
	return false
}

// logsOut is called when a user logs out.
func (j *judge) logsOut(u *user, p *process) *logout {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[u.id]
	out := &logout{p: p, at: time.Now(), grants: map[int]bool{}}
	if f.stored.pair != nil {
		out.grants[f.stored.pair.grant] = true
	}
	f.logouts = append(f.logouts, out)
	j.counts.add("logouts", 1)
	j.say(p, f, "logs out")
	return out
}

// loggedOut is called when Logout has returned.
func (j *judge) loggedOut(u *user, out *logout, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[u.id]
	if err != nil {
		j.say(out.p, f, "Logout: %v", err)
		return
	}
	for g := range out.grants { // a login that was stored meanwhile is not concerned
		if l := f.loginOfGrant(g); l != nil && (l.done.IsZero() || l.done.After(out.at)) {
			delete(out.grants, g)
		}
	}
	out.done = time.Now()
	j.say(out.p, f, "has logged out")
	if p := f.stored.pair; p != nil && out.grants[p.grant] {
		j.violation("logout-lost", f, "Logout returned nil, and the store holds %v", p)
	}
}
