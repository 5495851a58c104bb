package simulation_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// settled is how long after the last fault every call must succeed again.
const settled = 3 * time.Minute

// ask is one question of a user to a process.
type ask struct {
	u        *user
	p        *process
	at       time.Time
	rejected *pair     // for Renew; otherwise nil
	known    []*logout // that had ended before
}

func (j *judge) asks(u *user, p *process, rejected *oauth2.Token) ask {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts.add("calls", 1)
	f := j.byUser[u.id]
	a := ask{u: u, p: p, at: time.Now()}
	if rejected != nil {
		if a.rejected = f.byAccess[rejected.AccessToken]; a.rejected != nil {
			a.rejected.rejected = true
		}
	}
	for _, out := range f.logouts {
		if !out.done.IsZero() {
			a.known = append(a.known, out)
		}
	}
	return a
}

// answered looks at what a process gave its caller.
func (j *judge) answered(a ask, tok *oauth2.Token, err error, deadline time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.byUser[a.u.id]
	if took := time.Since(a.at); took > deadline && !a.p.haltedSince(a.at) {
		j.violation("late", f, "%s answers after %v, the caller waits for %v", a.p.name, took, deadline)
	}
	switch {
	case err != nil:
		j.counts.add("calls that failed", 1)
		j.say(a.p, f, "fails: %v", err)
		j.judgeError(a, f, err, deadline)
	case tok == nil:
		j.violation("nothing", f, "%s returns neither a token nor an error", a.p.name)
	default:
		j.judgeToken(a, f, tok)
	}
}

// judgeToken looks at a token that was handed out (G2, G4, G12, G18). The lock
// must be held.
func (j *judge) judgeToken(a ask, f *facts, tok *oauth2.Token) {
	p := f.byAccess[tok.AccessToken]
	if p == nil {
		j.violation("foreign-token", f, "%s hands out a token that was not issued to this user", a.p.name)
		return
	}
	before := f.shown[a.p]
	f.shown[a.p] = shown{p, time.Now()}
	if before.pair != p {
		j.say(a.p, f, "hands out %v", p)
	}
	if before.pair != nil && p.older(before.pair) && before.at.Before(a.at) && !a.p.haltedSince(before.at) {
		j.violation("went-back", f, "%s hands out %v, %v after %v", a.p.name, p, time.Since(before.at), before.pair)
	}
	if old := a.rejected; old != nil && (p == old || p.older(old)) {
		j.violation("renewed-older", f, "%s hands out %v for the rejected %v", a.p.name, p, old)
	}
	if a.rejected != nil && j.run.fake.Token(tok.AccessToken).Dead != "" {
		j.counts.add("replays that were rejected", 1)
	}
	j.judgeUnsavedToken(a, f, p)
	j.judgeStale(a, f, p)
	j.judgeExpired(a, f, p, tok)
}

// judgeUnsavedToken looks at a token that does not stand in the store (G4).
// Only the process that got it may hand it out, and only if the store has
// failed. The lock must be held.
func (j *judge) judgeUnsavedToken(a ask, f *facts, p *pair) {
	switch {
	case p.durable:
	case !p.tried || !slices.Contains(p.holders, a.p):
		j.violation("not-durable", f, "%s hands out %v before it is stored", a.p.name, p)
	default:
		j.counts.add("tokens served that the store has not taken", 1)
		if !a.p.haltedSince(a.at.Add(-retryTime)) && !a.p.disturbedSince(f.key, a.at.Add(-retryTime)) {
			j.violation("unsaved", f, "%s still serves %v from memory, and the store works", a.p.name, p)
		}
	}
}

