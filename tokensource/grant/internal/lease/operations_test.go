package lease_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// How a renewal ends, for each way in which an effect can end.
func TestRenewalEnds(t *testing.T) {
	announce := func(o *op) *op { return o.until(lease.Swap) }
	request := func(o *op) *op { return o.until(lease.Redeem) }
	waiting := func(o *op) *op {
		other := o.world.process("other")
		other.begin(other.renewal()).until(lease.Redeem)
		return o.until(lease.Wait)
	}
	for _, tt := range []struct {
		name   string
		until  func(*op) *op
		event  lease.Event
		reason lease.Reason
		pause  time.Duration
		intent bool // one is left behind
		undo   bool // it is to be withdrawn
		failed bool // a note of a failed attempt
	}{
		{"read fails", func(o *op) *op { return o }, lease.Event{}, lease.StoreFailed, 0, false, false, false},
		{"nothing is stored", func(o *op) *op { return o }, lease.Event{OK: true}, lease.NoGrant, 0, false, false, false},
		{"no request may be sent", announce, lease.Event{Refused: true, Pause: time.Second}, lease.Spaced, time.Second, false, false, false},
		{"announcement fails", announce, lease.Event{}, lease.StoreFailed, 0, false, false, false},
		{"announcement is unknown", announce, lease.Event{Unknown: true}, lease.StoreFailed, 0, false, true, false},
		{"answer is lost", request, lease.Event{Unknown: true}, lease.LostAnswer, time.Minute, true, false, true},
		{"server is busy", request, lease.Event{Pause: time.Minute}, lease.Spaced, time.Minute, false, false, true},
		{"client is refused", request, lease.Event{Private: true, Pause: time.Hour}, lease.Spaced, time.Hour, false, false, true},
		{"no connection", request, lease.Event{Unsent: true}, lease.Spaced, 500 * time.Millisecond, false, false, true},
		{"server refuses", request, lease.Event{Refused: true, Code: "x"}, lease.Denied, 0, false, false, false},
		{"wait is ended", waiting, lease.Event{}, lease.Overtaken, 0, true, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.process("p")
			p.loggedIn()
			o := tt.until(p.begin(p.renewal())).step(tt.event)
			out := o.run()
			if out.Reason() != tt.reason || out.Pause != tt.pause {
				t.Errorf("outcome = %q after %s, want %q after %s", out.Reason(), out.Pause, tt.reason, tt.pause)
			}
			if got := w.record().Intent.ID != ""; got != tt.intent {
				t.Errorf("an intent is left: %t, want %t", got, tt.intent)
			}
			if got := p.local.Undo != nil; got != tt.undo {
				t.Errorf("an intent is to be withdrawn: %t, want %t", got, tt.undo)
			}
			if got := o.noted(func(n lease.Notes) bool { return n.Failed }) == 1; got != tt.failed {
				t.Errorf("a note of a failure: %t, want %t", got, tt.failed)
			}
		})
	}
}

// A refused grant is dead, its tokens are gone, and that is noted once (G7).
func TestRefusalEndsGrant(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	w.end(1)
	o := p.begin(p.renewal())
	out := o.run()
	r := w.record()
	if out.Reason() != lease.Denied || r.Over != lease.Denied || r.Code != "invalid_grant" || r.Token.Access != "" || r.Token.Refresh != "" {
		t.Errorf("outcome %q, stored over %q, code %q, tokens %+v", out.Reason(), r.Over, r.Code, r.Token)
	}
	if n := o.noted(func(n lease.Notes) bool { return n.Died }); n != 1 {
		t.Errorf("%d notes that the grant died, want one", n)
	}
	if out := p.begin(&lease.Renewal{}).run(); out.Reason() != lease.Denied || len(w.sent) != 1 {
		t.Errorf("the next renewal: %q after %d requests, want %q after 1", out.Reason(), len(w.sent), lease.Denied)
	}
}

// A refusal is void when another process has stored new tokens (G6).
func TestRefusalIsVoidAfterNewTokens(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	o := a.begin(a.renewal()).until(lease.Redeem)
	b.loggedIn()
	if out := o.step(lease.Event{Refused: true}).run(); out.Reason() != "" || out.Record.Token.Access != w.record().Token.Access {
		t.Errorf("outcome = %q, want the token of the other process", out.Reason())
	}
	w.wantHeld()
}

