package lease

import "time"

// The types and rules that the tests of this package look at.
type (
	Intent     = intent
	Revocation = revocation
	Watch      = watch
	Claim      = claim
)

const MaxQueue = maxQueue

var ErrFormat = errFormat

// The verdicts of Decide.
const (
	Serve    = serve
	Refuse   = stop
	Await    = await
	Forfeit  = forfeit
	Announce = redeem
)

// The resolutions of Resolve.
const (
	Rewrite = rewrite
	Stored  = stored
	Late    = late
)

func (c Rules) Decide(r *Record, rejected string, ahead bool, w Watch, now Clock) (verdict, Reason, time.Duration) {
	v, out := c.decide(r, need{rejected, ahead}, w, now)
	return v, out.Reason(), out.Pause
}

func (c Rules) Left(w Watch, i Intent, now Clock) time.Duration { return c.left(w, i, now) }

func (c Rules) Acquire(r *Record, id string, now Clock) (*Record, Clock) {
	return c.acquire(r, id, now)
}

func (c Rules) Resolve(k *Claim, current *Record, version uint64, now Clock) (*Record, resolution) {
	return c.resolve(k, current, version, now)
}

func (c Rules) Leave(login string, exchanged time.Time, current *Record) bool {
	return c.leave(login, exchanged, current)
}

func (c Rules) Attempt(r *Record, now Clock) (*Record, []Revocation) { return c.attempt(r, now, false) }

func (r *Record) Enqueue(t Token, since, next time.Time) []Revocation {
	return r.enqueue(t, since, next)
}

// Backoff returns the pause after the n-th failure in a row.
func Backoff(n uint64, asked time.Duration, jitter uint64) time.Duration {
	return backoff(n, asked, jitter)
}

// Adoption returns the claim of a process that obtained t under base.
func Adoption(base *Record, t Token) *Claim { return newAdoption(base, t, false) }

// Refusal returns the claim of a process whose request was refused.
func Refusal(base *Record, code string) *Claim {
	return &claim{kind: refusal, base: base, reason: Denied, code: code}
}

// Release returns the claim of a process whose request redeemed nothing.
func Release(base *Record, retryAt time.Time) *Claim {
	return &claim{kind: release, base: base, doubts: base.Doubts, retryAt: retryAt}
}

// Undo returns the claim of a process whose intent may be written over version.
func Undo(base, before *Record, version uint64) *Claim {
	return &claim{kind: release, base: base, over: version, intent: before.Intent, doubts: before.Doubts}
}
