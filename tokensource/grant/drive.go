package grant

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ahead"
	"github.com/authtrip/authtrip/internal/changes"
	"github.com/authtrip/authtrip/internal/firsttrade"
	"github.com/authtrip/authtrip/internal/home"
	"github.com/authtrip/authtrip/internal/kept"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/sendguard"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// operation is a machine of package lease: a [lease.Renewal], [lease.Login],
// [lease.Logout] or [lease.Chore].
type operation interface {
	Step(lease.Rules, *lease.Local, lease.Event) lease.Effect
}

// drive carries out one operation on the grant under key, in the order in which
// the machine asks for its effects. It returns how the operation ended, and
// that as an error. An error of the store or of the server is its cause.
//
// The subject may be empty. It is then read from the record.
func (k *Keeper) drive(ctx context.Context, key, subject string, op operation) (lease.Outcome, error) {
	r := &run{Keeper: k, key: key, subject: subject, begun: k.clock.Mono(), heard: k.changes.Listen(key)}
	if renewal, ok := op.(*lease.Renewal); ok {
		r.rejected, r.ahead, r.given = renewal.Rejected, renewal.Ahead, k.justRead(key, subject)
	}
	_, r.background = op.(*lease.Chore)
	defer r.leave()
	k.grants.enter(key)
	defer func() { k.grants.exit(key, k.clock.Mono()) }()
	ev, id := lease.Event{}, randomID()
	for step := uint64(0); ; step++ {
		ev.Now, ev.ID, ev.Jitter = k.now(), id, k.jitter(key, step)
		e := k.grants.step(key, op, k.rules, ev)
		r.show()
		if e.Swap { // the record may have the ID
			id = randomID()
		}
		r.report(ctx, e)
		switch {
		case e.Read:
			ev = r.read(ctx)
		case e.Swap:
			ev = r.swap(ctx, e)
		case e.Redeem:
			ev = r.redeem(ctx, e)
		case e.Revoke:
			ev = r.revoke(ctx, e)
		case e.Probe:
			ev = r.probe(ctx, e)
		case e.Wait:
			ev = r.wait(ctx, e)
		default:
			return e.Outcome, r.end(ctx, e)
		}
	}
}

// run is one operation while it is carried out.
type run struct {
	*Keeper
	key, subject string
	rejected     string                // the access token that a renewal is to replace
	ahead        bool                  // that token is still good
	background   bool                  // no caller waits for it
	begun        time.Duration         // by the monotonic clock
	given        *entry                // what a caller has just read: it saves the first read
	heard        *changes.Subscription // the notifications that end a wait
	version      storage.Version       // that was read or written last
	token        string                // the access token that was read or written last
	members      string                // and what is kept of the server's answers
	home         string                // the authorization server of the grant, for a provider with several
	scopes       string                // and the granted scopes
	set          string                // and the name of the token set
	failures     uint64                // and the attempts in a row that failed with it
	prover       tokensource.ProofKey  // of the refresh token that is to be sent; nil if it is bound to no key
	firstTrade   bool                  // and whether it is traded as the token of a login
	intent       string                // and the intent, which names the next set
	user         string                // and the user, as the ID token of the login has it
	exchanged    time.Time             // and when that login was
	seen         *pending              // the last read or write, for the cache; nil after it was published
	written      func()                // publishes the last write; nil after that

	stored   error  // the last failure of the store
	answered error  // the last failure of the server, or the reason why it was not asked
	reason   string // for the event of what the server did
	broken   error  // why tokens that were issued cannot be sent

	admitted    func() // ends what counts as a refresh in flight; nil if none does
	justRenewed bool   // a renewal is refused because the last one did not help
	unknown     bool   // a write may have happened, or may still happen
	interrupted bool   // a wait was ended
	loggedOut   bool   // a logout was stored
}

// access prepares a read or a write of the stored grant. The cache compares
// what the store notifies from then on with the outcome (G12).
func (r *run) access() {
	r.heard.Clear()
	r.missed()
	r.seen = r.cache.Begin(r.key, r.subject)
}

