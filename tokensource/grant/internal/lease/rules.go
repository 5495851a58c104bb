package lease

import "time"

// verdict is what a renewal does next.
type verdict uint8

const (
	serve   verdict = iota + 1 // hand out the stored token
	stop                       // end the renewal with a reason; nothing is written
	await                      // wait for the holder of the intent
	forfeit                    // end the grant: its refresh token is in doubt
	redeem                     // announce a redemption and make it
)

// maxPause bounds every pause that a server or a stored time asks for, so that
// a wrong clock does not stop a grant.
const maxPause = 5 * time.Minute

// decide returns what a renewal of r does now. It is the only rule that permits
// to send a refresh token, for the first time or again. For stop it returns how
// the renewal ends. For forfeit, Over is why the grant ends. For await, Pause
// is how long the intent can still live.
func (c Rules) decide(r *Record, n need, w watch, now Clock) (verdict, Outcome) {
	if r.usable(now, n.rejected) {
		return serve, Outcome{} // G2: another process has renewed it
	}
	if r.Over != "" {
		return stop, Outcome{Over: r.Over} // G7: without it, a grant would live on after a logout
	}
	age := now.Wall.Sub(r.Token.Obtained)
	if n.rejected != "" && r.Token.Access == n.rejected && !n.ahead && r.Token.Refreshed && age >= 0 && age < c.Spacing {
		return stop, Outcome{JustRenewed: true, Pause: c.Spacing - age} // G9, G19
	}
	if pause := r.RetryAt.Sub(now.Wall); pause > 0 && pause <= maxPause {
		return stop, Outcome{Spaced: true, Pause: pause} // G9
	}
	if left := c.left(w, r.Intent, now); left > 0 {
		if r.Intent.Holder == c.Self {
			return stop, Outcome{LostAnswer: true, Pause: left} // G3: a second request before the first has ended would be reuse
		}
		return await, Outcome{Pause: left} // G1: two processes would redeem one token
	}
	if r.credential(now) == "" {
		return c.hopeless(r, n, now, NoRefreshToken)
	}
	if r.Intent.ID != "" && r.Doubts >= c.Resends {
		return c.hopeless(r, n, now, InDoubt) // G3
	}
	return redeem, Outcome{}
}

// need says why a token is to be renewed.
type need struct {
	rejected string
	ahead    bool
}

// hopeless decides about a grant that cannot be refreshed. The grant ends when
// its access token has expired, and also when an API rejected the token of a
// grant in doubt. A token without a refresh token may be one that never
// expires, and one wrong answer of an API must not end it (G8).
func (c Rules) hopeless(r *Record, n need, now Clock, reason string) (verdict, Outcome) {
	if r.expired(now) || reason == InDoubt && !n.ahead {
		return forfeit, Outcome{Over: reason}
	}
	return stop, Outcome{Over: reason}
}

// forfeit returns r after its grant has ended without an answer of the server.
// The tokens of a grant in doubt wait in the queue. A holder that obtained
// their successors has until then to store them (G4). Without that delay, the
// revocation would end the tokens that this holder is about to store.
func (c Rules) forfeit(r *Record, reason string, now Clock) *Record {
	next := r.over(reason, "")
	if reason == InDoubt {
		next.Queue = next.enqueue(r.Token, now.Wall, now.Wall.Add(c.Hold))
	}
	return next
}

// acquire returns the record that announces a redemption, and the deadline of
// its request. An intent that is still there was abandoned: its refresh token
// may have been redeemed, and this is one more doubt (G3).
//
// The deadline lies before the end of the intent, so that there is time to
// write (G1). It counts from before the write, on both clocks (G18).
func (c Rules) acquire(r *Record, id string, now Clock) (*Record, Clock) {
	next := *r
	if r.Intent.ID != "" {
		next.Doubts++
	}
	next.Intent = intent{Holder: c.Self, ID: id, Since: now.Wall, Until: now.Wall.Add(c.Lease)}
	return &next, now.add(c.Lease - c.Margin)
}

func (c Clock) add(d time.Duration) Clock { return Clock{Wall: c.Wall.Add(d), Mono: c.Mono + d} }

// left returns how long the holder of i may still be at work. It is zero or
// negative when the intent has ended.
//
// An intent ends by whichever clock ends it first (G18): the wall clock
// reaches its end, or this process has seen it for as long as it was to live.
// With one clock alone, a clock that is set back would make the intent last.
// A foreign intent allows for skew between two hosts. It must also have been
// watched for Quiet without a gap: after an outage of the store its holder may
// be writing, and a redemption now would be reuse (G1).
func (c Rules) left(w watch, i intent, now Clock) time.Duration {
	if i.ID == "" {
		return 0
	}
	w = c.see(w, i, now)
	byMono := i.Until.Sub(i.Since) - (now.Mono - w.First)
	if i.Holder == c.Self {
		return min(i.Until.Sub(now.Wall), byMono)
	}
	return max(min(i.Until.Add(c.Skew).Sub(now.Wall), byMono), c.Quiet-(now.Mono-w.Calm))
}