// A refusal that cannot be stored is stored later.
func TestRefusalIsStoredLater(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	o := p.begin(p.renewal()).until(lease.Redeem).step(lease.Event{Refused: true, Code: "x"})
	if out := o.fail(); out.Reason() != lease.StoreFailed {
		t.Errorf("outcome = %q, want %q", out.Reason(), lease.StoreFailed)
	}
	chore := p.begin(&lease.Chore{})
	chore.run()
	if r := w.record(); r.Over != lease.Denied || chore.noted(func(n lease.Notes) bool { return n.Died }) != 1 {
		t.Errorf("over = %q, want %q and a note of it", r.Over, lease.Denied)
	}
}

// A refusal whose write took effect unnoticed is known at once.
func TestRefusalAfterLostWrite(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	o := p.begin(p.renewal()).until(lease.Redeem).step(lease.Event{Refused: true})
	o.perform()
	if out := o.answer(lease.Unknown).run(); out.Reason() != lease.Denied || o.noted(func(n lease.Notes) bool { return n.Died }) != 1 {
		t.Errorf("outcome = %q, want %q and a note of it", out.Reason(), lease.Denied)
	}
}

// An attempt that failed after a takeover leaves the doubt in the record (G3).
// If no request was sent, the abandoned intent comes back as well.
func TestFailureKeepsDoubt(t *testing.T) {
	for _, unsent := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		a.loggedIn()
		a.begin(a.renewal()).until(lease.Redeem) // it crashes
		before := w.record()
		b.begin(b.renewal()).until(lease.Redeem).step(lease.Event{Unsent: unsent}).run()
		r := w.record()
		if unsent && (r.Doubts != 0 || r.Intent != before.Intent) || !unsent && (r.Doubts != 1 || r.Intent.ID != "") {
			t.Errorf("unsent %t: %d doubts, intent %q", unsent, r.Doubts, r.Intent.ID)
		}
		if r.Failures != 1 || !r.RetryAt.After(b.wall()) {
			t.Errorf("unsent %t: %d failures, retry at %s", unsent, r.Failures, r.RetryAt)
		}
	}
}

// A failure that concerns one process is not in the record, where it would
// delay the other processes. The doubt stays there (G3).
func TestFailureOfOneProcessDelaysNoOther(t *testing.T) {
	for _, unsent := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		a.loggedIn()
		a.begin(a.renewal()).until(lease.Redeem) // it crashes
		b.begin(b.renewal()).until(lease.Redeem).step(lease.Event{Private: true, Unsent: unsent, Pause: time.Hour}).run()
		if r := w.record(); r.Failures != 0 || !r.RetryAt.IsZero() || (r.Doubts == 1) == unsent {
			t.Errorf("unsent %t: %d failures, retry at %s, %d doubts", unsent, r.Failures, r.RetryAt, r.Doubts)
		}
	}
}

// The server may have issued no access token that can be sent. Then nothing
// was renewed moments ago, and the next attempt waits for the shell alone.
func TestSetWithoutAccessTokenIsRedeemedAgain(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	out := p.begin(p.renewal()).until(lease.Redeem).step(lease.Event{OK: true, Token: lease.Token{Refresh: "r9", Obtained: p.wall()}}).run()
	if r := w.record(); out.Reason() != lease.JustRenewed || r.Token.Refresh != "r9" || r.Over != "" {
		t.Errorf("the renewal ended with %q, and %q is stored", out.Reason(), r.Token.Refresh)
	}
	if do := p.begin(&lease.Renewal{}).until(lease.Redeem).effect; do.Token != "r9" {
		t.Errorf("%q is sent, want r9", do.Token)
	}
}

