package simulation_test

import (
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// attemptOf returns the attempt whose intent stands in a record. If no earlier
// one has that intent, it is a new attempt of the process that wrote the
// record. Wrong clocks can give two attempts the same times, but each one that
// takes over counts one doubt more.
func (f *facts) attemptOf(told grant.Grant, p *process, pair *pair) (a *attempt, known bool) {
	for i := len(f.attempts) - 1; i >= 0 && i >= len(f.attempts)-20; i-- {
		a := f.attempts[i]
		same := a.since.Equal(told.RedeemingSince) && a.until.Equal(told.RedeemingUntil) && a.doubts == told.Doubts
		if same && a.pair == pair {
			return a, true
		}
	}
	a = &attempt{p: p, pair: pair, since: told.RedeemingSince, until: told.RedeemingUntil, doubts: told.Doubts, began: f.putting[p]}
	f.attempts = append(f.attempts, a)
	return a, false
}

// judgeAnnouncement looks at an intent that was stored (G1, G2, G3). The lock
// must be held.
func (j *judge) judgeAnnouncement(f *facts, old, next stored) {
	a, before := next.attempt, old.attempt
	if before == nil || before.pair != a.pair {
		j.judgeNeed(f, a)
		before = nil
	}
	want := old.doubts
	if before != nil {
		j.judgeTakeover(f, before, a.p, a.began)
		want++
	}
	if next.doubts != want && old.pair == next.pair {
		j.violation("doubts", f, "%s announces a request with %d doubts, want %d", a.p.name, next.doubts, want)
	}
	if next.doubts > 1 && !j.run.grace {
		j.violation("too-many-doubts", f, "%s announces a request after %d doubts", a.p.name, next.doubts)
	}
}

// judgeNeed looks at a refresh that begins: the access token must be old, or
// somebody must have found that it does not work (G2). The lock must be held.
func (j *judge) judgeNeed(f *facts, a *attempt) {
	if j.run.profile.spread() > 0 || a.pair.rejected {
		return
	}
	told := j.run.fake.Token(a.pair.access)
	lifetime := told.Expires.Sub(told.Issued)
	// The process counts the lifetime from the sending of its request.
	if left := told.Expires.Sub(a.began); told.Dead == "" && left > lifetime/6+requestTime {
		j.violation("needless-refresh", f, "%s refreshes %v, which is good for another %v of %v", a.p.name, a.pair, left, lifetime)
	}
}

// judgeTakeover looks at a process that begins to redeem a refresh token, or to
// end its grant, while an earlier intent stands there. That intent must have
// lived to its end, the process must have watched it, and its holder must have
// had a reason to leave it (G1, G3, G4). The lock must be held.
func (j *judge) judgeTakeover(f *facts, before *attempt, p *process, began time.Time) {
	age := began.Sub(before.began)
	own := before.p == p
	if own {
		j.counts.add("attempts after a lost answer of their own", 1)
	} else {
		j.counts.add("takeovers", 1)
	}
	if j.run.profile.clocksAgree() && age < leaseTime-j.run.profile.spread()-time.Second {
		j.violation("early-takeover", f, "%s succeeds an intent of %s after %v", p.name, before.p.name, age)
	}
	seen := before.seen[p]
	if !own && (seen.IsZero() || began.Sub(seen) < quietTime) {
		j.violation("unwatched-takeover", f, "%s succeeds an intent of %s that it has watched for %v", p.name, before.p.name, began.Sub(seen))
	}
	j.judgeHolder(f, before, p, began)
}

// judgeHolder looks for the reason why an intent was left. The lock must be
// held.
func (j *judge) judgeHolder(f *facts, a *attempt, p *process, began time.Time) {
	switch {
	case a.sent != nil && a.sent.lost():
	case a.p.haltedSince(a.began):
	case a.p.disturbedSince(f.key, began.Add(-retryTime)):
	case a.sent != nil && a.sent.issued != nil:
		j.violation("lost-tokens", f, "%s redeems %v again, though %s got %v and nothing kept it from storing that",
			p.name, a.pair, a.p.name, a.sent.issued)
	default:
		j.violation("needless-takeover", f, "%s succeeds an intent of %s, which had nothing to wait for", p.name, a.p.name)
	}
}
