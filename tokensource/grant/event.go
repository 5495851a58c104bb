package grant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The kinds of events that [Options.OnEvent] is called with. Tokens that were
// dropped, and may still work at the server, are revoked in the background.
const (
	// EventAuthorized means that a login is stored.
	EventAuthorized tokensource.EventKind = "grant authorized"

	// EventRefreshed means that a refresh succeeded. Reason is "not rotated" if a
	// public client got no new refresh token: a copy of the old one would stay
	// valid unnoticed ([RFC 9700] section 2.2.2). Reason is "no usable refresh
	// token" if the one that came cannot be used. Then the user may have to
	// authorize again when the access token expires. With Err, the tokens are
	// stored and the access token is not used: no request can carry it, or the ID
	// token that came with it is refused.
	//
	// [RFC 9700]: https://www.rfc-editor.org/rfc/rfc9700
	EventRefreshed tokensource.EventKind = "grant refreshed"

	// EventScopes means that the server granted other scopes than a login asked
	// for, or than the grant had before a refresh. Scopes are those that are
	// granted, and Err names the difference.
	EventScopes tokensource.EventKind = "grant scopes"

	// EventRefreshFailed means that a refresh failed for now. The grant is alive.
	// Failures counts the attempts in a row, also those of other processes.
	// Err matches ErrReauthorize if the user must log in all the same, because a
	// refusal that nobody recognizes has repeated.
	EventRefreshFailed tokensource.EventKind = "grant refresh failed"

	// EventDied means that the user must authorize again.
	EventDied tokensource.EventKind = "grant died"

	// EventUnsaved means that renewed tokens are in memory only, because the store
	// failed.
	EventUnsaved tokensource.EventKind = "grant unsaved"

	// EventSaved means that tokens which were in memory only are stored now.
	EventSaved tokensource.EventKind = "grant saved"

	// EventSuperseded means that new tokens were dropped in favour of newer ones,
	// or after a logout.
	EventSuperseded tokensource.EventKind = "grant superseded"

	// EventLoggedOut means that a logout is stored. Err says if the server has not
	// confirmed the revocation. Reason is "not revocable" if the provider has no
	// revocation endpoint: the tokens work until they expire.
	EventLoggedOut tokensource.EventKind = "grant logged out"

	// EventUnrevoked means that a token could not be revoked for a week, or that
	// it was the oldest of more tokens than a grant keeps for revocation. The
	// attempts have ended.
	EventUnrevoked tokensource.EventKind = "grant unrevoked"
)

// Reasons in events.
const (
	notRotated  = "not rotated"
	notReadable = "no usable refresh token"
	unsupported = "not revocable"
)

// failure returns an outcome as an error.
func (r *run) failure(o lease.Outcome) error {
	switch {
	case r.broken != nil && o.JustRenewed:
		return r.broken
	case o.JustRenewed, r.justRenewed && o.Spaced:
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
	if r.interrupted && r.life.Closed() {
		return tokensource.ErrClosed
	}
	return cause(nil, "refresh", "another process or a later login has changed the grant", pause)
}

// cause returns err with the pause before the next attempt. Without err it
// returns a temporary error with a text.
func cause(err error, op, text string, pause time.Duration) *tokensource.Error {
	e := tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: errors.New(text)}
	if f, ok := errors.AsType[*tokensource.Error](err); ok {
		e = *f // a copy: Options.OnEvent may have kept the original
	}
	if e.RetryAfter == 0 && errors.Is(&e, tokensource.ErrTemporary) {
		e.RetryAfter = max(pause, 0)
	}
	return &e
}

// misread is the error of a record that makes no sense to this process.
func misread(err error) error {
	return &tokensource.Error{Op: "load", Err: err}
}