// A process withdraws its own intent before it announces another one (G3).
func TestRenewalWithdrawsIntentFirst(t *testing.T) {
	for _, effect := range []bool{false, true} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		o := p.begin(p.renewal()).until(lease.Swap)
		if effect {
			o.perform()
		}
		o.answer(lease.Unknown).run()
		if out := p.begin(p.renewal()).fail(); out.Reason() != lease.StoreFailed || p.local.Undo == nil {
			t.Errorf("effect %t: a renewal while the store fails: %q, want %q", effect, out.Reason(), lease.StoreFailed)
		}
		next := p.begin(p.renewal()).until(lease.Redeem)
		if r := w.record(); p.local.Undo != nil || r.Doubts != 0 {
			t.Errorf("effect %t: %d doubts, an intent is to be withdrawn: %t; want none", effect, r.Doubts, p.local.Undo != nil)
		}
		if out := next.run(); out.Reason() != "" {
			t.Errorf("effect %t: the renewal ended with %q", effect, out.Reason())
		}
	}
}

// A server that issues the rejected token once more has not renewed it (G19).
func TestSameTokenAgain(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	old := p.loggedIn()
	o := p.begin(p.renewal()).until(lease.Redeem).step(lease.Event{OK: true, Token: lease.Token{Access: old.Access, Refresh: "r9"}})
	if out := o.run(); out.Reason() != lease.JustRenewed {
		t.Errorf("outcome = %q, want %q", out.Reason(), lease.JustRenewed)
	}
	if r := w.record(); r.Token.Refresh != "r9" {
		t.Errorf("stored refresh token = %q, want the new one", r.Token.Refresh)
	}
}

// An answer whose access token cannot be sent is stored for its refresh token,
// and is no success (G14).
func TestAccessTokenThatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	o := p.begin(p.renewal()).until(lease.Redeem).step(lease.Event{OK: true, Token: lease.Token{Refresh: "r9"}})
	if out := o.run(); out.Reason() != lease.JustRenewed || w.record().Token.Refresh != "r9" {
		t.Errorf("outcome = %q, stored %q, want %q and r9", out.Reason(), w.record().Token.Refresh, lease.JustRenewed)
	}
}

// A request that could outlive its intent is not sent (G1).
func TestSlowStore(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	o := p.begin(p.renewal()).until(lease.Swap)
	ev := o.perform()
	w.now += 50 * time.Second
	if out := o.step(ev).run(); out.Reason() != lease.Spaced || len(w.sent) != 0 {
		t.Errorf("outcome = %q after %d requests, want %q after none", out.Reason(), len(w.sent), lease.Spaced)
	}
	if r := w.record(); r.Intent.ID != "" {
		t.Error("the intent was left behind")
	}
}

// A lost answer of the store does not lose tokens, and they are written once
// (G4).
func TestAdoptionAfterLostWrite(t *testing.T) {
	for _, effect := range []bool{false, true} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		o := p.begin(p.renewal()).until(lease.Redeem).do()
		if effect {
			o.perform()
		}
		version := w.version
		if out := o.answer(lease.Unknown).run(); out.Reason() != "" || p.local.Pending != nil {
			t.Errorf("effect %t: outcome %q, want a stored token", effect, out.Reason())
		}
		w.wantHeld()
		if effect && w.version != version {
			t.Error("the tokens were written twice")
		}
	}
}

// New tokens are written three times, with pauses, before they are served from
// memory (G4).
func TestAdoptionIsTriedAgain(t *testing.T) {
	for _, result := range []lease.Result{lease.Failed, lease.Unknown} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		o := p.begin(p.renewal()).until(lease.Redeem).do()
		began, swaps := w.now, 0
		for o.effect.Do() != lease.Return && swaps < 10 {
			if o.effect.Do() == lease.Swap {
				swaps++
				o.answer(result)
			} else {
				o.do()
			}
		}
		if swaps != 3 || w.now-began != 300*time.Millisecond || p.local.Pending == nil {
			t.Errorf("%d writes in %s, pending: %t; want 3 in 300ms, and pending", swaps, w.now-began, p.local.Pending != nil)
		}
	}
}

