package lease_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// Of two logins the later exchange stays (G6).
func TestOfTwoLoginsTheLaterExchangeStays(t *testing.T) {
	for _, tt := range []struct {
		name   string
		apart  time.Duration // between the exchanges
		skew   time.Duration // of the clock of the later one
		single bool
		kill   bool // the server ends the access tokens of the earlier grant
	}{
		{"far apart", time.Minute, 0, false, false},
		{"far apart, one grant", time.Minute, 0, true, true},
		{"close, one grant, clocks disagree", time.Second, -20 * time.Second, true, true},
		{"close, one grant, both access tokens work", time.Second, 0, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.process("a"), w.process("b")
			a.rules.SingleGrant, b.rules.SingleGrant, b.skew = tt.single, tt.single, tt.skew
			older := a.begin(a.login())
			w.now += tt.apart
			if tt.kill {
				w.end(1)
			}
			newer := b.login()
			if out := b.begin(newer).run(); out.Reason() != "" {
				t.Fatalf("the newer login: %q", out.Reason())
			}
			if out := older.run(); out.Reason() != lease.Overtaken {
				t.Errorf("the older login ended with %q, want %q", out.Reason(), lease.Overtaken)
			}
			if got := w.record().Login; got != newer.ID {
				t.Errorf("stored login = %s, want %s", got, newer.ID)
			}
			a.settle()
			if !tt.single && w.live() != 2 {
				t.Errorf("%d tokens live at the server, want those of one login", w.live())
			}
		})
	}
}

// Where the server keeps both grants, one of two logins stays and the other one
// is revoked (G6).
func TestOfTwoLoginsAtOnceOneIsRevoked(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	one, two := a.begin(a.login()), b.begin(b.login())
	two.run()
	one.run()
	a.settle()
	w.wantHeld()
	if w.live() != 2 {
		t.Errorf("%d tokens live at the server, want 2", w.live())
	}
}

// An older login that comes to the store after the logout of a newer one does
// not undo that logout (G12).
func TestOlderLoginAfterLogoutOfNewer(t *testing.T) {
	for _, tt := range []struct {
		single, killed bool // the newer login ended the older one
		apart          time.Duration
		want           lease.Reason
	}{
		{true, true, time.Second, lease.NoGrant},
		{true, true, 0, lease.NoGrant},
		{true, false, time.Second, ""},
		{false, false, time.Second, lease.NoGrant},
		{false, false, 0, ""}, // neither is older
	} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		a.rules.SingleGrant, b.rules.SingleGrant = tt.single, tt.single
		older := a.begin(a.login())
		w.now += tt.apart
		if tt.killed {
			w.end(1)
		}
		b.loggedIn()
		b.begin(&lease.Logout{}).run()
		if out := older.run(); out.Reason() != tt.want {
			t.Errorf("%+v: the older login ended with %q", tt, out.Reason())
		}
		a.begin(&lease.Chore{}).run()
		if n := w.live(); n != 0 && tt.want != "" {
			t.Errorf("%+v: %d tokens live after the logout", tt, n)
		}
	}
}

// Where the server keeps one grant of a user, a login removes the revocations
// of tokens that it has ended, and keeps those that it may not have ended
// (G20).
func TestLoginRemovesWhatItEnded(t *testing.T) {
	for _, tt := range []struct {
		after  time.Duration // the first login
		single bool
		all    bool
		want   int
	}{
		{time.Minute, false, false, 2}, {time.Minute, true, false, 0}, {time.Minute, false, true, 0},
		{time.Second, true, false, 2}, {time.Second, true, true, 0},
	} {
		for _, logout := range []bool{false, true} {
			w := newWorld(t)
			p := w.process("p")
			p.rules.SingleGrant, p.rules.RevokesAll = tt.single, tt.all
			p.loggedIn()
			if logout {
				w.stuck = true
				p.begin(&lease.Logout{}).run()
			}
			w.now += tt.after
			p.loggedIn()
			if got := len(w.record().Queue); got != tt.want {
				t.Errorf("%+v, logout %t: %d revocations, want %d", tt, logout, got, tt.want)
			}
		}
	}
}

