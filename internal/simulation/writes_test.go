package simulation_test

import (
	"errors"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The reasons why a record is over.
const (
	overRefused = string(tokensource.ReasonRefused)
	overInDoubt = string(tokensource.ReasonInDoubt)
	overLogout  = "logged out"
	overDeleted = "deleted"
)

// writes is called when a process begins to write.
func (j *judge) writes(p *process, key string) {
	if f := j.byKey[key]; f != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		f.putting[p] = time.Now()
	}
}

// wrote is called with the outcome of a write, as the process saw it.
func (j *judge) wrote(p *process, key string, value []byte, err error) {
	f := j.byKey[key]
	if err == nil {
		if f != nil {
			j.knows(p, f, value)
		}
		return
	}
	if !errors.Is(err, storage.ErrConflict) {
		p.disturb(troubledKey(key), 0)
	}
	if f == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if pair := f.find(value); pair != nil {
		pair.tried = true
	}
	j.say(p, f, "a write fails: %v", err)
}

// knows notes what a process has written. From then on it must not hand out
// anything older.
func (j *judge) knows(p *process, f *facts, value []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if pair := f.find(value); pair != nil && pair == f.stored.pair && (f.shown[p].pair == nil || f.shown[p].pair.older(pair)) {
		f.shown[p] = shown{pair, time.Now()}
	}
}

// rewritten is called when a record was written again as it was.
func (j *judge) rewritten(old, next storage.Version) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a := j.intents[old]; a != nil {
		j.intents[next] = a
	}
}

// notified is called when a process was notified of a change.
func (j *judge) notified(p *process, c storage.Change) {
	if f := j.byKey[c.Key]; f != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		s := f.stored
		s.written = time.Now()
		f.notified[p] = s
	}
}

// effect is called when a write has taken effect, by whichever process.
func (j *judge) effect(op storagetest.Op, r storage.Record) {
	f, p := j.byKey[op.Key], j.run.named(op.Process)
	if f == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts.add("commits", 1)
	old := f.stored
	if op.Kind == storagetest.Delete {
		j.counts.add("records deleted", 1)
		if old.over != overLogout || old.queued > 0 {
			j.violation("deleted", f, "%s deletes a record: %v %s, %d tokens to revoke", p.name, old.pair, old.over, old.queued)
		}
		f.stored = stored{by: p, written: time.Now(), over: overDeleted}
		return
	}
	next, known, ok := j.describe(f, p, r)
	if !ok {
		return
	}
	j.say(p, f, "stored: %v %s intent %v, %d doubts, %d to revoke", next.pair, next.over, next.attempt != nil, next.doubts, next.queued)
	f.stored = next
	if !known {
		j.judgeAnnouncement(f, old, next)
	}
	j.judgeWrite(f, old, next)
}

// describe returns what a record says, and whether its intent is known already.
// It returns false if the record makes no sense. The lock must be held.
func (j *judge) describe(f *facts, p *process, r storage.Record) (next stored, known, ok bool) {
	told, err := grant.Inspect(r.Value())
	if err != nil {
		j.violation("unreadable", f, "%s writes a record that cannot be read: %v", p.name, err)
		return next, false, false
	}
	next = stored{by: p, written: time.Now(), over: string(told.Dead), doubts: told.Doubts, queued: told.Unrevoked}
	if !told.LoggedOut.IsZero() {
		next.over = overLogout
	}
	if next.over != "" {
		return next, true, true
	}
	if next.pair = f.find(r.Value()); next.pair == nil {
		j.violation("unknown-tokens", f, "%s stores tokens that nobody issued", p.name)
		return next, false, false
	}
	next.pair.durable, known = true, true
	if !told.RedeemingUntil.IsZero() {
		next.attempt, known = f.attemptOf(told, p, next.pair)
		j.intents[r.Version] = next.attempt
	}
	return next, known, true
}