// Tokens that the store has refused are served from memory, until an API
// rejects them (G4).
func TestPendingTokensAreServed(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	o := p.begin(p.renewal()).until(lease.Redeem).do()
	out := o.fail()
	if out.Reason() != "" || out.Version != 0 || o.noted(func(n lease.Notes) bool { return n.Unsaved }) != 1 {
		t.Fatalf("outcome = %q, version %d; want unsaved tokens", out.Reason(), out.Version)
	}
	first := out.Record.Token.Access
	if out := p.begin(&lease.Renewal{}).run(); out.Record.Token.Access != first || p.local.Pending == nil {
		t.Errorf("the next renewal returns %q, want %q from memory", out.Record.Token.Access, first)
	}
	if out := p.begin(&lease.Renewal{Rejected: first}).fail(); out.Reason() != lease.StoreFailed {
		t.Errorf("a renewal while the store fails: %q, want %q", out.Reason(), lease.StoreFailed)
	}
	w.now += time.Minute
	if out := p.begin(&lease.Renewal{Rejected: first}).run(); out.Reason() != "" || p.local.Pending != nil || w.record().Serial != 2 {
		t.Errorf("a renewal of the unsaved token: %q, serial %d, want two token sets stored", out.Reason(), w.record().Serial)
	}
}

// A Chore goes on while the store fails, and tries once more when its wait is
// ended.
func TestChoreGoesOn(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	p.begin(p.renewal()).until(lease.Redeem).do().fail()
	chore := p.begin(&lease.Chore{})
	for _, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		chore.until(lease.Read).answer(lease.Failed)
		if want *= time.Millisecond; chore.effect.Do() != lease.Wait || chore.effect.For != want {
			t.Fatalf("effect %d for %s, want to wait %s", chore.effect.Do(), chore.effect.For, want)
		}
		if want < time.Second {
			chore.do()
		}
	}
	chore.answer(lease.Failed).until(lease.Read)
	if out := chore.answer(lease.Failed).run(); out.Reason() != lease.StoreFailed {
		t.Errorf("outcome = %q, want %q", out.Reason(), lease.StoreFailed)
	}
}

// A tombstone is deleted after a day, and not while it has tokens (G20).
func TestTombstoneIsDeleted(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	w.stuck = true
	p.begin(&lease.Logout{}).run()
	w.now += 25 * time.Hour
	p.begin(&lease.Chore{}).run()
	if w.stored == nil {
		t.Fatal("a tombstone with tokens was deleted")
	}
	w.stuck = false
	p.loggedIn()
	p.begin(&lease.Logout{}).run()
	w.now += 24*time.Hour - time.Second
	p.begin(&lease.Chore{}).run()
	if w.stored == nil {
		t.Fatal("a tombstone was deleted before its time")
	}
	w.now += 25 * time.Hour
	p.begin(&lease.Chore{}).run()
	if out := p.begin(&lease.Chore{}).run(); w.stored != nil || out.Reason() != "" || w.live() != 0 {
		t.Errorf("stored: %t, outcome %q, %d tokens live; want nothing", w.stored != nil, out.Reason(), w.live())
	}
	if out := p.begin(&lease.Chore{}).run(); out.Record != nil || !out.Due.IsZero() {
		t.Errorf("a Chore without a record: %+v", out)
	}
}

// Revocations are given up after a week, and that is noted (G20).
func TestRevocationIsGivenUp(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	w.stuck = true
	p.begin(&lease.Logout{}).run()
	given := 0
	for range 500 {
		if w.stored == nil {
			break
		}
		chore := p.begin(&lease.Chore{})
		out := chore.run()
		given += chore.noted(func(n lease.Notes) bool { return n.Unrevoked })
		w.now += max(0, out.Due.Sub(p.wall()))
	}
	if given != 1 || w.stored != nil || w.now < 7*24*time.Hour {
		t.Errorf("%d notes, a record is left: %t, after %s; want one, none, a week", given, w.stored != nil, w.now)
	}
}

// A revocation that was not attempted for a week is not given up (G20).
func TestRevocationIsAttemptedAfterAWeek(t *testing.T) {
	for _, m := range []machine{&lease.Chore{}, &lease.Logout{}} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		w.stuck = true
		p.begin(&lease.Logout{}).run()
		w.stuck = false
		w.now += 8 * 24 * time.Hour
		o := p.begin(m)
		o.run()
		if w.live() != 0 || o.noted(func(n lease.Notes) bool { return n.Unrevoked }) != 0 {
			t.Errorf("%T: %d tokens live, want none", m, w.live())
		}
	}
}