// A login is stored, though a wrong clock has left times of the future (G18).
func TestLoginAfterWrongClock(t *testing.T) {
	for _, wrong := range []time.Duration{time.Minute, 5 * time.Hour} {
		for _, single := range []bool{false, true} {
			for _, end := range []string{"", "logout", "death"} {
				w := newWorld(t)
				a, b := w.process("a"), w.process("b")
				a.rules.SingleGrant, b.rules.SingleGrant, a.skew = single, single, wrong
				a.loggedIn()
				switch end {
				case "logout":
					a.begin(&lease.Logout{}).run()
				case "death":
					a.begin(a.renewal()).until(lease.Redeem).answer(lease.Refused).run()
				}
				w.now += time.Second
				if single {
					w.end(1)
				}
				login := b.login()
				if out := b.begin(login).run(); out.Reason() != "" || w.record().Login != login.ID {
					t.Errorf("clock ahead by %s, single %t, after %q: the login ended with %q", wrong, single, end, out.Reason())
				}
				b.begin(&lease.Chore{}).run()
				w.wantHeld()
			}
		}
	}
}

// A logout wins over a login that was exchanged before it, also when the clock
// of the host is wrong (G12).
func TestLogoutWhileLoginIsUnderWayWithWrongClock(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.skew = 5 * time.Hour
	a.loggedIn()
	login := b.begin(b.login()).do() // it has read the grant
	a.begin(&lease.Logout{}).run()
	if out := login.run(); out.Reason() != lease.NoGrant {
		t.Errorf("the login ended with %q, want %q", out.Reason(), lease.NoGrant)
	}
}

// A login over a dead grant is stored, though the clock of its host is behind
// (G7).
func TestLoginOverDeadGrant(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.rules.SingleGrant, b.rules.SingleGrant, b.skew = true, true, -20*time.Second
	a.loggedIn()
	a.begin(a.renewal()).until(lease.Redeem).step(lease.Event{Refused: true}).run()
	if login := b.begin(b.login()).do(); login.effect.Do() != lease.Swap {
		t.Errorf("effect %d after the read, want a write", login.effect.Do())
	} else {
		login.run()
	}
	w.wantHeld()
}

// afterLostWrite runs a login whose write takes effect and whose answer is
// lost. Then it lets other happen, and runs the login to its end.
func afterLostWrite(t *testing.T, other func(w *world, b *process)) (*world, lease.Outcome) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	login := a.begin(a.login()).until(lease.Swap)
	login.perform()
	other(w, b)
	return w, login.answer(lease.Unknown).run()
}

// A login that is written again does not undo a logout (G12).
func TestLoginAfterLostWriteDoesNotUndoLogout(t *testing.T) {
	w, _ := afterLostWrite(t, func(w *world, b *process) {
		w.stuck = true
		b.begin(&lease.Logout{}).run()
	})
	if r := w.record(); r.Over != lease.NoGrant {
		t.Errorf("the grant is alive after the logout, with %q", r.Token.Access)
	}
}

// A login that is written again does not undo a logout of the login that
// replaced it (G6).
func TestLoginAfterLostWriteDoesNotUndoLogoutOfItsSuccessor(t *testing.T) {
	for _, single := range []bool{false, true} {
		w, out := afterLostWrite(t, func(w *world, b *process) {
			b.rules.SingleGrant = single
			b.loggedIn()
			b.begin(&lease.Logout{}).run()
			w.now += time.Minute
		})
		if w.stored != nil && w.record().Over == "" || out.Reason() == "" {
			t.Errorf("the grant is alive after the logout (outcome %q)", out.Reason())
		}
	}
}

// A login that is written again does not put used tokens over the renewed ones
// (G4).
func TestLoginAfterLostWriteKeepsRenewedTokens(t *testing.T) {
	w, out := afterLostWrite(t, func(w *world, b *process) { b.begin(b.renewal()).run() })
	w.wantHeld()
	if out.Reason() != "" || w.record().Serial != 1 {
		t.Errorf("outcome %q, serial %d, want success and the renewed set", out.Reason(), w.record().Serial)
	}
	p := w.process("c")
	w.now += 2 * time.Hour
	if out := p.begin(&lease.Renewal{}).run(); out.Reason() != "" || len(w.dead) > 0 {
		t.Errorf("the next refresh: %q, grants that died of reuse: %v", out.Reason(), w.dead)
	}
}

// A login that is written again does not put revoked tokens over those of the
// login that replaced it (G4).
func TestLoginAfterLostWriteKeepsItsSuccessor(t *testing.T) {
	w, out := afterLostWrite(t, func(w *world, b *process) {
		b.loggedIn()
		b.begin(&lease.Chore{}).run()
	})
	w.wantHeld()
	if out.Reason() != lease.Overtaken {
		t.Errorf("the login ended with %q, want %q", out.Reason(), lease.Overtaken)
	}
}

