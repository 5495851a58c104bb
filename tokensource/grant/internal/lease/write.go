package lease

import "time"

// claim is a change of the stored record that one attempt to redeem has
// brought about, and that is still to be written. It never changes.
type claim struct {
	kind  claimKind
	base  *Record // the record as it was announced; its intent names the claim
	token Token   // adopt: the new tokens

	reason string // refusal: why the grant is dead
	code   string // refusal: the error code of the server

	intent  intent    // release: the intent that stays
	doubts  uint64    // release: the doubts that stay
	retryAt time.Time // release: no attempt before; zero if none was made
	over    uint64    // release: the version over which the intent may still be written
}

type claimKind uint8

const (
	adopt   claimKind = iota + 1 // store new tokens
	refusal                      // the server refused the grant
	release                      // the attempt redeemed nothing: withdraw the intent
)

// is reports whether k and other came from the same attempt.
func (k *claim) is(other *claim) bool {
	return k != nil && other != nil && k.base.Intent.ID == other.base.Intent.ID
}

// newAdoption returns the claim for the answer t to the redemption that base
// announced. An answer without a refresh token or a scope leaves the old ones
// in force (RFC 6749 sections 5.1 and 6). A refresh token that is spent does
// not stay: another attempt got its successor, and to send it again would be
// reuse (G3). The grant then ends with the access token. All token sets of a
// login are bound to one key (RFC 9449 section 5).
func newAdoption(base *Record, t Token, spent bool) *claim {
	t.ID, t.Refreshed, t.Key = base.Intent.ID, true, base.Token.Key
	if t.Refresh == "" && !spent {
		t.Refresh = base.Token.Refresh
	}
	if t.Scope == "" {
		t.Scope = base.Token.Scope
	}
	if t.Members == "" {
		t.Members = base.Token.Members
	}
	return &claim{kind: adopt, base: base, token: t}
}

// write stores one claim. Renewal and Chore share it. Login and Logout keep the
// same rule in code of their own.
//
//	begin ──► read ──► resolve ──► swap ──► stored or late
//	            ▲                   │
//	            └── conflict, ──────┘
//	                unknown
//
// After a write of unknown outcome it reads before it writes again. Without
// that read, a store whose answers are lost would be written to over a version
// that is gone, and the intent that stands there would end the grant (G4).
type write struct {
	phase  writePhase
	claim  *claim
	unsure bool // the outcome of the last swap is unknown

	next    *Record // what is being written
	verdict resolution
	current *Record // what is stored
	version uint64
}

type writePhase uint8

const (
	writeReading writePhase = iota + 1
	writeSwapping
)

// begin starts to write k with a look at the store.
func (w *write) begin(k *claim) Effect {
	*w = write{claim: k}
	return w.read()
}

// beginAt starts to write k over a record that was just written.
func (w *write) beginAt(c Rules, k *claim, current *Record, version uint64, ev Event) Effect {
	*w = write{claim: k, current: current, version: version}
	w.next, w.verdict = c.resolve(k, current, version, ev.Now)
	return w.swap(c)
}

// step returns the next effect, or false when the write has ended. Then
// verdict is stored, late or unwritten, and current is what is stored, if that
// is known.
func (w *write) step(c Rules, ev Event) (Effect, bool) {
	switch {
	case w.phase == writeReading && ev.OK:
		if w.unsure && ev.Version == w.version {
			break // it was not written, or not yet
		}
		w.current, w.version = ev.Record, ev.Version
		w.next, w.verdict = c.resolve(w.claim, w.current, w.version, ev.Now)
		if w.next == nil {
			return Effect{}, false
		}
		return w.swap(c), true
	case w.phase == writeSwapping && ev.OK:
		w.current, w.version = w.next, ev.Version
		if w.verdict == rewrite {
			w.verdict = stored
		}
		return Effect{}, false
	case w.phase == writeSwapping && (ev.Conflict || ev.Unknown):
		w.unsure = ev.Unknown
		return w.read(), true
	}
	w.verdict = unwritten
	return Effect{}, false
}

func (w *write) read() Effect {
	w.phase = writeReading
	return Effect{Read: true}
}

func (w *write) swap(c Rules) Effect {
	w.phase = writeSwapping
	return c.swap(w.next, w.current, w.version)
}

// settle removes the claim from l, unless it is still to be written, and
// returns what has happened. Tokens count as saved only if the record contains
// them.
func (w *write) settle(l *Local) notes {
	var n notes
	if w.verdict == unwritten {
		return n
	}
	waited := w.claim.is(l.Pending)
	if waited {
		l.Pending = nil
	}
	if w.claim.is(l.Undo) {
		l.Undo = nil
	}
	switch {
	case w.claim.kind == adopt && w.verdict == stored:
		n.Saved = waited
	case w.claim.kind == adopt && w.current != nil && w.current.queued(w.claim.token.ID):
		n.Late = true
	case w.claim.kind == adopt:
		n.Superseded = true
	case w.claim.kind == refusal:
		n.Died = w.verdict == stored
	}
	return n
}

// end ends an operation.
func (c Rules) end(out Outcome, n notes) Effect {
	out.Due = c.Due(out.Record)
	return Effect{Outcome: out, notes: n}
}
