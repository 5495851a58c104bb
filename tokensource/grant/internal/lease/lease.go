// Package lease holds the rules by which processes share one OAuth grant, and
// the record in which a grant is stored.
//
// # What it is for
//
// A refresh token that can be used once must be redeemed once, for any number
// of processes, though each of them may crash at any moment and every answer of
// the store or the server may be lost. Before a process redeems the token, it
// writes an intent into the record by compare-and-swap. While the intent lives,
// other processes wait. An intent that outlives its lease shows that the
// refresh token may have been redeemed: it is in doubt.
//
// # Operations
//
// [Renewal], [Login], [Logout] and [Chore] are machines. Step gets an [Event],
// which says how the last effect ended, and returns the next [Effect]: read the
// record, swap it, redeem, revoke, probe, wait or return. The caller is called
// the shell here. It carries the effect out and steps again. The package itself
// has no clock, context, goroutine, lock, randomness or I/O. So a test can
// drive the same machines through every order of events.
//
// A machine and a [Local] are plain values. A copy is an independent machine in
// the same state. Records and claims never change once they are made.
//
// # States of a grant
//
//	            login
//	no record ──────────► alive ◄──────────────────────┐
//	    ▲                 │   ▲                        │ login
//	    │        announce │   │ adopt, release         │
//	    │                 ▼   │                        │
//	    │           alive, with intent ── abandoned ─┐ │
//	    │                 │     ▲                    │ │
//	    │          refuse │     └──── announce ──────┤ │
//	    │                 ▼                  forfeit │ │
//	    │               dead ◄───────────────────────┘ │
//	    │                 │ └── adopt, after a forfeit │
//	    │ a day           │     alone, or login ───────┤
//	    │                 ▼ logout, from every state   │
//	    └───────────── tombstone ──────────────────────┘
//
// # Transitions
//
// Every write replaces one version of the record, and fails if another version
// is stored.
//
//	announce  from  alive, no intent that lives; over an abandoned intent only
//	                while Rules.Resends permits one more request
//	          to    alive, the intent of the writer, and after an abandoned
//	                intent one doubt more (G1, G3)
//	adopt     from  alive with the redeemed token set and any intent, or
//	                dead by a forfeit of that set
//	          to    alive, the next token set (G4)
//	release   from  alive, the intent of the writer
//	          to    alive, the intent that was there before, or none (G3, G8)
//	refuse    from  alive, the intent of the writer
//	          to    dead, no tokens (G6, G7)
//	forfeit   from  alive, no intent that lives, and an access token that has
//	                expired or, in doubt, was rejected by an API. There is no
//	                refresh token, or Rules.Resends permits no more request
//	          to    dead; after a doubt, the tokens wait in the queue (G3)
//	login     from  anything but a later login or a later logout
//	          to    alive, the old tokens in the queue (G6)
//	logout    from  anything but a later login
//	          to    tombstone, all tokens in the queue (G12)
//	late      from  any state in which new tokens are not stored
//	          to    the same, or a tombstone where there is no record, with
//	                these tokens in the queue (G4)
//	revoke    from  a queue with something due
//	          to    the attempt announced, then the token removed (G20)
//	sweep     from  an old tombstone with an empty queue
//	          to    no record (G7)
//
// An intent lives while Rules.left is positive. An intent that stands there
// after that is abandoned.
//
// # Who may write over an intent
//
//	its own attempt                       always: adopt, refuse, release
//	a holder of new tokens for the same   always, also after it was slow: adopt
//	token set
//	a login, a logout                     always
//	any other renewal                     once the intent is abandoned:
//	                                      announce, forfeit
//
// All other writes keep the intent that they find. The rule for renewals is
// Rules.decide, and that for the outcome of an attempt is Rules.resolve. For a
// login and a logout it is Rules.precedence and Logout.endGrant.
//
// # When a refresh token is sent again
//
// Rules.decide is the only place that permits a request, and Renewal.redeemed
// judges how the last one ended.
//
//	no request left the process    again after a pause; an abandoned intent that
//	                               stood there before comes back
//	an error answer, such as 503   again after a pause, as often as it comes;
//	                               so is a refusal that nobody recognizes
//	no answer, or the process      once its intent is abandoned, as often as
//	died                           Rules.Resends permits; each time is a doubt
//	any other refusal              never: the grant is dead
//
// # When the answer of the store is lost
//
// The write may have taken effect, or may still do so. So the writer reads
// before it writes again.
//
//	new tokens, refusal, release   type write reads until it finds its own
//	                               write or what replaced it
//	an intent                      Renewal.announced sends nothing, and leaves
//	                               a release that a Chore or the next Renewal
//	                               writes
//	a login, a logout              Login.written and Logout.written read again
//	forfeit, revoke, sweep         the operation ends; the next one reads again
//
// # Invariants
//
// The numbers are those of docs/guarantees.md. This package keeps these:
//
//	G1   One redemption for each refresh token.
//	G2   No redemption while the store holds a usable token.
//	G3   A token whose answer is unknown is sent again only as Rules.Resends
//	     permits. After an error answer it is sent again after a pause.
//	G4   New tokens are stored before they are visible. Dropped tokens are
//	     revoked.
//	G6   A process that lost a race reads again. Nothing older replaces
//	     anything newer.
//	G7   A grant that is over has no tokens, and stays over until a login.
//	G8   A failure that is no refusal ends no grant.
//	G9   A failed attempt delays the next one.
//	G10  The queue is bounded.
//	G12  A logout wins over a refresh under way.
//	G17  A failure that concerns one process alone is not in the record.
//	G18  An intent and a deadline end by whichever clock ends them first.
//	G19  A server that issues the rejected token again has renewed nothing.
//	G20  Revocations stand in the record until they are confirmed or given up.
//
// # Concurrency and errors
//
// Nothing here is safe for concurrent use. The shell holds one mutex for each
// Local while a machine steps, and never while it carries out an effect. The
// operations of one process share its Local. At most one Renewal of a grant
// runs in a process. An [Outcome] says how an operation ended, and is not an
// error. Only [Decode] returns errors.
package lease