// A login whose write took no effect is stored, though the older login was
// renewed meanwhile (G4).
func TestLoginAfterFailedWriteIsStored(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	b.loggedIn()
	login := a.login()
	o := a.begin(login).until(lease.Swap)
	b.begin(b.renewal()).run()
	if out := o.answer(lease.Unknown).run(); out.Reason() != "" || w.record().Login != login.ID {
		t.Errorf("the login ended with %q, stored %s, want %s", out.Reason(), w.record().Login, login.ID)
	}
}

// A login that is written again does not wipe the intent of a redemption (G1).
func TestLoginAfterLostWriteKeepsIntent(t *testing.T) {
	var renewal *op
	w, _ := afterLostWrite(t, func(w *world, b *process) { renewal = b.begin(b.renewal()).until(lease.Redeem) })
	renewal.perform()
	if w.record().Intent.ID == "" {
		t.Error("the intent is gone while the request is under way")
	}
}

// Tokens that arrive after a logout are revoked, though the first attempt fails
// (G20).
func TestLateTokensWaitInQueue(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	renewal := a.begin(a.renewal()).until(lease.Redeem).do()
	if out := b.begin(&lease.Logout{}).run(); out.Reason() != "" {
		t.Fatalf("logout: %q", out.Reason())
	}
	w.stuck = true
	if out := renewal.run(); out.Reason() != lease.NoGrant {
		t.Errorf("the renewal ended with %q, want %q", out.Reason(), lease.NoGrant)
	}
	if n := renewal.noted(func(n lease.Notes) bool { return n.Late }); n != 1 {
		t.Errorf("%d notes of late tokens, want one", n)
	}
	b.begin(&lease.Chore{}).run()
	if w.live() == 0 {
		t.Fatal("the revocation has not failed")
	}
	w.stuck = false
	w.now += time.Minute
	w.process("c").begin(&lease.Chore{}).run() // a process that took no part
	if w.live() != 0 {
		t.Errorf("%d tokens live after the logout", w.live())
	}
}

// Late tokens of a replaced login are revoked, whatever the clocks of the hosts
// say (G6).
func TestLateTokensOfReplacedLogin(t *testing.T) {
	for _, skew := range []time.Duration{-20 * time.Second, 0, 20 * time.Second} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		b.skew = skew
		a.loggedIn()
		renewal := a.begin(a.renewal()).until(lease.Redeem).do()
		b.loggedIn()
		if out := renewal.run(); out.Reason() != "" || out.Record.Token.Access != w.record().Token.Access {
			t.Errorf("skew %s: the renewal ended with %q, want the token of the new login", skew, out.Reason())
		}
		b.settle()
		if w.live() != 2 {
			t.Errorf("skew %s: %d tokens live, want those of the new login alone", skew, w.live())
		}
	}
}

// takenOver lets a redeem a token and lose the store. Then b takes over.
func takenOver(a, b *process) (successor *op) {
	a.loggedIn()
	holder := a.begin(a.renewal()).until(lease.Redeem).do()
	holder.fail()
	return b.begin(b.renewal())
}

// The holder's tokens win over the intent of a successor that obtains nothing
// (G4).
func TestHolderWinsOverIntentOfSuccessor(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	successor := takenOver(a, b)
	successor.until(lease.Redeem)
	chore := a.begin(&lease.Chore{})
	chore.run()
	if out := successor.answer(lease.Failed).run(); out.Reason() != "" {
		t.Errorf("the successor ended with %q, want the holder's token", out.Reason())
	}
	w.wantHeld()
	if n := chore.noted(func(n lease.Notes) bool { return n.Saved }); n != 1 {
		t.Errorf("%d notes that the tokens were saved, want one", n)
	}
	w.now += 2 * time.Hour
	if out := b.begin(&lease.Renewal{}).run(); out.Reason() != "" {
		t.Errorf("the next refresh ended with %q", out.Reason())
	}
}

// A login keeps the revocations of an unfinished logout (G20).
func TestLoginKeepsRevocationsOfLogout(t *testing.T) {
	w := newWorld(t)
	a := w.process("a")
	a.loggedIn()
	w.stuck = true
	if out := a.begin(&lease.Logout{}).run(); out.Reason() != lease.Unconfirmed {
		t.Fatalf("logout = %q, want %q", out.Reason(), lease.Unconfirmed)
	}
	a.loggedIn()
	w.stuck = false
	a.settle()
	if w.live() != 2 {
		t.Errorf("%d tokens live, want those of the new login alone", w.live())
	}
}