// unread is the error of a read that failed. It is temporary, unless another
// attempt does not help.
func unread(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return stored.Failed("load", err)
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

// report calls Options.OnEvent with what happened in one step.
func (r *run) report(ctx context.Context, e lease.Effect) {
	r.loggedOut = r.loggedOut || e.LoggedOut
	kinds := [...]struct {
		happened bool
		kind     tokensource.EventKind
		reason   string
		err      error
	}{
		{e.Authorized, EventAuthorized, "", nil},
		{e.Refreshed, EventRefreshed, r.reason, r.broken},
		{e.Failed, EventRefreshFailed, "", r.answered},
		{e.Unsaved, EventUnsaved, "", r.stored},
		{e.Saved, EventSaved, "", nil},
		{e.Superseded || e.Late, EventSuperseded, "", nil},
		{e.Died, EventDied, "", nil},
		{e.Unrevoked && !e.Swap, EventUnrevoked, "", r.answered}, // that of a swap follows when it is done
	}
	for _, n := range kinds {
		if !n.happened {
			continue
		}
		if n.kind == EventDied {
			n.err = r.reauthorize(e.Outcome)
		}
		r.failed(ctx, n.kind, n.reason, n.err)
	}
}

// failed is tell for an event that may be one of a row of failures, or end it.
func (r *run) failed(ctx context.Context, kind tokensource.EventKind, reason string, err error) {
	event := tokensource.Event{Kind: kind, Subject: r.subject, Reason: reason, Err: err}
	switch kind {
	case EventRefreshed:
		event.Failures = r.failures
	case EventRefreshFailed:
		event.Failures = r.failures + 1
	}
	r.Keeper.tell(ctx, event)
}

// tell calls Options.OnEvent with what happened to the grant of the run.
func (r *run) tell(ctx context.Context, kind tokensource.EventKind, reason string, err error) {
	r.Keeper.tell(ctx, tokensource.Event{Kind: kind, Subject: r.subject, Reason: reason, Err: err})
}

// tellScopes reports that the server granted other scopes than those that a
// login asked for, or than those that the grant had before a refresh. Both
// texts are lists with spaces between. If one of them is empty, nothing is
// known.
func (k *Keeper) tellScopes(ctx context.Context, subject, before, granted string) {
	had, has := strings.Fields(before), strings.Fields(granted)
	missing, added := without(had, has), without(has, had)
	if len(had) == 0 || len(has) == 0 || len(missing)+len(added) == 0 {
		return
	}
	k.tell(ctx, tokensource.Event{
		Kind: EventScopes, Subject: subject, Scopes: has,
		Err: fmt.Errorf("grant: the server granted other scopes than expected: missing %q, added %q", missing, added),
	})
}

// without returns the members of list that are not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// tell calls Options.OnEvent.
func (k *Keeper) tell(ctx context.Context, e tokensource.Event) {
	if k.o.OnEvent == nil {
		return
	}
	e.Time, e.Provider, e.ClientID = k.clock.Wall(), k.client.Provider().Name, k.client.ClientID()
	e.CorrelationID = tokensource.CorrelationID(ctx)
	k.o.OnEvent(ctx, e)
}

// foreign is the failure if an ID token came with refreshed tokens that is not
// for the user of the grant, or not for this client (OpenID Connect Core
// section 12.2). It is nil if there is no ID token, or if nothing is wrong with
// it.
//
// What cannot be verified now is no reason to lose a refresh: the tokens came
// from the token endpoint.
func (r *run) foreign(ctx context.Context, tok *oauth2.Token) *tokensource.Error {
	verifier := r.client.IDTokens()
	if raw, _ := tok.Extra("id_token").(string); verifier == nil || raw == "" {
		return nil
	}
	_, err := verifier.VerifyIDToken(ctx, tok, provider.IDTokenRequest{
		At: r.clock.Wall(), Refreshed: true, Subject: r.user, IssuedAfter: r.exchanged,
	})
	if err == nil || errors.Is(err, tokensource.ErrTemporary) {
		return nil
	}
	return &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrClient, Err: err,
		Hint: "the ID token that came with the refreshed tokens is refused, so they are stored and not used",
	}
}

// withoutAccess returns the tokens of an answer without the access token, which
// must not be used.
func withoutAccess(tok *oauth2.Token) *oauth2.Token {
	unused := *tok
	unused.AccessToken = ""
	return &unused
}