// A revocation that was not sent is not given up, however old it is (G20).
func TestRevocationThatWasNotSentIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		answer lease.Event
		given  bool
	}{"not sent": {lease.Event{Unsent: true}, false}, "failed": {lease.Event{}, true}} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		w.stuck = true
		p.begin(&lease.Logout{}).run()
		queued := len(p.record().Queue)
		w.now += 8 * 24 * time.Hour
		o := p.begin(&lease.Chore{}).until(lease.Revoke)
		for range queued {
			o.step(tt.answer)
		}
		o.run()
		left := w.stored != nil && len(p.record().Queue) == queued
		if noted := o.noted(func(n lease.Notes) bool { return n.Unrevoked }); left == tt.given || (noted > 0) != tt.given {
			t.Errorf("%s: the queue is kept: %t, %d notes; want it given up: %t", name, left, noted, tt.given)
		}
	}
}

// A queue that is full drops its oldest entries, and that is noted (G10).
func TestQueueIsBounded(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	for range lease.MaxQueue / 2 {
		p.loggedIn()
	}
	first := w.record().Queue[0].Set
	login := p.begin(p.login())
	login.run()
	r := w.record()
	if len(r.Queue) != lease.MaxQueue || r.Queue[0].Set == first || login.noted(func(n lease.Notes) bool { return n.Unrevoked }) != 1 {
		t.Errorf("%d entries, from %s on, want %d without %s, and a note", len(r.Queue), r.Queue[0].Set, lease.MaxQueue, first)
	}
}

// A queue that drops the refresh token of its oldest set, and keeps the access
// token, says so (G10).
func TestQueueDropsHalfOfASet(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	for range lease.MaxQueue/2 - 1 {
		p.loggedIn()
	}
	login := p.login()
	login.Token.Refresh = ""
	p.begin(login).run() // the queue is full
	before := w.record().Queue
	last := p.begin(p.login()) // queues the access token alone
	last.run()
	after := w.record().Queue
	if len(before) != lease.MaxQueue || after[0] != before[1] || !before[0].Refresh {
		t.Fatalf("the queue begins with %+v, want the token after the refresh token %+v", after[0], before[0])
	}
	if n := last.noted(func(n lease.Notes) bool { return n.Unrevoked }); n != 1 {
		t.Errorf("%d notes that a token is not revoked, want one", n)
	}
}

// An attempt to revoke is announced, so that others leave the token alone, and
// a crash costs one pause (G20).
func TestRevocationIsAnnounced(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	a.loggedIn() // the tokens of the first login are queued
	chore := a.begin(&lease.Chore{}).until(lease.Revoke)
	if out := b.begin(&lease.Chore{}).run(); out.Due.Sub(b.wall()) != 10*time.Second {
		t.Errorf("due in %s, want 10s", out.Due.Sub(b.wall()))
	}
	_ = chore // it crashes
	w.now += 10 * time.Second
	b.begin(&lease.Chore{}).run()
	if w.live() != 2 || len(w.record().Queue) != 0 {
		t.Errorf("%d tokens live, %d queued; want 2 and none", w.live(), len(w.record().Queue))
	}
}

// Confirmed revocations leave the queue, though the record has changed or the
// answer of the store was lost (G20).
func TestRevocationIsRemoved(t *testing.T) {
	for _, tt := range []struct {
		name   string
		effect bool
		result lease.Result
	}{{"conflict", false, lease.Conflict}, {"unknown with effect", true, lease.Unknown}, {"record is gone", false, lease.Conflict}} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		p.loggedIn()
		chore := p.begin(&lease.Chore{}).until(lease.Revoke).do().until(lease.Swap)
		switch {
		case tt.name == "record is gone":
			w.stored, w.version = nil, 0
		case tt.effect:
			chore.perform()
		default:
			w.swap(lease.Effect{Record: w.record(), Version: w.version})
		}
		out := chore.answer(tt.result).run()
		if w.stored != nil && len(w.record().Queue) != 0 || out.Reason() != "" {
			t.Errorf("%s: outcome %q, and revocations are left", tt.name, out.Reason())
		}
	}
}

