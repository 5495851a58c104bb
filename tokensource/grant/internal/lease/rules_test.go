package lease_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

func rules() lease.Rules { return new(world).process("me").rules }

// at returns the clocks of a process d after the start.
func at(d time.Duration) lease.Clock { return lease.Clock{Wall: start.Add(d), Mono: d} }

func alive() lease.Record {
	return lease.Record{
		Login: "l1", Serial: 3,
		Token: lease.Token{
			ID: "set3", Access: "a3", Refresh: "r3", Obtained: start, Expiry: start.Add(time.Hour), Refreshed: true,
		},
	}
}

// announced returns an alive record with an intent that began at the start.
func announced(holder string) lease.Record {
	r := alive()
	r.Intent = lease.Intent{Holder: holder, ID: holder + "1", Since: start, Until: start.Add(time.Minute)}
	return r
}

func with(r lease.Record, f func(*lease.Record)) lease.Record {
	f(&r)
	return r
}

func TestDecide(t *testing.T) {
	const serve, refuse, await, forfeit, announce = lease.Serve, lease.Refuse, lease.Await, lease.Forfeit, lease.Announce
	later := 10 * time.Minute
	own, foreign := announced("me"), announced("other")
	doubt := with(foreign, func(r *lease.Record) { r.Doubts = 1 })
	bare := with(alive(), func(r *lease.Record) { r.Token.Refresh = "" })
	traded := with(bare, func(r *lease.Record) { r.Token.Trade = start.Add(30 * time.Minute) })
	for _, tt := range []struct {
		name     string
		record   lease.Record
		rejected string
		ahead    bool
		at       time.Duration
		watched  time.Duration
		resends  uint64
		verdict  any
		reason   lease.Reason
		pause    time.Duration
	}{
		{name: "usable", record: alive(), rejected: "a2", verdict: serve},
		{name: "usable beside an intent", record: foreign, rejected: "a2", verdict: serve},
		{name: "rejected", record: alive(), rejected: "a3", at: later, verdict: announce},
		{name: "rejected at once", record: alive(), rejected: "a3", at: 4 * time.Second, verdict: refuse, reason: lease.JustRenewed, pause: 6 * time.Second},
		{name: "rejected at once after a login", record: with(alive(), func(r *lease.Record) { r.Token.Refreshed = false }), rejected: "a3", verdict: announce},
		{name: "issued in the future", record: alive(), rejected: "a3", at: -time.Hour, verdict: announce},
		{name: "ahead", record: alive(), rejected: "a3", ahead: true, verdict: announce},
		{name: "expired", record: alive(), at: time.Hour, verdict: announce},
		{name: "logged out", record: with(alive(), func(r *lease.Record) { r.Over = lease.NoGrant }), at: later, verdict: refuse, reason: lease.NoGrant},
		{name: "dead", record: with(alive(), func(r *lease.Record) { r.Over = lease.Denied }), at: later, verdict: refuse, reason: lease.Denied},
		{name: "must wait", record: with(alive(), func(r *lease.Record) { r.RetryAt = start.Add(later + time.Minute) }), rejected: "a3", at: later, verdict: refuse, reason: lease.Spaced, pause: time.Minute},
		{name: "must wait too long", record: with(alive(), func(r *lease.Record) { r.RetryAt = start.Add(later + time.Hour) }), rejected: "a3", at: later, verdict: announce},
		{name: "own intent", record: own, rejected: "a3", at: 20 * time.Second, verdict: refuse, reason: lease.LostAnswer, pause: 40 * time.Second},
		{name: "own intent has ended", record: own, rejected: "a3", at: time.Minute, resends: 1, verdict: announce},
		{name: "foreign intent", record: foreign, rejected: "a3", at: 20 * time.Second, verdict: await, pause: time.Minute},
		{name: "foreign intent, watched", record: foreign, rejected: "a3", at: time.Minute, watched: 20 * time.Second, verdict: await, pause: 30 * time.Second},
		{name: "foreign intent has ended", record: foreign, rejected: "a3", at: 2 * time.Minute, watched: 5 * time.Second, resends: 1, verdict: announce},
		{name: "in doubt, never again", record: foreign, rejected: "a3", at: 2 * time.Minute, watched: 5 * time.Second, verdict: forfeit, reason: lease.InDoubt},
		{name: "in doubt, once more", record: doubt, rejected: "a3", at: 2 * time.Minute, watched: 5 * time.Second, resends: 1, verdict: forfeit, reason: lease.InDoubt},
		{name: "in doubt, always", record: doubt, rejected: "a3", at: 2 * time.Minute, watched: 5 * time.Second, resends: math.MaxUint64, verdict: announce},
		{name: "in doubt, ahead", record: foreign, rejected: "a3", ahead: true, at: 2 * time.Minute, watched: 5 * time.Second, verdict: refuse, reason: lease.InDoubt},
		{name: "sent again without an intent", record: with(alive(), func(r *lease.Record) { r.Doubts = 1 }), rejected: "a3", at: later, verdict: announce},
		{name: "no refresh token, rejected", record: bare, rejected: "a3", at: later, verdict: refuse, reason: lease.NoRefreshToken},
		{name: "no refresh token, expired", record: bare, at: time.Hour, verdict: forfeit, reason: lease.NoRefreshToken},
		{name: "traded, rejected before the window", record: traded, rejected: "a3", at: later, verdict: refuse, reason: lease.NoRefreshToken},
		{name: "traded, rejected in the window", record: traded, rejected: "a3", at: 30 * time.Minute, verdict: announce},
		{name: "traded, ahead in the window", record: traded, rejected: "a3", ahead: true, at: 59 * time.Minute, verdict: announce},
		{name: "traded, expired", record: traded, at: time.Hour, verdict: forfeit, reason: lease.NoRefreshToken},
	} {
		c, now := rules(), at(tt.at)
		c.Resends = tt.resends
		w := lease.Watch{ID: tt.record.Intent.ID, First: now.Mono - tt.watched, Calm: now.Mono - tt.watched, Last: now.Mono}
		if tt.record.Intent.Holder == "me" {
			w.First = 0
		}
		verdict, reason, pause := c.Decide(&tt.record, tt.rejected, tt.ahead, w, now)
		if verdict != tt.verdict || reason != tt.reason || pause != tt.pause {
			t.Errorf("%s: Decide = %v, %q, %s, want %v, %q, %s", tt.name, verdict, reason, pause, tt.verdict, tt.reason, tt.pause)
		}
	}
}

func TestIntentEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		holder string
		wall   time.Duration // since the intent began
		mono   time.Duration // since it was first seen
		gap    time.Duration // since it was last seen
		want   time.Duration // that it can still live
	}{
		{"own, young", "me", 20 * time.Second, 20 * time.Second, 0, 40 * time.Second},
		{"own, ended", "me", time.Minute, time.Minute, 0, 0},
		{"own, clock set back", "me", -time.Hour, 50 * time.Second, 0, 10 * time.Second},
		{"own, machine was suspended", "me", 55 * time.Second, time.Second, 0, 5 * time.Second},
		{"foreign, young", "other", 20 * time.Second, 0, 0, time.Minute},
		{"foreign, ended but for the skew", "other", time.Minute, 10 * time.Second, 0, 30 * time.Second},
		{"foreign, ended, not watched", "other", time.Hour, 0, 0, 5 * time.Second},
		{"foreign, ended, watched", "other", time.Hour, 5 * time.Second, 0, 0},
		{"foreign, its clock ahead", "other", -time.Hour, time.Minute, 0, 0},
		{"foreign, ended, watched with a gap", "other", time.Hour, time.Minute, 6 * time.Second, 5 * time.Second},
		{"foreign, ended, watched without a gap", "other", time.Hour, time.Minute, 5 * time.Second, -55 * time.Second},
		{"own, ended, with a gap", "me", time.Minute, time.Minute, time.Minute, 0},
	} {
		r := announced(tt.holder)
		now := lease.Clock{Wall: start.Add(tt.wall), Mono: tt.mono}
		if got := rules().Left(lease.Watch{ID: r.Intent.ID, Last: tt.mono - tt.gap}, r.Intent, now); got != tt.want {
			t.Errorf("%s: Left = %s, want %s", tt.name, got, tt.want)
		}
	}
	unknown := announced("other").Intent
	if got := rules().Left(lease.Watch{ID: "another"}, unknown, at(time.Hour)); got != 5*time.Second {
		t.Errorf("Left of an intent that was never seen = %s, want 5s", got)
	}
	later := lease.Clock{Wall: start.Add(20 * time.Second), Mono: 55 * time.Second}
	if got := rules().Left(lease.Watch{ID: "another", Last: later.Mono}, unknown, later); got != time.Minute {
		t.Errorf("Left of an intent that follows one that was watched for 55s = %s, want a minute", got)
	}
	if got := rules().Left(lease.Watch{}, lease.Intent{}, at(0)); got != 0 {
		t.Errorf("Left of no intent = %s, want 0", got)
	}
}