// judgeWrite looks at a write that took effect (G4, G6, G7, G12). The lock must
// be held.
func (j *judge) judgeWrite(f *facts, old, next stored) {
	switch {
	case next.pair == nil:
		if old.pair != nil {
			j.judgeEnd(f, old, next)
		}
		return
	case old.pair != nil && next.pair.older(old.pair):
		j.violation("rolled-back", f, "%v is stored over %v", next.pair, old.pair)
	case old.pair != nil && next.pair.grant < old.pair.grant:
		j.judgeOrder(f, old.pair, next.pair)
	case old.pair == next.pair && old.attempt != nil && next.attempt == nil && old.attempt.p != next.by:
		j.violation("intent-removed", f, "%s removes the intent of %s", next.by.name, old.attempt.p.name)
	case old.pair != nil && old.pair.older(next.pair) && old.attempt != nil && old.attempt.p != next.by:
		j.counts.add("tokens stored over the intent of another process", 1)
	}
	for _, out := range f.logouts {
		if out.grants[next.pair.grant] && !out.done.IsZero() {
			j.violation("revived", f, "%v is stored after its logout", next.pair)
		}
	}
	login := f.loginOf(next.pair) != nil
	switch {
	case old.over == overInDoubt && !login:
		j.counts.add("tokens stored after a grant was given up", 1)
	case old.over != "" && !login:
		j.violation("dead-revived", f, "%v is stored over a grant that is over: %s", next.pair, old.over)
	}
}

// judgeOrder looks at a login that replaces one of a later grant. It may do so
// only if both were exchanged at nearly the same time (G6). The lock must be
// held.
func (j *judge) judgeOrder(f *facts, old, next *pair) {
	j.counts.add("logins stored in another order than that of their exchanges", 1)
	newer, older := f.loginOfGrant(old.grant), f.loginOfGrant(next.grant)
	if newer == nil || older == nil || !j.run.profile.clocksAgree() {
		return
	}
	if d := newer.at.Sub(older.at); d > clockSkew+j.run.profile.spread() {
		j.violation("older-login", f, "%v is stored over %v, whose user logged in %v later", next, old, d)
	}
}

// judgeEnd looks at a grant that ends (G3, G4, G8). The lock must be held.
func (j *judge) judgeEnd(f *facts, old, next stored) {
	switch next.over {
	case overLogout:
		if old.attempt != nil {
			j.counts.add("logouts while a refresh was under way", 1)
		}
	case overRefused:
		j.counts.add("grants refused", 1)
		if j.lives(old.pair) {
			j.violation("ended-alive", f, "%v is declared dead as refused, and lives at the server", old.pair)
		}
		if j.ended(f, old.pair) == oauthtest.Reused && f.uncleanSends(old.pair.refresh) > 1 {
			j.violation("wrong-reason", f, "%v is called refused, though this app sent its refresh token twice", old.pair)
		}
	case overInDoubt:
		j.judgeDoubt(f, old, next)
	default:
		j.violation("wrong-end", f, "%v ends: %s", old.pair, next.over)
	}
}

// uncleanSends counts the requests with a refresh token that may have redeemed
// it.
func (f *facts) uncleanSends(token string) int {
	n := 0
	for _, s := range f.sends[token] {
		if !s.clean {
			n++
		}
	}
	return n
}

// judgeDoubt looks at a grant that is given up in doubt. Its refresh token was
// sent twice, or was announced twice by processes that had a reason to leave
// their intents. The lock must be held.
func (j *judge) judgeDoubt(f *facts, old, next stored) {
	if why := j.ended(f, old.pair); j.run.grace && why != oauthtest.Replaced && why != oauthtest.Revoked {
		j.violation("death-in-grace", f, "%s gives %v up within a grace window", next.by.name, old.pair)
	}
	if old.doubts == 0 {
		j.violation("death-without-doubt", f, "%s gives %v up after no doubt", next.by.name, old.pair)
	}
	a := old.attempt
	switch {
	case a == nil:
		j.violation("death-without-intent", f, "%s gives %v up, and no intent was left", next.by.name, old.pair)
	case a.p == next.by && a.sent != nil && !a.sent.lost():
		j.counts.add("grants refused in doubt", 1)
	default:
		j.counts.add("grants given up in doubt", 1)
		if len(f.sends[old.pair.refresh]) == 0 {
			j.counts.add("grants given up in doubt, never sent", 1)
		}
		j.judgeTakeover(f, a, next.by, f.putting[next.by])
	}
}