// The index is written before the record that needs it (G20).
func TestDueIsEntered(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	login := p.begin(p.login()).until(lease.Swap)
	if !login.effect.Due.IsZero() {
		t.Errorf("a first login is due at %s, want never", login.effect.Due)
	}
	login.run()
	logout := p.begin(&lease.Logout{}).until(lease.Swap)
	if got := logout.effect.Due.Sub(p.wall()); got != 10*time.Second {
		t.Errorf("a logout is due in %s, want 10s", got)
	}
	w.stuck = true
	logout.run()
	again := p.begin(p.login()).until(lease.Swap)
	if !again.effect.Due.IsZero() {
		t.Errorf("a login that is due no earlier is entered again, at %s", again.effect.Due)
	}
}

// How a login and a logout end when the store fails.
func TestStoreFails(t *testing.T) {
	for _, do := range []lease.Do{lease.Read, lease.Swap} {
		for _, result := range []lease.Result{lease.Failed, lease.Unknown} {
			if do == lease.Read && result == lease.Unknown {
				continue
			}
			w := newWorld(t)
			p := w.process("p")
			p.loggedIn()
			login, again := p.login(), p.login()
			for name, m := range map[string]machine{"login": login, "logout": &lease.Logout{}, "interrupted login": again} {
				o, failures := p.begin(m), 0
				for o.effect.Do() != lease.Return && failures < 10 {
					switch {
					case o.effect.Do() == do:
						failures++
						o.answer(result)
					case o.effect.Do() == lease.Wait && m == again:
						o.answer(lease.Failed)
					default:
						o.do()
					}
				}
				want := 3
				if m == again {
					want = 1
				}
				if o.effect.Outcome.Reason() != lease.StoreFailed || failures != want {
					t.Errorf("%s: %q after %d failures, want %q after %d", name, o.effect.Outcome.Reason(), failures, lease.StoreFailed, want)
				}
			}
			if out := p.begin(login).run(); out.Reason() != "" || w.record().Login != login.ID {
				t.Errorf("the login that is stepped again: %q, stored %s, want %s", out.Reason(), w.record().Login, login.ID)
			}
		}
	}
}

// A login after a logout or a death begins an epoch, and a login over an alive
// grant keeps it (G7).
func TestEpoch(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	epoch := func() string { p.t.Helper(); p.loggedIn(); return w.record().Epoch }
	first := epoch()
	if got := epoch(); got != first {
		t.Errorf("a login over an alive grant has epoch %s, want %s", got, first)
	}
	p.begin(&lease.Logout{}).run()
	second := epoch()
	p.begin(p.renewal()).until(lease.Redeem).step(lease.Event{Refused: true}).run()
	third := epoch()
	if first == second || second == third {
		t.Errorf("epochs = %s, %s, %s, want three", first, second, third)
	}
}

// A login whose exchange was before a logout does not undo it, and one after it
// is stored at once (G12).
func TestLoginAfterLogout(t *testing.T) {
	for _, tt := range []struct {
		name     string
		after    time.Duration // from the exchange to the logout
		repeated bool
		want     lease.Reason
	}{
		{"long before", time.Minute, false, lease.NoGrant},
		{"long before, repeated", time.Minute, true, lease.NoGrant},
		{"at once", 0, false, ""},
		{"at once, repeated", 0, true, lease.NoGrant},
		{"long after", -time.Minute, false, ""},
		{"long after, repeated", -time.Minute, true, ""},
	} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		w.now = time.Hour
		p.begin(&lease.Logout{}).run()
		login := p.login()
		login.Exchanged, login.Repeated = login.Exchanged.Add(-tt.after), tt.repeated
		if out := p.begin(login).run(); out.Reason() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, out.Reason(), tt.want)
		}
		p.begin(&lease.Chore{}).run()
		if want := map[lease.Reason]int{"": 2, lease.NoGrant: 0}[tt.want]; w.live() != want {
			t.Errorf("%s: %d tokens live, want %d", tt.name, w.live(), want)
		}
	}
}

