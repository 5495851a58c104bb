package lease_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// The doubts and the failures of a token set end with it (G3).
func TestNewTokensBeginWithoutDoubt(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	a.begin(a.renewal()).until(lease.Redeem) // it crashes
	b.begin(b.renewal()).until(lease.Redeem).answer(lease.Failed).run()
	if r := w.record(); r.Doubts != 1 || r.Failures != 1 {
		t.Fatalf("after a failure there are %d doubts and %d failures, want one each", r.Doubts, r.Failures)
	}
	w.now += time.Minute
	b.begin(b.renewal()).run()
	if r := w.record(); r.Doubts != 0 || r.Failures != 0 || !r.RetryAt.IsZero() || r.Intent.ID != "" {
		t.Errorf("new tokens have %d doubts, %d failures, a retry at %s and intent %q, want none",
			r.Doubts, r.Failures, r.RetryAt, r.Intent.ID)
	}
}

// A holder stores its tokens while another process gives the grant up. That
// process reads again, and takes the tokens (G6).
func TestHolderIsFasterThanForfeit(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.rules.Resends, b.rules.Resends = 0, 0
	successor := takenOver(a, b)
	successor.until(lease.Swap)
	a.begin(&lease.Chore{}).run()
	if out := successor.run(); out.Reason() != "" || successor.noted(func(n lease.Notes) bool { return n.Died }) != 0 {
		t.Errorf("outcome = %q, want the holder's token, and no note that the grant died", out.Reason())
	}
	w.wantHeld()
}

// A record that is due earlier than before is entered in the index again (G20).
func TestEarlierDueIsEntered(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.rules.Resends, b.rules.Resends = 0, 0
	successor := takenOver(a, b)
	if out := successor.run(); out.Due.Sub(b.wall()) != time.Hour {
		t.Fatalf("a grant in doubt is due in %s, want 1h", out.Due.Sub(b.wall()))
	}
	logout := b.begin(&lease.Logout{}).until(lease.Swap)
	if got := logout.effect.Due.Sub(b.wall()); got != 10*time.Second {
		t.Errorf("its logout is entered for %s from now, want 10s", got)
	}
}

// A process that does not get to announce an attempt to revoke leaves the token
// to the process that did (G20).
func TestRevocationIsLeftToOther(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	a.loggedIn() // the tokens of the first login are queued
	chore := a.begin(&lease.Chore{}).until(lease.Swap)
	b.begin(&lease.Chore{}).until(lease.Revoke)
	if chore.do(); chore.effect.Do() != lease.Return {
		t.Errorf("after a conflict the next effect is %d, want %d", chore.effect.Do(), lease.Return)
	}
}

// The access token of a set stays in the queue if only its refresh token was
// revoked (G20).
func TestRevocationOfOneToken(t *testing.T) {
	w := newWorld(t)
	p := w.process("p")
	p.loggedIn()
	logout := p.begin(&lease.Logout{}).until(lease.Revoke).do()
	out := logout.answer(lease.Failed).run()
	if q := w.record().Queue; out.Reason() != lease.Unconfirmed || len(q) != 1 || q[0].Refresh {
		t.Errorf("outcome %q with %d tokens in the queue, want %q and the access token", out.Reason(), len(q), lease.Unconfirmed)
	}
}

// A logout in the process that holds late tokens adds them to the tombstone of
// an earlier logout. It does not make that any younger (G7).
func TestLogoutWithLateTokensAfterLogout(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	takenOver(a, b)
	b.begin(&lease.Logout{}).run()
	ended := w.record().Ended
	w.now += time.Hour
	logout := a.begin(&lease.Logout{}).until(lease.Swap)
	logout.run()
	if r := w.record(); !r.Ended.Equal(ended) || a.local.Pending != nil || w.live() != 0 {
		t.Errorf("ended at %s with %d tokens live, want %s and none", r.Ended, w.live(), ended)
	}
}