// A login in the process that holds unsaved tokens revokes them (G4).
func TestLoginRevokesPendingTokens(t *testing.T) {
	w := newWorld(t)
	a := w.process("a")
	a.loggedIn()
	renewal := a.begin(a.renewal()).until(lease.Redeem).do()
	if out := renewal.fail(); out.Reason() != "" || a.local.Pending == nil {
		t.Fatalf("the renewal ended with %q, want tokens from memory", out.Reason())
	}
	login := a.begin(a.login())
	login.run()
	if a.local.Pending != nil {
		t.Error("tokens of the old login are still served from memory")
	}
	if n := login.noted(func(n lease.Notes) bool { return n.Late }); n != 1 {
		t.Errorf("%d notes of late tokens, want one", n)
	}
	a.settle()
	if w.live() != 2 {
		t.Errorf("%d tokens live, want those of the new login alone", w.live())
	}
}

// The holder's tokens win over a grant that was given up in doubt (G4).
func TestHolderWinsOverForfeit(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.rules.Resends, b.rules.Resends = 0, 0
	successor := takenOver(a, b)
	if out := successor.run(); out.Reason() != lease.InDoubt || len(w.sent) != 1 {
		t.Fatalf("the successor ended with %q after %d requests, want %q after 1", out.Reason(), len(w.sent), lease.InDoubt)
	}
	if r := w.record(); r.Token.Refresh != "" || r.Token.Access != "" {
		t.Errorf("the dead record holds %q and %q", r.Token.Access, r.Token.Refresh)
	}
	if out := b.begin(&lease.Chore{}).run(); w.live() != 3 || out.Due.Sub(b.wall()) != time.Hour {
		t.Fatalf("%d tokens live, and the next are revoked in %s; want 3, 1h", w.live(), out.Due.Sub(b.wall()))
	}
	a.settle()
	w.wantHeld()
	if got := w.live(); got != 3 { // the first access token lives on at this server
		t.Errorf("%d tokens live, want 3", got)
	}
}

// A logout that was stopped does not revoke the tokens of a newer login that
// was given up in doubt meanwhile: their holder may still store their
// successors (G6).
func TestStoppedLogoutLeavesNewerForfeitAlone(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.process("a"), w.process("b"), w.process("c")
	a.rules.Resends, b.rules.Resends = 0, 0
	a.loggedIn()
	logout := c.begin(&lease.Logout{}).until(lease.Swap) // it is stopped
	if out := takenOver(a, b).run(); out.Reason() != lease.InDoubt {
		t.Fatalf("the successor ended with %q, want %q", out.Reason(), lease.InDoubt)
	}
	if out := logout.run(); out.Reason() != "" {
		t.Errorf("the logout ended with %q", out.Reason())
	}
	a.settle()
	w.wantHeld()
}

// When the revocation of a forfeited grant has begun, a late holder does not
// revive it: its tokens are revoked as well (G7).
func TestHolderDoesNotReviveRevokedForfeit(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.rules.Resends, b.rules.Resends = 0, 0
	successor := takenOver(a, b)
	successor.run()
	w.now += time.Hour
	w.stuck = true
	b.begin(&lease.Chore{}).run()
	w.stuck = false
	a.settle()
	if r := w.record(); r.Over != lease.InDoubt || w.live() != 0 {
		t.Errorf("over = %q and %d tokens live, want %q and none", r.Over, w.live(), lease.InDoubt)
	}
}

// Tokens are never written over a refusal (G7).
func TestHolderDoesNotWinOverRefusal(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	successor := takenOver(a, b)
	if out := successor.run(); out.Reason() != lease.InDoubt || len(w.dead) != 1 {
		t.Fatalf("the successor ended with %q, want a refusal because of reuse", out.Reason())
	}
	a.settle()
	if r := w.record(); r.Over != lease.InDoubt {
		t.Errorf("over = %q, want %q", r.Over, lease.InDoubt)
	}
}

// Tokens that were dropped are not reported as saved (G4).
func TestDroppedTokensAreNotSaved(t *testing.T) {
	for _, single := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		a.rules.SingleGrant, b.rules.SingleGrant = single, single
		a.loggedIn()
		a.begin(a.renewal()).until(lease.Redeem).do().fail()
		w.now += time.Minute
		b.loggedIn()
		chore := a.begin(&lease.Chore{})
		chore.run()
		if n := chore.noted(func(n lease.Notes) bool { return n.Saved }); n != 0 {
			t.Errorf("single %t: a note that the tokens were saved", single)
		}
		if n := chore.noted(func(n lease.Notes) bool { return n.Superseded && single || n.Late && !single }); n != 1 {
			t.Errorf("single %t: %d notes that the tokens were dropped, want one", single, n)
		}
	}
}