// A logout that is repeated revokes what is left, at once.
func TestLogoutAgain(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	if out := p.begin(&lease.Logout{}).run(); out.Reason() != "" || w.stored != nil {
		t.Errorf("logout without a grant: %q, stored %t", out.Reason(), w.stored != nil)
	}
	p.loggedIn()
	w.stuck = true
	for range 2 {
		if out := p.begin(&lease.Logout{}).run(); out.Reason() != lease.Unconfirmed {
			t.Errorf("logout = %q, want %q", out.Reason(), lease.Unconfirmed)
		}
	}
	w.stuck = false
	if out := p.begin(&lease.Logout{}).run(); out.Reason() != "" || w.live() != 0 {
		t.Errorf("logout = %q, %d tokens live, want success and none", out.Reason(), w.live())
	}
}

// A logout leaves a login alone that came while it was under way (G6).
func TestLogoutLeavesNewLoginAlone(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	logout := a.begin(&lease.Logout{}).until(lease.Swap)
	b.loggedIn()
	if out := logout.run(); out.Reason() != "" {
		t.Errorf("logout = %q, want success", out.Reason())
	}
	w.wantHeld()
	if w.live() != 2 {
		t.Errorf("%d tokens live, want those of the new login", w.live())
	}
}

// A logout whose write took effect unnoticed is not repeated over a new login.
func TestLogoutAfterLostWrite(t *testing.T) {
	for _, relogin := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		a.loggedIn()
		logout := a.begin(&lease.Logout{}).until(lease.Swap)
		logout.perform()
		if relogin {
			b.loggedIn()
		}
		if out := logout.answer(lease.Unknown).run(); out.Reason() != "" {
			t.Errorf("logout = %q, want success", out.Reason())
		}
		if alive := w.record().Over == ""; alive != relogin {
			t.Errorf("the grant is alive: %t, want %t", alive, relogin)
		}
		if n := logout.noted(func(n lease.Notes) bool { return n.LoggedOut }) > 0; n == relogin {
			t.Errorf("a note of the logout: %t, want %t", n, !relogin)
		}
	}
}

// Where a revocation ends all grants of a user, only a logout revokes (G4).
func TestRevokesAll(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.rules.RevokesAll = true
	p.loggedIn()
	p.loggedIn()
	if n := len(w.record().Queue); n != 0 {
		t.Errorf("a login queues %d revocations, want none", n)
	}
	p.begin(&lease.Logout{}).run()
	if n := w.live(); n != 2 { // the tokens of the first login, which this server has kept
		t.Errorf("%d tokens live after the logout, want 2", n)
	}
}

// A token in use is not revoked with a set that is dropped.
func TestSharedTokenIsKept(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	older := a.login()
	login := a.begin(older)
	w.now += time.Minute
	newer := b.login()
	newer.Token.Refresh = older.Token.Refresh // as some servers do
	b.begin(newer).run()
	login.run()
	a.begin(&lease.Chore{}).run()
	w.wantHeld()
	if _, live := w.access[older.Token.Access]; live {
		t.Error("the access token of the older login was not revoked")
	}
}

// A text that the server issues again is not revoked with the older set.
func TestSameRefreshTokenAgain(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	token := p.loggedIn()
	login := p.login()
	login.Token.Refresh = token.Refresh
	p.begin(login).run()
	for _, q := range w.record().Queue {
		if q.Token == token.Refresh {
			t.Error("the refresh token in use is to be revoked")
		}
	}
}

// How the deletion of a tombstone ends, when the store does not do it.
func TestTombstoneIsNotDeleted(t *testing.T) {
	for _, tt := range []struct {
		result lease.Result
		reason lease.Reason
	}{{lease.Failed, lease.StoreFailed}, {lease.Unknown, lease.StoreFailed}, {lease.Conflict, ""}} {
		w := newWorld(t)
		p := w.process("p")
		p.loggedIn()
		p.begin(&lease.Logout{}).run()
		w.now += 25 * time.Hour
		chore := p.begin(&lease.Chore{}).until(lease.Swap)
		if tt.result == lease.Conflict {
			p.loggedIn()
		}
		if out := chore.answer(tt.result).run(); out.Reason() != tt.reason || w.stored == nil {
			t.Errorf("result %d: %q, want %q and the record", tt.result, out.Reason(), tt.reason)
		}
	}
}