// missed ends a read or a write that brought no record. What the operation knew
// before is older than this access, and must not be published as its outcome.
func (r *run) missed() {
	if r.seen != nil {
		r.seen.End()
		r.seen = nil
	}
}

// leave ends the run.
func (r *run) leave() {
	r.sent()
	r.changes.Leave(r.key, r.heard)
	r.missed()
}

// read reads the stored grant.
func (r *run) read(ctx context.Context) lease.Event {
	if e := r.given; e != nil {
		r.given, r.version = nil, storage.Version(e.Version)
		r.know(e.Record)
		return lease.Event{OK: true, Record: e.Record, Version: e.Version}
	}
	r.access()
	record, version, err := r.load(ctx, r.key, r.subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		r.version, r.token, r.members, r.scopes = 0, "", "", ""
		return lease.Event{OK: true}
	case err != nil:
		r.missed()
		r.stored = err
		return lease.Event{}
	}
	r.version = version
	r.know(record)
	if r.subject == "" { // the index of due work names keys only
		r.subject = record.Subject
		r.access()
	}
	return lease.Event{OK: true, Record: record, Version: uint64(version)}
}

// swap writes or deletes the grant, if the version that e names is still the
// stored one.
func (r *run) swap(ctx context.Context, e lease.Effect) lease.Event {
	if e.Announce {
		if err := r.admit(ctx, e.Record); err != nil {
			r.answered = err
			return lease.Event{Refused: true, Pause: retryAfter(err)}
		}
	}
	if !e.Due.IsZero() {
		if err := r.enlistInTime(ctx, e.Due); err != nil {
			r.stored = temporary("store", err)
			return lease.Event{}
		}
	}
	r.access()
	if e.Announce { // a process that must know of an intent reads the grant before it writes
		ctx = storage.WithoutNotice(ctx)
	}
	version, err := r.write(ctx, r.key, e.Record, storage.Version(e.Version))
	switch {
	case err == nil:
		r.wrote(e, version)
		if e.Unrevoked {
			r.failed(ctx, EventUnrevoked, "", nil)
		}
		return lease.Event{OK: true, Version: uint64(version)}
	case errors.Is(err, storage.ErrConflict):
		r.missed()
		return lease.Event{Conflict: true}
	}
	r.missed()
	if errors.Is(err, storage.ErrBadKey) || errors.Is(err, storage.ErrTooLarge) {
		r.stored = &tokensource.Error{Op: "store", Err: err} // another attempt fails in the same way
		return lease.Event{}
	}
	r.stored = temporary("store", err)
	r.unknown = true
	return lease.Event{Unknown: true}
}

// wrote prepares what callers see of a record that was written.
func (r *run) wrote(e lease.Effect, version storage.Version) {
	r.version = version
	if e.Record == nil {
		return
	}
	changed := e.Record.Token.Access != r.token
	r.know(e.Record)
	r.written = func() { r.publish(e.Record, version, storage.Version(e.Version), changed) }
}

// know remembers what the next effects need of the stored record.
func (r *run) know(record *lease.Record) {
	t := record.Token
	r.token, r.members, r.scopes = t.Access, t.Members, t.Scope
	r.set, r.intent, r.firstTrade = t.ID, record.Intent.ID, !t.Trade.After(t.Obtained)
	r.failures = record.Failures + record.Doubts + r.refused.Count(r.key, t.ID)
	r.user, r.exchanged = record.User, record.Exchanged
	if name := r.client.Provider().TokenHostParam; name != "" && t.Members != "" {
		r.home, _ = kept.Members(t.Members)[name].(string) // a tombstone has none, and its tokens are still to be revoked
	}
}

var errLate = errors.New("grant: the time in which the request may be sent has passed")