// A logout revokes the tokens that the process could not store (G12).
func TestLogoutRevokesPendingTokens(t *testing.T) {
	w := newWorld(t)
	a := w.process("a")
	a.loggedIn()
	renewal := a.begin(a.renewal()).until(lease.Redeem).do()
	logout := a.begin(&lease.Logout{}).until(lease.Swap) // it has read what was stored before
	renewal.fail()
	w.swap(lease.Effect{Record: w.record(), Version: w.version}) // as a re-encryption does
	if out := logout.run(); out.Reason() != "" {
		t.Fatalf("logout = %q", out.Reason())
	}
	if w.live() != 0 {
		t.Errorf("%d tokens live after a logout that reported success", w.live())
	}
}

// Tokens that became pending while the tombstone was written are revoked (G4).
func TestPendingTokensOutliveNoLogout(t *testing.T) {
	w := newWorld(t)
	a := w.process("a")
	a.loggedIn()
	renewal := a.begin(a.renewal()).until(lease.Redeem).do()
	logout := a.begin(&lease.Logout{}).until(lease.Swap)
	renewal.fail()
	logout.run()
	if a.local.Pending == nil {
		t.Fatal("the logout has dropped tokens that its tombstone does not contain")
	}
	a.settle()
	if w.live() != 0 {
		t.Errorf("%d tokens live after the logout", w.live())
	}
}

// A create that arrives late does not bring back a grant after its logout
// (G12).
func TestLateCreateAfterLogout(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	create := a.begin(a.login()).until(lease.Swap)
	b.loggedIn()
	b.begin(&lease.Logout{}).run()
	if ev := w.swap(create.effect); !ev.Conflict { // it arrives now
		t.Errorf("the late create ended with %d, want a conflict", ev.Result())
	}
	if out := create.answer(lease.Unknown).run(); out.Reason() != lease.NoGrant {
		t.Errorf("the login ended with %q, want %q", out.Reason(), lease.NoGrant)
	}
	a.settle()
	if w.live() != 0 {
		t.Errorf("%d tokens live after the logout", w.live())
	}
}

// An intent of this process ends by the monotonic clock, though the wall clock
// was set back (G18).
func TestOwnIntentEndsThoughTheClockIsSetBack(t *testing.T) {
	w := newWorld(t)
	a := w.process("a")
	a.loggedIn()
	rejected := a.renewal()
	if out := a.begin(rejected).until(lease.Redeem).answer(lease.Unknown).run(); out.Reason() != lease.LostAnswer || out.Pause != time.Minute {
		t.Fatalf("the renewal ended with %q and %s, want %q and a minute", out.Reason(), out.Pause, lease.LostAnswer)
	}
	a.skew = -time.Hour
	w.now += 30 * time.Second
	if out := a.begin(a.renewal()).run(); out.Reason() != lease.LostAnswer || out.Pause != 30*time.Second {
		t.Errorf("half a lease later: %q and %s, want %q and 30s", out.Reason(), out.Pause, lease.LostAnswer)
	}
	w.now += 30 * time.Second
	if out := a.begin(a.renewal()).run(); out.Reason() != "" {
		t.Errorf("a lease later: %q, want a token", out.Reason())
	}
}

// A store whose answers are lost does not bring a grant into doubt if no
// refresh token was sent (G3).
func TestMuteStoreBringsNothingIntoDoubt(t *testing.T) {
	w := newWorld(t)
	w.process("login").loggedIn()
	for _, name := range []string{"a", "b", "c"} {
		p := w.process(name)
		renewal := p.begin(p.renewal()).until(lease.Swap)
		renewal.perform()
		if out := renewal.answer(lease.Unknown).run(); out.Reason() != lease.StoreFailed {
			t.Fatalf("%s: the renewal ended with %q, want %q", name, out.Reason(), lease.StoreFailed)
		}
		for chore := p.begin(&lease.Chore{}); chore.effect.Do() != lease.Return; {
			ev := chore.perform()
			if chore.effect.Do() == lease.Swap {
				ev = lease.Event{Unknown: true} // whatever came of it
			}
			chore.step(ev)
		}
		if p.local.Undo != nil {
			t.Errorf("%s: the intent is still to be withdrawn", name)
		}
		w.now += 2 * time.Minute
	}
	if r := w.record(); r.Intent.ID != "" || r.Doubts != 0 || r.Over != "" || len(w.sent) != 0 {
		t.Errorf("intent %q, doubts %d, over %q, sent %v; want none", r.Intent.ID, r.Doubts, r.Over, w.sent)
	}
}