import "time"

// Rules are the settings that every operation on a grant obeys.
type Rules struct {
	// Self names this process. A restarted process has another name.
	Self string

	Lease  time.Duration // how long an intent lives
	Margin time.Duration // how long before the end of its intent a request must end
	Skew   time.Duration // how far the clocks of two hosts may differ
	Quiet  time.Duration // how long a foreign intent is watched before it counts as abandoned

	// Spacing is how long after a refresh the new token is not refreshed again,
	// though an API rejects it.
	Spacing time.Duration

	// Resends is how often a refresh token whose answer was lost may be sent
	// again: 0 is never, 1 is once, math.MaxUint64 is always.
	Resends uint64

	SingleGrant bool // a new authorization ends the earlier grants of the user at the server
	RevokesAll  bool // a revocation ends all grants of the user at the server

	// Hold is how long the tokens of a forfeited grant wait for a late holder
	// before they are revoked.
	Hold time.Duration

	FirstPause time.Duration // between the first and the second attempt to revoke; the pause doubles
	LastPause  time.Duration // the longest pause between two attempts to revoke
	GiveUp     time.Duration // a revocation that fails after this is given up
	Keep       time.Duration // how long a tombstone stays
}

// Clock is one reading of both clocks of a process (G18), or a deadline on
// both of them.
type Clock struct {
	Wall time.Time     // without a monotonic part, as time.Time.Round(0) returns it
	Mono time.Duration // since a fixed moment in the life of the process
}

// Until returns the time that is left until deadline, by whichever clock
// reaches it first. It is zero or negative when the deadline has passed.
func (c Clock) Until(deadline Clock) time.Duration {
	return min(deadline.Wall.Sub(c.Wall), deadline.Mono-c.Mono)
}

// intent announces that a process is about to redeem the refresh token of a
// record. Its zero value means that there is none.
type intent struct {
	Holder       string // [Rules.Self] of the process
	ID           string // random, names this attempt
	Since, Until time.Time
}

// watch says when a process has seen the same intent, on its monotonic clock.
type watch struct {
	ID    string
	First time.Duration
	Calm  time.Duration // since then it has looked again and again
	Last  time.Duration
	Blind bool // the store has failed after Last
}

// Local is what one process alone knows of one grant. Its operations on that
// grant share it: the shell hands it to one Step at a time, under a mutex. A
// Local that equals its zero value may be forgotten. Copies are independent,
// because claims never change.
type Local struct {
	Pending *claim // tokens that were obtained and are not stored yet
	Undo    *claim // a withdrawal or a refusal that is not stored yet
	Watch   watch
}

// Unsaved returns the grant with the tokens that are not stored yet, as
// readers in this process must see it. It returns nil if there are none.
func (l *Local) Unsaved() *Record {
	if l.Pending == nil {
		return nil
	}
	return l.Pending.base.took(l.Pending.base.Serial+1, l.Pending.token)
}

// blind notes that the store has failed. After that, a watch begins again.
func (l *Local) blind() { l.Watch.Blind = l.Watch.ID != "" }

// pendingSet returns the name of the token set that is not stored yet.
func (l *Local) pendingSet() string {
	if l.Pending == nil {
		return ""
	}
	return l.Pending.token.ID
}

