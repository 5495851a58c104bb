package grant

import (
	"context"
	"errors"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// Event is something that happened to a grant. It contains no token.
type Event struct {
	Kind    EventKind
	Subject string
	Err     error // the cause of a failure, or nil
}

// EventKind says what happened.
type EventKind string

// The kinds of events that [Options.Observe] is called with. Tokens that were
// dropped, and may still work at the server, are revoked in the background.
const (
	EventAuthorized    EventKind = "authorized"     // a login is stored
	EventRefreshed     EventKind = "refreshed"      // a refresh succeeded
	EventRefreshFailed EventKind = "refresh failed" // a refresh failed for now, and the grant is alive
	EventDied          EventKind = "died"           // the user must authorize again
	EventUnsaved       EventKind = "unsaved"        // renewed tokens are in memory only, because the store failed
	EventSaved         EventKind = "saved"          // tokens that were in memory only are stored now
	EventSuperseded    EventKind = "superseded"     // new tokens were dropped for newer ones, or after a logout
	EventLoggedOut     EventKind = "logged out"     // a logout is stored; Err says if the server has not confirmed it
	EventUnrevoked     EventKind = "unrevoked"      // a token could not be revoked for a week, and the attempts have ended
)

// failure returns an outcome as an error.
func (r *run) failure(o lease.Outcome) error {
	switch {
	case o.JustRenewed:
		return tokensource.ErrJustRenewed
	case o.Overtaken:
		return r.overtaken(o.Pause)
	case o.StoreFailed:
		return cause(r.stored, "store", "the store has failed, and is being asked again", o.Pause)
	case o.LostAnswer:
		e := cause(r.answered, "refresh", "the answer to a refresh was lost: the next attempt must wait", o.Pause)
		e.InDoubt = true
		return e
	case o.Spaced:
		return cause(r.answered, "refresh", "an earlier attempt failed: the next one must wait", o.Pause)
	case o.Unconfirmed:
		return cause(r.answered, "revoke", "the server has not confirmed the revocation", o.Pause)
	case o.Over == lease.NoGrant:
		return noGrant()
	case o.Over != "":
		return r.reauthorize(o)
	}
	return nil
}

// reauthorize says why the user must authorize again.
func (r *run) reauthorize(o lease.Outcome) error {
	e := &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Reason: tokensource.Reason(o.Over)}
	if o.Over == "" && o.Record != nil {
		e.Reason = tokensource.Reason(o.Record.Over)
	}
	if f, ok := errors.AsType[*tokensource.Error](r.answered); ok && errors.Is(f, tokensource.ErrReauthorize) {
		e.Code, e.Description, e.Status, e.Hint = f.Code, f.Description, f.Status, f.Hint
	} else if o.Record != nil {
		e.Code = o.Record.Code
	}
	if o.Over == lease.NoRefreshToken {
		e.Hint = r.refreshHint()
	}
	return e
}

// overtaken is the error of a renewal that had to wait for another process for
// too long, or whose grant another process has changed.
func (r *run) overtaken(pause time.Duration) error {
	if r.interrupted && r.isClosed() {
		return tokensource.ErrClosed
	}
	return cause(nil, "refresh", "another process or a later login has changed the grant", pause)
}

// cause returns err with the pause before the next attempt. Without err it
// returns a temporary error with a text.
func cause(err error, op, text string, pause time.Duration) *tokensource.Error {
	e := tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: errors.New(text)}
	if f, ok := errors.AsType[*tokensource.Error](err); ok {
		e = *f // a copy: Options.Observe may have kept the original
	}
	if e.RetryAfter == 0 && errors.Is(&e, tokensource.ErrTemporary) {
		e.RetryAfter = max(pause, 0)
	}
	return &e
}

func temporary(op string, err error) error {
	return &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: err}
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*tokensource.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// refreshHint says why there may be no refresh token.
func (k *Keeper) refreshHint() string {
	_, err := k.client.Refresh(context.Background(), "") // sends nothing
	e, _ := errors.AsType[*tokensource.Error](err)
	return e.Hint
}

// report calls Options.Observe with what happened in one step.
func (r *run) report(e lease.Effect) {
	r.loggedOut = r.loggedOut || e.LoggedOut
	kinds := [...]struct {
		happened bool
		kind     EventKind
		err      error
	}{
		{e.Authorized, EventAuthorized, nil},
		{e.Refreshed, EventRefreshed, nil},
		{e.Failed, EventRefreshFailed, r.answered},
		{e.Unsaved, EventUnsaved, r.stored},
		{e.Saved, EventSaved, nil},
		{e.Superseded || e.Late, EventSuperseded, nil},
		{e.Died, EventDied, nil},
		{e.Unrevoked, EventUnrevoked, r.answered},
	}
	for _, n := range kinds {
		if !n.happened {
			continue
		}
		if n.kind == EventDied {
			n.err = r.reauthorize(e.Outcome)
		}
		r.tell(n.kind, n.err)
	}
}

func (r *run) tell(kind EventKind, err error) {
	if r.o.Observe != nil {
		r.o.Observe(Event{Kind: kind, Subject: r.subject, Err: err})
	}
}