// An announcement of unknown outcome that arrives late is kept out (G3).
func TestLateAnnouncementIsKeptOut(t *testing.T) {
	w := newWorld(t)
	a := w.process("a")
	a.loggedIn()
	renewal := a.begin(a.renewal()).until(lease.Swap)
	announcement := renewal.effect
	renewal.answer(lease.Unknown).run()
	a.begin(&lease.Chore{}).run()
	if ev := w.swap(announcement); !ev.Conflict {
		t.Errorf("the late announcement ended with %d, want a conflict", ev.Result())
	}
}

// A process that has not looked while the store was away does not redeem as
// soon as the store is back (G1). The holder of the intent may have tokens to
// write.
func TestProcessThatDidNotLookWatchesAgain(t *testing.T) {
	w := newWorld(t)
	a, b := w.process("a"), w.process("b")
	a.loggedIn()
	holder := a.begin(a.renewal()).until(lease.Redeem).do()
	other := b.begin(b.renewal()).until(lease.Wait)
	holder.fail() // the store is away, and b is stopped
	w.now += 2 * time.Minute
	other.answer(lease.OK).do()
	if e := other.effect; e.Do() != lease.Wait || e.For != b.rules.Quiet {
		t.Fatalf("effect %d for %s, want to wait %s", e.Do(), e.For, b.rules.Quiet)
	}
	w.now += b.rules.Quiet
	if out := other.answer(lease.OK).answer(lease.Failed).run(); out.Reason() != lease.StoreFailed {
		t.Fatalf("outcome = %q, want %q", out.Reason(), lease.StoreFailed)
	}
	other = b.begin(b.renewal()).do() // the store is back after another outage
	if e := other.effect; e.Do() != lease.Wait || e.For != b.rules.Quiet {
		t.Fatalf("after a look that failed: effect %d for %s, want to wait %s", e.Do(), e.For, b.rules.Quiet)
	}
	a.begin(&lease.Chore{}).run()
	if out := other.run(); out.Reason() != "" || len(w.sent) != 1 {
		t.Errorf("outcome %q after %d requests, want the token of the holder after one", out.Reason(), len(w.sent))
	}
}

// A store that fails for any operation of a process interrupts its watch (G1).
func TestFailureOfStoreInterruptsWatch(t *testing.T) {
	for name, fail := range map[string]func(b *process){
		"renewal":        func(b *process) { b.begin(b.renewal()).fail() },
		"chore":          func(b *process) { b.begin(&lease.Chore{}).fail() },
		"login":          func(b *process) { b.begin(b.login()).fail() },
		"logout":         func(b *process) { b.begin(&lease.Logout{}).fail() },
		"claim, renewal": func(b *process) { b.local.Undo = someClaim(); b.begin(b.renewal()).until(lease.Read).do().fail() },
		"claim, chore":   func(b *process) { b.local.Undo = someClaim(); b.begin(&lease.Chore{}).answer(lease.Failed) },
		"end of a grant": func(b *process) { b.rules.Resends = 0; b.begin(b.renewal()).until(lease.Swap).answer(lease.Failed) },
	} {
		w := newWorld(t)
		a, b := w.process("a"), w.process("b")
		a.loggedIn()
		a.begin(a.renewal()).until(lease.Redeem)
		other := b.begin(b.renewal()).until(lease.Wait)
		w.now += 2 * time.Minute
		other.answer(lease.OK).do()
		w.now += b.rules.Quiet
		fail(b)
		if !b.local.Watch.Blind {
			t.Errorf("%s: the watch goes on", name)
		}
		b.local.Undo = nil
		b.rules.Resends = 1
		if e := b.begin(b.renewal()).do().effect; e.Do() != lease.Wait || e.For != b.rules.Quiet {
			t.Errorf("%s: effect %d for %s, want to wait %s", name, e.Do(), e.For, b.rules.Quiet)
		}
	}
}

// someClaim returns the withdrawal of an intent that is not stored.
func someClaim() *lease.Claim {
	r := announced("b")
	before := alive()
	return lease.Undo(&r, &before, 0)
}