func TestAcquire(t *testing.T) {
	fresh, abandoned := alive(), announced("other")
	for _, tt := range []struct {
		record *lease.Record
		doubts uint64
	}{{&fresh, 0}, {&abandoned, 1}} {
		next, by := rules().Acquire(tt.record, "id", at(time.Hour))
		want := lease.Intent{Holder: "me", ID: "id", Since: start.Add(time.Hour), Until: start.Add(time.Hour + time.Minute)}
		if next.Intent != want || next.Doubts != tt.doubts {
			t.Errorf("Acquire = %+v with %d doubts, want %+v with %d", next.Intent, next.Doubts, want, tt.doubts)
		}
		if want := at(time.Hour + 50*time.Second); by != want {
			t.Errorf("deadline = %v, want %v", by, want)
		}
	}
}

// A deadline is reached by whichever clock reaches it first.
func TestClockUntil(t *testing.T) {
	deadline := at(time.Minute)
	for _, tt := range []struct {
		now  lease.Clock
		want time.Duration
	}{
		{at(0), time.Minute},
		{lease.Clock{Wall: start.Add(-time.Hour), Mono: 59 * time.Second}, time.Second},
		{lease.Clock{Wall: start.Add(61 * time.Second), Mono: 0}, -time.Second},
	} {
		if got := tt.now.Until(deadline); got != tt.want {
			t.Errorf("%v.Until = %s, want %s", tt.now, got, tt.want)
		}
	}
}

func TestResolve(t *testing.T) {
	base := announced("me")
	foreign := with(announced("other"), func(r *lease.Record) { r.Doubts = 1 })
	renewed := with(alive(), func(r *lease.Record) { r.Serial, r.Token.ID = 4, "other1" })
	mine := with(renewed, func(r *lease.Record) { r.Token.ID = "me1" })
	login := with(alive(), func(r *lease.Record) { r.Login, r.Serial, r.Token.ID = "l2", 0, "l2" })
	dead := with(alive(), func(r *lease.Record) { r.Over, r.Token.Access, r.Token.Refresh = lease.Denied, "", "" })
	held := lease.Revocation{Set: "set3", Refresh: true, Token: "r3"}
	forfeited := with(dead, func(r *lease.Record) { r.Over, r.Queue = lease.InDoubt, []lease.Revocation{held} })
	begun := with(forfeited, func(r *lease.Record) {
		held.Attempts = 1
		r.Queue = []lease.Revocation{held}
	})
	tomb := with(dead, func(r *lease.Record) { r.Over = lease.NoGrant })
	adopt := lease.Adoption(&base, lease.Token{Access: "a4", Refresh: "r4"})
	refusal, release := lease.Refusal(&base, "code"), lease.Release(&base, start)
	before := with(foreign, func(r *lease.Record) { r.Doubts = 0 })
	undo := lease.Undo(&base, &before, 7)
	const revoked, nothing = "queue", ""
	for _, tt := range []struct {
		name    string
		claim   *lease.Claim
		current *lease.Record
		version uint64
		want    any
		next    string // what is written: "queue" is the revocation of the tokens
	}{
		{"adopt over its own intent", adopt, &base, 8, lease.Rewrite, "a4"},
		{"adopt over the intent of a successor", adopt, &foreign, 8, lease.Rewrite, "a4"},
		{"adopt after the successor gave up", adopt, new(alive()), 8, lease.Rewrite, "a4"},
		{"adopt over a forfeit", adopt, &forfeited, 8, lease.Rewrite, "a4"},
		{"adopt after the revocation of a forfeit", adopt, &begun, 8, lease.Late, revoked},
		{"adopt over a refusal", adopt, &dead, 8, lease.Late, revoked},
		{"adopt over a logout", adopt, &tomb, 8, lease.Late, revoked},
		{"adopt over nothing", adopt, nil, 0, lease.Late, revoked},
		{"adopt over another login", adopt, &login, 8, lease.Late, revoked},
		{"adopt over a newer set", adopt, &renewed, 8, lease.Late, nothing},
		{"adopt over itself", adopt, &mine, 8, lease.Stored, nothing},
		{"refuse under its own intent", refusal, &base, 8, lease.Rewrite, string(lease.Denied)},
		{"refuse what is refused", refusal, &dead, 8, lease.Stored, nothing},
		{"refuse under another intent", refusal, &foreign, 8, lease.Late, nothing},
		{"refuse a newer set", refusal, &renewed, 8, lease.Late, nothing},
		{"refuse nothing", refusal, nil, 0, lease.Late, nothing},
		{"release its own intent", release, &base, 8, lease.Rewrite, "a3"},
		{"release another intent", release, &foreign, 8, lease.Late, nothing},
		{"undo its own intent", undo, &base, 8, lease.Rewrite, "a3"},
		{"undo what may still be written", undo, &before, 7, lease.Rewrite, "a3"},
		{"undo what cannot be written any more", undo, &before, 8, lease.Late, nothing},
	} {
		next, got := rules().Resolve(tt.claim, tt.current, tt.version, at(time.Hour))
		wrote := ""
		switch {
		case next == nil:
		case len(next.Queue) > 0 && next.Queue[len(next.Queue)-1].Token == "a4":
			wrote = revoked
		case next.Over != "":
			wrote = next.Over
		default:
			wrote = next.Token.Access
		}
		if got != tt.want || wrote != tt.next {
			t.Errorf("%s: Resolve = %v, writes %q, want %v, %q", tt.name, got, wrote, tt.want, tt.next)
		}
	}
	next, _ := rules().Resolve(undo, &base, 8, at(0))
	if next.Intent != before.Intent || next.Doubts != 0 {
		t.Errorf("undo leaves %+v and %d doubts, want what was there before", next.Intent, next.Doubts)
	}
	next, _ = rules().Resolve(release, &base, 8, at(0))
	if next.Intent.ID != "" || next.Failures != 1 || !next.RetryAt.Equal(start) {
		t.Errorf("release leaves intent %q, %d failures, retry at %s", next.Intent.ID, next.Failures, next.RetryAt)
	}
	next, _ = rules().Resolve(adopt, &forfeited, 8, at(0))
	if len(next.Queue) != 0 || next.Over != "" || next.Serial != 4 {
		t.Errorf("adopt over a forfeit leaves queue %v, over %q, serial %d", next.Queue, next.Over, next.Serial)
	}
}