// judgeStale looks for a token that the process should know to be out of date
// (G12). The lock must be held.
func (j *judge) judgeStale(a ask, f *facts, p *pair) {
	since := a.at.Add(-recheckTime - time.Second)
	for _, out := range a.known {
		if out.grants[p.grant] && out.done.Before(since) && !a.p.haltedSince(since) && !a.p.disturbedSince(f.key, since) {
			j.violation("stale", f, "%s hands out %v, %v after its logout", a.p.name, p, a.at.Sub(out.done))
		}
		if out.grants[p.grant] && out.p == a.p && !a.p.haltedSince(a.at) {
			j.violation("stale-own", f, "%s hands out %v, which it has logged out itself", a.p.name, p)
		}
	}
	// A process that was notified knows at once.
	seen, ok := f.notified[a.p]
	if !ok || !seen.written.Before(a.at) || a.p.haltedSince(seen.written) || a.p.disturbedSince(f.key, seen.written.Add(-storeTime)) {
		return
	}
	switch {
	case seen.pair != nil && (p.older(seen.pair) || p.grant < seen.pair.grant && p != f.stored.pair):
		j.violation("stale-notified", f, "%s hands out %v, %v after it was notified of %v", a.p.name, p, a.at.Sub(seen.written), seen.pair)
	case seen.over != "" && p.durable && p.at.Before(seen.written) && f.stored.pair == nil:
		j.violation("stale-notified", f, "%s hands out %v, %v after it was notified of the end: %s", a.p.name, p, a.at.Sub(seen.written), seen.over)
	}
}

// judgeExpired looks for a token that is handed out after its end, by a process
// whose clocks are right (G18). The lock must be held.
func (j *judge) judgeExpired(a ask, f *facts, p *pair, tok *oauth2.Token) {
	if j.run.profile.spread() > 0 || a.p.haltedSince(a.at) {
		return
	}
	// Within a grace window the server repeats a pair that may end on its way.
	if late := time.Since(tok.Expiry); !tok.Expiry.IsZero() && late > 0 && !p.received.After(a.at) {
		j.violation("expired", f, "%s hands out %v, %v after its end", a.p.name, p, late)
	}
}

// judgeError looks at an error (G6, G8). The lock must be held.
func (j *judge) judgeError(a ask, f *facts, err error, deadline time.Duration) {
	e, _ := errors.AsType[*tokensource.Error](err)
	steady := f.stored.written.Before(a.at) && !a.p.haltedSince(a.at)
	switch {
	case !errors.Is(err, tokensource.ErrReauthorize):
		j.judgeTrouble(a, f, err, deadline)
	case e == nil:
		j.violation("no-reason", f, "%s says that the user must log in, and not why", a.p.name)
	case !steady:
	case f.stored.pair != nil && j.lives(f.stored.pair):
		j.violation("false-reauthorize", f, "%s says %q; %v is stored and lives", a.p.name, e.Reason, f.stored.pair)
	case f.stored.over != "" && !said(e.Reason, f.stored.over):
		j.violation("wrong-reason", f, "%s says %q; the store says %q", a.p.name, e.Reason, f.stored.over)
	}
}

// said reports whether a reason is the right one for a record.
func said(reason tokensource.Reason, over string) bool {
	if over == overLogout || over == overDeleted {
		return reason == tokensource.ReasonNoGrant
	}
	return string(reason) == over
}

// judgeTrouble looks at an error that says nothing of the grant. Some time
// after the last fault, only impatient callers get one, and callers whose token
// was renewed just now. A process that meets an intent for the first time
// waits, however old the intent is. The lock must be held.
func (j *judge) judgeTrouble(a ask, f *facts, err error, deadline time.Duration) {
	switch {
	case a.at.Before(j.run.faulty.Add(settled)) || !j.run.profile.clocksAgree():
	case errors.Is(err, context.DeadlineExceeded) && deadline < quietTime+time.Second:
	case a.rejected != nil && errors.Is(err, tokensource.ErrJustRenewed):
	default:
		j.violation("not-settled", f, "%s: %v, %v after the last fault", a.p.name, err, a.at.Sub(j.run.faulty))
	}
}