// Effect is one thing that the shell must do before the next step. At most one
// of Read, Swap, Redeem, Revoke, Probe and Wait is set. If none of them is, the
// operation has ended with Outcome.
type Effect struct {
	Read   bool // read the record
	Swap   bool // write Record over Version, or delete it if Record is nil
	Redeem bool // send the refresh token
	Revoke bool // revoke a token
	Probe  bool // ask the API which of two access tokens works
	Wait   bool // let time pass

	// Swap writes Record over Version. Version 0 creates it, a nil Record
	// deletes it. A Due that is not zero is when the record needs a [Chore]:
	// the shell enters it in the index of due work before it writes the
	// record. If it cannot, it does not write the record, and the swap has
	// failed. Announce marks the swap that announces a redemption. If no
	// request may be sent now, the shell does not write it and answers Refused.
	Record   *Record
	Version  uint64
	Due      time.Time
	Announce bool

	// Redeem sends the refresh token Token in one request, which must end
	// before By. Revoke revokes Token, and Refresh says which kind it is. Probe
	// asks an API whether the access token Token works, and if it does and Other
	// is not empty, whether Other works too. Key is the key to which Token is
	// bound, and OtherKey that of Other: Redeem and Probe prove possession of
	// these keys and of no other ones (T12).
	Token    string
	Key      string
	Other    string
	OtherKey string
	Refresh  bool // Revoke: Token is a refresh token
	By       Clock

	// Wait lasts For. With Poll it may end earlier, when the record may have
	// changed.
	For  time.Duration
	Poll bool

	Outcome Outcome // how the operation ended

	notes // what happened in this step
}

// notes are facts of which the user of the engine may want to be notified. They
// are fields of an [Effect].
type notes struct {
	Authorized bool // a login was stored
	Refreshed  bool // the server issued new tokens
	Failed     bool // an attempt to refresh failed
	Unsaved    bool // new tokens are in memory only
	Saved      bool // tokens that were in memory only are stored now
	Died       bool // the grant is over: the user must authorize again
	LoggedOut  bool // a logout was stored
	Unrevoked  bool // a revocation was given up, or is by the swap of the same effect

	// Superseded means that new tokens were dropped: others of the same grant,
	// or of a later login, are stored.
	Superseded bool

	// Late means that new tokens came after a logout or a later login. Their
	// revocation is queued.
	Late bool
}

// Event is how the last effect ended, and what the next step must know. At most
// one of OK, Conflict, Refused and Unknown is set. If none of them is, the
// effect has failed: it was certainly not done, and never will be.
//
// The first step of an operation gets an Event with Now, ID and Jitter alone.
type Event struct {
	Now    Clock
	ID     string // random, new in every event
	Jitter uint64 // random

	OK       bool // it was done. Probe: Token works, and Other does not.
	Conflict bool // Swap: another version is stored
	Refused  bool // Redeem: the grant is over. Announce: not now. Probe: Token does not work.
	Unknown  bool // it may have been done, or may still happen. Probe: both work, or no answer.

	Record  *Record // Read: what is stored; nil if nothing is, with version 0
	Version uint64  // Read and Swap: the version that is stored now

	// Token is what the server issued, when Redeem is OK. Its times count from
	// the sending of the request.
	Token Token

	// Spent says that Redeem is OK, that the answer has no refresh token, and
	// that the one which was sent must not be sent again.
	Spent bool

	// Pause is what the server asked for, when Redeem has failed. When Announce
	// is Refused, it is the time until the next attempt.
	Pause time.Duration

	Code   string // Redeem is Refused: the error code of the server
	Unsent bool   // Redeem or Revoke has failed: no request left this process

	// Private says that Redeem has failed for a reason that concerns this process
	// alone, such as a client secret that is out of date. The record then gets no
	// pause, which would delay the other processes. The shell spaces its own
	// attempts.
	Private bool
}

// Outcome is how an operation ended. The operation achieved what it was for if
// Over is empty and none of the next six fields is set. Otherwise one of these
// seven says why it did not.
type Outcome struct {
	Over string // why the grant is over, or cannot be renewed; see [Record]

	JustRenewed bool // the rejected token is new
	Spaced      bool // an attempt failed, and the next one must wait
	LostAnswer  bool // the refresh token may have been redeemed
	Overtaken   bool // another process works on the grant, or a later login has replaced it
	StoreFailed bool // the store failed
	Unconfirmed bool // the server has not confirmed a revocation

	Record  *Record       // what is stored, or is still to be stored; nil if that is not known
	Version uint64        // of Record; 0 if it is not stored
	Pause   time.Duration // how long to wait before the next attempt
	Due     time.Time     // when the record needs a Chore; zero if it needs none
}

// Why a grant is over: the values of [Record].Over and [Outcome].Over.
const (
	NoGrant        = "no grant"         // nothing is stored, or the user has logged out
	Denied         = "refused"          // the server refused the refresh token
	InDoubt        = "in doubt"         // the refresh token may have been redeemed by a request whose answer was lost
	NoRefreshToken = "no refresh token" // the server never issued one
)