// An answer without a refresh token or a scope leaves the old ones.
func TestAdoptionKeepsWhatTheAnswerOmits(t *testing.T) {
	base := with(announced("me"), func(r *lease.Record) { r.Token.Scope = "read" })
	next, _ := rules().Resolve(lease.Adoption(&base, lease.Token{Access: "a4"}), &base, 1, at(0))
	want := lease.Token{ID: "me1", Access: "a4", Refresh: "r3", Scope: "read", Refreshed: true}
	if next.Token != want {
		t.Errorf("token = %+v, want %+v", next.Token, want)
	}
}

func TestLeave(t *testing.T) {
	for _, tt := range []struct {
		over        string
		login       string        // of the tokens; l1 is stored
		before      time.Duration // that the exchange was before that of l1
		single, all bool
		want        bool
	}{
		{"", "l1", 0, false, false, true},
		{"", "l0", time.Hour, false, false, false},
		{"", "l0", time.Hour, true, false, true},
		{"", "l0", 30 * time.Second, true, false, false}, // it may be the later one
		{"", "l0", 0, false, true, true},
		{lease.NoGrant, "l1", 0, true, true, false},
		{lease.NoGrant, "l0", time.Hour, true, true, false},
		{lease.Denied, "l1", 0, false, false, false},
		{lease.Denied, "l1", 0, true, false, false},
		{lease.Denied, "l0", time.Hour, true, false, true},
		{lease.Denied, "l1", 0, false, true, true},
	} {
		c := rules()
		c.SingleGrant, c.RevokesAll = tt.single, tt.all
		got := c.Leave(tt.login, start.Add(-tt.before), &lease.Record{Login: "l1", Over: tt.over, Exchanged: start})
		if got != tt.want {
			t.Errorf("Leave(%s, %s, over %q, single %t, all %t) = %t, want %t", tt.login, tt.before, tt.over, tt.single, tt.all, got, tt.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		n      uint64
		asked  time.Duration
		jitter uint64
		want   time.Duration
	}{
		{1, 0, 0, 500 * time.Millisecond},
		{1, 0, uint64(500 * time.Millisecond), time.Second},
		{3, 0, 0, 2 * time.Second},
		{6, 0, 0, 16 * time.Second},
		{7, 0, 0, 30 * time.Second},
		{math.MaxUint64, 0, uint64(30 * time.Second), time.Minute},
		{1, time.Minute, 0, time.Minute},
		{1, time.Hour, 0, 5 * time.Minute},
	} {
		if got := lease.Backoff(tt.n, tt.asked, tt.jitter); got != tt.want {
			t.Errorf("Backoff(%d, %s, %d) = %s, want %s", tt.n, tt.asked, tt.jitter, got, tt.want)
		}
	}
}

func TestEnqueue(t *testing.T) {
	r := lease.Record{}
	r.Queue = r.Enqueue(lease.Token{ID: "x", Access: "a", Refresh: "r"}, start, start.Add(time.Hour))
	want := []lease.Revocation{
		{Set: "x", Refresh: true, Token: "r", Since: start, Next: start.Add(time.Hour)},
		{Set: "x", Token: "a", Since: start, Next: start.Add(time.Hour)},
	}
	if !reflect.DeepEqual(r.Queue, want) {
		t.Errorf("Enqueue = %+v, want the refresh token first: %+v", r.Queue, want)
	}
	if got := r.Enqueue(lease.Token{ID: "x", Access: "a", Refresh: "r"}, start, start); len(got) != 2 {
		t.Errorf("Enqueue of a set twice has %d entries, want 2", len(got))
	}
	for i := range lease.MaxQueue {
		r.Queue = r.Enqueue(lease.Token{ID: fmt.Sprint(i), Access: "a"}, start, start)
	}
	if len(r.Queue) != lease.MaxQueue || r.Queue[0].Set != "0" {
		t.Errorf("a full queue has %d entries and begins with %q, want %d and 0", len(r.Queue), r.Queue[0].Set, lease.MaxQueue)
	}
}

// Attempts are announced with pauses that double.
func TestAttempt(t *testing.T) {
	for _, tt := range []struct {
		attempts uint64
		at       time.Duration
		pause    time.Duration // 0: not attempted
	}{
		{0, -time.Second, 0},
		{0, 0, 10 * time.Second},
		{1, 0, 20 * time.Second},
		{8, 0, 2560 * time.Second},
		{9, 0, time.Hour},
		{1000, 0, time.Hour},
	} {
		r := lease.Record{Queue: []lease.Revocation{{Set: "x", Token: "a", Since: start, Next: start, Attempts: tt.attempts}}}
		next, batch := rules().Attempt(&r, at(tt.at))
		if len(next.Queue) != 1 || (len(batch) > 0) != (tt.pause > 0) {
			t.Errorf("Attempt(%d, %s) leaves %d and attempts %d", tt.attempts, tt.at, len(next.Queue), len(batch))
			continue
		}
		if tt.pause > 0 && (next.Queue[0].Next != start.Add(tt.at+tt.pause) || next.Queue[0].Attempts != tt.attempts+1) {
			t.Errorf("Attempt(%d, %s) = %+v, want the next one %s later", tt.attempts, tt.at, next.Queue[0], tt.pause)
		}
		if r.Queue[0].Attempts != tt.attempts {
			t.Error("Attempt has changed the record")
		}
	}
}

func TestDue(t *testing.T) {
	later := lease.Revocation{Next: start.Add(2 * time.Hour)}
	soon := lease.Revocation{Next: start.Add(time.Hour)}
	for _, tt := range []struct {
		name   string
		record *lease.Record
		want   time.Duration // since the start; 0 is never
	}{
		{"no record", nil, 0},
		{"alive", new(alive()), 0},
		{"queue", &lease.Record{Queue: []lease.Revocation{later, soon}}, time.Hour},
		{"tombstone", &lease.Record{Over: lease.NoGrant, Ended: start}, 24 * time.Hour},
		{"tombstone with a queue", &lease.Record{Over: lease.NoGrant, Ended: start, Queue: []lease.Revocation{later}}, 2 * time.Hour},
	} {
		want := time.Time{}
		if tt.want != 0 {
			want = start.Add(tt.want)
		}
		if got := rules().Due(tt.record); !got.Equal(want) {
			t.Errorf("%s: Due = %s, want %s", tt.name, got, want)
		}
	}
}