// see returns w after the intent i was seen. A process that could not look, or
// has not looked for longer than Quiet, may come out of an outage of the store.
// Without this rule it would redeem as soon as the store is back, beside a
// holder that writes.
func (c Rules) see(w watch, i intent, now Clock) watch {
	switch {
	case i.ID == "":
		return watch{}
	case i.ID != w.ID:
		w = watch{ID: i.ID, First: now.Mono, Calm: now.Mono}
	case w.Blind, now.Mono-w.Last > c.Quiet:
		w.Calm = now.Mono
	}
	w.Last, w.Blind = now.Mono, false
	return w
}

// resolution is what a claim means for the record that is stored.
type resolution uint8

const (
	rewrite   resolution = iota + 1 // the claim is still to be written
	stored                          // the record contains it
	late                            // the record has moved on, and the claim is void
	unwritten                       // the store failed: the claim is still to be written
)

// resolve returns what k means for the record that is stored now, and the
// record that is to be written. A late claim may need a write as well, which
// queues the revocation of its tokens.
//
// Every claim is judged by what is stored now, and never by the record under
// which it was made: a claim whose first write took effect unnoticed must not
// be written over its own successors.
func (c Rules) resolve(k *claim, current *Record, version uint64, now Clock) (*Record, resolution) {
	if k.kind == adopt {
		return c.adopt(k, current, now)
	}
	if current == nil {
		return nil, late
	}
	if k.kind == refusal && current.sameSet(k.base) && current.Over == k.reason {
		return nil, stored
	}
	if current.Intent.ID != k.base.Intent.ID {
		if k.kind == release && version == k.over {
			// The announcement may still take effect over this version.
			// Another version keeps it out.
			next := *current
			return &next, rewrite
		}
		return nil, late
	}
	if k.kind == refusal {
		return current.over(k.reason, k.code), rewrite
	}
	next := *current
	next.Intent, next.Doubts = k.intent, k.doubts
	if !k.retryAt.IsZero() {
		next.Failures++
		next.RetryAt = k.retryAt
	}
	return &next, rewrite
}

// adopt decides about new tokens. The process that holds them may write them
// over any intent on the token set that was redeemed, and over a grant that
// was given up because of a doubt about that set (G4). Without this rule they
// would be dropped for the sake of a process that may obtain nothing. It never
// writes them over a refusal (G7), a logout (G12) or a newer set (G6).
func (c Rules) adopt(k *claim, current *Record, now Clock) (*Record, resolution) {
	switch {
	case current == nil:
		next := k.base.over(NoGrant, "")
		next.Ended = now.Wall
		next.Queue = next.enqueue(k.token, now.Wall, now.Wall)
		return next, late
	case current.Token.ID == k.token.ID && current.Over == "":
		return nil, stored
	case current.Token.ID == k.token.ID:
		return nil, late // they were stored, and the grant ended with them
	case current.sameSet(k.base) && (current.Over == "" || current.forfeited(k.base.Token.ID)):
		next := current.took(k.base.Serial+1, k.token)
		next.Queue = without(next.Queue, func(q revocation) bool { return q.Set == k.base.Token.ID })
		return next, rewrite
	case current.queued(k.token.ID) || c.leave(k.base.Login, k.base.Exchanged, current):
		return nil, late
	}
	next := *current
	next.Queue = current.enqueue(k.token, now.Wall, now.Wall)
	return &next, late
}

// leave reports whether tokens of a login, exchanged at the given time, are
// left alone when they are dropped in favour of current. Otherwise they are
// revoked (G4). Tokens of the same login may belong to the family of those that
// are stored. After a logout nothing is left to protect.
func (c Rules) leave(login string, exchanged time.Time, current *Record) bool {
	switch {
	case current.Over == NoGrant:
		return false
	case current.Login == login:
		return current.Over == "" || c.RevokesAll
	}
	return c.spare(exchanged, current.Exchanged)
}

// spare reports whether tokens from before issued are not revoked, because of a
// login that was exchanged at the given time. Where a new authorization ends
// the earlier grants of its user, that login has ended them. Where a revocation
// ends all grants of a user, it would end that login.
func (c Rules) spare(issued, exchanged time.Time) bool {
	return c.RevokesAll || c.SingleGrant && issued.Add(c.Skew).Before(exchanged)
}

const (
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// backoff returns the pause after the n-th failure in a row: it doubles from
// one second to a minute, half of it is jitter, and it is at least what the
// server asked for.
func backoff(n uint64, asked time.Duration, jitter uint64) time.Duration {
	d := maxBackoff
	if n < 7 {
		d = min(minBackoff<<(max(n, 1)-1), maxBackoff)
	}
	d = d/2 + time.Duration(jitter%uint64(d/2+1))
	return max(d, min(asked, maxPause))
}

// swap writes next over the version of current. A record that needs a Chore
// earlier than current does is entered in the index first (G20).
func (c Rules) swap(next, current *Record, version uint64) Effect {
	e := Effect{Swap: true, Record: next, Version: version}
	was, due := c.Due(current), c.Due(next)
	if !due.IsZero() && (was.IsZero() || due.Before(was)) {
		e.Due = due
	}
	// A queue that is full has dropped its oldest entries (G10).
	e.Unrevoked = current != nil && len(next.Queue) == maxQueue && !next.awaits(current.Queue[0])
	return e
}