// redeem sends the refresh token in one request (G3), which ends before e.By by
// both clocks.
func (r *run) redeem(ctx context.Context, e lease.Effect) lease.Event {
	sent := r.now()
	limit := sent.Until(e.By)
	if limit <= 0 {
		r.answered = temporary("refresh", errLate)
		return lease.Event{Unsent: true}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// A process may be stopped for any time before the bytes leave.
	ctx = sendguard.With(ctx, func() error {
		if r.now().Until(e.By) <= 0 {
			return errLate
		}
		return nil
	})
	if r.firstTrade {
		ctx = firsttrade.With(ctx)
	}
	tok, err := r.client.WithProver(r.prover).Refresh(home.With(ctx, r.home), e.Token)
	r.sent()
	return r.answer(ctx, e, sent, tok, err)
}

// openKey opens the key to which the refresh token is bound, before anything is
// announced. A grant whose key is lost is not renewed, and is not sent as a
// Bearer token instead (RFC 9449 section 5). It stays stored: another process
// may have the key.
func (r *run) openKey(ctx context.Context, stored string) (err error) {
	if r.prover = nil; stored != "" {
		r.prover, err = r.keyOf(stored).Open(ctx, "refresh")
	}
	return err
}

// answer returns what became of a refresh that began at sent.
func (r *run) answer(ctx context.Context, e lease.Effect, sent lease.Clock, tok *oauth2.Token, err error) lease.Event {
	jitter := r.jitter(r.key, uint64(sent.Wall.UnixNano()))
	r.judge(err, jitter)
	if err == nil {
		if failure := r.foreign(ctx, tok); failure != nil {
			return r.useless(withoutAccess(tok), sent, failure, jitter)
		}
	}
	if err == nil {
		r.refused.Clear(r.key)
		if r.client.Public() && (tok.RefreshToken == "" || tok.RefreshToken == e.Token) {
			r.reason = notRotated
		}
		t := r.issued(tok, sent.Wall, r.members)
		r.tellScopes(ctx, r.subject, r.scopes, t.Scope)
		spent := t.Refresh == "" && r.client.Provider().RefreshTokens.AbsentIsLost
		return lease.Event{OK: true, Token: t, Spent: spent}
	}
	r.answered = err
	failure, _ := errors.AsType[*tokensource.Error](err)
	tok, useless := oauth.Unusable(err)
	switch {
	case useless && failure != nil:
		return r.useless(tok, sent, failure, jitter)
	case errors.Is(err, tokensource.ErrReauthorize):
		return lease.Event{Refused: true, Code: failure.Code}
	case failure != nil && failure.InDoubt:
		return lease.Event{Unknown: true}
	}
	ev := lease.Event{Pause: retryAfter(err), Unsent: failure == nil || failure.Status == 0}
	if pacing.Private(failure) {
		noted := r.refused.Note(r.key, r.set, "", failure, pacing.Moment(r.now()), jitter)
		r.answered, ev.Private, ev.Pause = noted, true, noted.RetryAfter
	}
	return ev
}

// useless is a refresh that the server granted with tokens of which one cannot
// be sent. What can be kept is stored first: the old refresh token is redeemed
// (G14). An access token that can be sent is used for its lifetime, although
// the refresh token that came with it cannot be used. Otherwise the error is
// that of the answer, which says why this setup cannot work.
func (r *run) useless(tok *oauth2.Token, sent lease.Clock, failure *tokensource.Error, jitter uint64) lease.Event {
	t := r.issued(tok, sent.Wall, r.members)
	if tok.AccessToken != "" && tok.TokenType != "" { // without a type, it is bound to a key
		r.reason = notReadable
		r.refused.Clear(r.key)
		return lease.Event{OK: true, Token: t}
	}
	t.Access = ""
	r.broken = r.refused.Note(r.key, r.set, r.intent, failure, pacing.Moment(r.now()), jitter)
	return lease.Event{OK: true, Token: t}
}

// judge tells the breaker how an attempt ended. It counts failures that concern
// more than one grant (G17).
func (r *run) judge(err error, jitter uint64) {
	if err == nil || errors.Is(err, tokensource.ErrReauthorize) || pacing.Shared(err) {
		r.breaker.Report(err, r.key, r.clock.Wall(), jitter)
	}
}

// issued is the token of an answer, with its lifetime counted from the sending
// of the request by this process's own wall clock (G18). Members that are kept
// and that the answer lacks stay as they were before.
func (k *Keeper) issued(tok *oauth2.Token, sent time.Time, before string) lease.Token {
	t := lease.Token{
		Access: tok.AccessToken, Type: tok.TokenType, Refresh: tok.RefreshToken, Obtained: sent, Expiry: tok.Expiry.Round(0),
	}
	t.Scope, _ = tok.Extra("scope").(string)
	t.Members = kept.Next(k.client.Provider().KeepMembers, k.member(tok), before, tok.RefreshToken != "", sent)
	if tok.ExpiresIn > 0 {
		t.Expiry = sent.Add(time.Duration(tok.ExpiresIn) * time.Second)
	}
	if trade := k.client.Provider().Trade; trade.Next.URL != "" && t.Refresh == "" {
		t.Trade = ahead.TradeFrom(t.Obtained, t.Expiry, trade.From)
	}
	return t
}

// member returns a function that finds a member of the answer that tok came
// with, by its path. A token that a Keeper has handed out has the path itself
// as a name.
func (k *Keeper) member(tok *oauth2.Token) func(path string) any {
	nested := k.client.Provider().Kept(tok.Extra)
	return func(path string) any {
		if v, ok := nested[path]; ok {
			return v
		}
		return tok.Extra(path)
	}
}

// revoke revokes one token (RFC 7009). A server without a revocation endpoint
// has nothing to do.
func (r *run) revoke(ctx context.Context, e lease.Effect) lease.Event {
	leave := r.beginRevoking()
	if leave == nil {
		return lease.Event{Unsent: true} // another process, or the next start, goes on
	}
	defer leave()
	hint := oauth.HintAccessToken
	if e.Refresh {
		hint = oauth.HintRefreshToken
	}
	err := r.client.Revoke(home.With(ctx, r.home), e.Token, hint)
	if errors.Is(err, errors.ErrUnsupported) {
		r.reason, err = unsupported, nil
	}
	if err == nil {
		return lease.Event{OK: true}
	}
	r.answered = err
	return lease.Event{}
}

// probe asks whether an access token works, and whether it is the only one of
// two that does.
func (r *run) probe(ctx context.Context, e lease.Effect) lease.Event {
	works, err := r.alive(ctx, e.Token, e.Key)
	if err == nil && !works {
		return lease.Event{Refused: true}
	}
	other := false
	if err == nil && e.Other != "" {
		other, err = r.alive(ctx, e.Other, e.OtherKey)
	}
	if err != nil || other {
		return lease.Event{Unknown: true}
	}
	return lease.Event{OK: true}
}

// end publishes the outcome, and starts the work that the operation has left to
// do. It returns the outcome as an error.
func (r *run) end(ctx context.Context, e lease.Effect) error {
	err := r.failure(e.Outcome)
	switch {
	case !e.Outcome.StoreFailed:
		r.publish(e.Outcome.Record, storage.Version(e.Outcome.Version), 0, false)
	case r.unknown:
		r.cache.Invalidate(r.key, 0) // a logout may be stored
	}
	if r.loggedOut {
		r.tell(ctx, EventLoggedOut, r.reason, err)
	}
	r.tend(r.key, r.subject, e.Outcome.Record)
	return err
}

// show publishes a record that was just written. Callers see it from then on,
// and not before (G4). The machine has taken note of the write by then: it no
// longer holds tokens that a logout has ended.
func (r *run) show() {
	if r.written != nil {
		r.written()
		r.written = nil
	}
}

// publish shows a record to callers, once for each read or write of the store.
// Tokens that the store has not taken are shown in its place (G4). A nil record
// is one that is not known.
func (r *run) publish(record *lease.Record, version, replaced storage.Version, changed bool) {
	if unsaved := r.grants.unsaved(r.key); unsaved != nil {
		if r.seen == nil && r.subject != "" {
			r.seen = r.cache.Begin(r.key, r.subject)
		}
		record, version, replaced, changed = unsaved, 0, 0, true
	}
	if record == nil || r.seen == nil || r.subject == "" {
		return
	}
	if record.Over == lease.NoGrant {
		r.seen.Forget()
	} else {
		e := r.entry(record, version, replaced)
		e.Changed = changed
		if e.Token != nil && e.Token.AccessToken != r.rejected {
			e.Rejected = r.rejected
		}
		r.seen.Publish(e)
	}
	r.seen = nil
}
