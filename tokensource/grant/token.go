package grant

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/about"
	"github.com/authtrip/authtrip/internal/ahead"
	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/cache"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

var (
	_ tokensource.Renewer = (*Keeper)(nil)
	_ tokensource.Scoper  = (*Keeper)(nil)
	_ tokensource.Renewer = (*Source)(nil)
	_ tokensource.Scoper  = (*Source)(nil)

	_ tokensource.RequestAuthorizer = (*Keeper)(nil)
	_ tokensource.RequestAuthorizer = (*Source)(nil)

	_ tokensource.Describer = (*Keeper)(nil)
	_ tokensource.Describer = (*Source)(nil)
)

// The types of package cache for the records of this package.
type (
	snapshot = cache.Snapshot[lease.Record]
	entry    = cache.Entry[lease.Record]
	pending  = cache.Op[lease.Record]
)

// server has the methods of [tokensource.Scoper] and [tokensource.Describer].
type server = about.Server

var errExpired = errors.New("grant: the new token has expired before it was stored")

// patience is how long a caller with a valid token waits for the store.
const patience = 250 * time.Millisecond

// WithSubject returns a context that names a subject: the user, as the
// authorization server names the user. Token and Renew are then for that user.
// The subject belongs to this server and this client. Another Keeper does not
// accept it, unless it has the same two (M8). A context can name one subject
// for each.
func (k *Keeper) WithSubject(ctx context.Context, subject string) context.Context {
	return tokensource.WithSubject(ctx, *k.owner, subject)
}

// Subject returns the subject that [Keeper.WithSubject] put into ctx, and
// whether there is one.
func (k *Keeper) Subject(ctx context.Context) (string, bool) {
	return tokensource.SubjectFrom(ctx, *k.owner)
}

// Token returns a valid access token for the subject that ctx names, see
// [Keeper.WithSubject]. It returns [tokensource.ErrNoSubject] if ctx names no
// subject. Otherwise it returns a [*tokensource.Error]: ErrNoGrant or
// ErrReauthorize if the user must log in, ErrTemporary or ErrClient if a
// refresh was needed and failed. No caller waits longer than ctx allows. The
// refresh itself goes on without the caller.
func (k *Keeper) Token(ctx context.Context) (*oauth2.Token, error) {
	subject, ok := k.Subject(ctx)
	if !ok {
		return nil, tokensource.ErrNoSubject
	}
	if s := k.cache.Fresh(subject); s != nil {
		return s.Token, nil
	}
	return k.token(ctx, subject)
}

// Renew returns a token other than rejected for the subject that ctx names. The
// contract is [tokensource.Renewer].
//
// The result may be a token that another process has obtained earlier. If an
// API rejects that one too, call Renew again with it. The errors are those of
// [Keeper.Token], and [tokensource.ErrJustRenewed].
func (k *Keeper) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	subject, ok := k.Subject(ctx)
	if !ok {
		return nil, tokensource.ErrNoSubject
	}
	return k.renewRejected(ctx, subject, rejected)
}

// ReadyFor returns the header values that this Keeper stores beside its tokens.
// It is for packages transport and middleware: its result type is internal.
func (k *Keeper) ReadyFor(src any) bearer.Ready {
	if src != any(k) {
		return nil
	}
	return keeperReady{upkeep{k}}
}

type keeperReady struct{ upkeep }

func (r keeperReady) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	subject, _ := r.k.Subject(ctx)
	if s := r.k.cache.Fresh(subject); s != nil {
		return s.Token, s.Header, nil
	}
	return withHeader(r.k.Token(ctx))
}

// Accepted implements [bearer.Ready].
func (r keeperReady) Accepted(ctx context.Context, tok *oauth2.Token, renewed bool) {
	if r.k.trials.None() {
		return
	}
	if subject, ok := r.k.Subject(ctx); ok {
		r.k.trials.Accept(subject, tok.AccessToken, renewed, r.k.clock.Mono())
	}
}

// withHeader adds the header's value to what a Token method returned.
func withHeader(tok *oauth2.Token, err error) (*oauth2.Token, string, error) {
	if err != nil {
		return nil, "", err
	}
	value, _ := bearer.Value(tok) // empty if there is none
	return tok, value, nil
}

// token is Token where memory alone is not enough. It asks the store if what is
// cached is too old, starts a refresh ahead of the expiry in the background,
// and renews what has expired (G9, G18).
func (k *Keeper) token(ctx context.Context, subject string) (*oauth2.Token, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	s, err := k.known(ctx, subject)
	if err != nil {
		return nil, err
	}
	e := s.Entry()
	if err := over(e.Record); err != nil {
		return nil, err
	}
	now := k.cache.Now()
	if e.Token == nil || e.Expiry.Passed(now) {
		return k.renewExpired(ctx, subject, e.Record)
	}
	if e.Refresh.Passed(now) {
		k.refreshAhead(ctx, subject, s)
	}
	return e.Token, nil
}

// renewExpired renews a token that has expired. A server may issue the same
// access token again, with a later expiry. That is no failure here.
func (k *Keeper) renewExpired(ctx context.Context, subject string, r *lease.Record) (*oauth2.Token, error) {
	rejected := k.unexpired(r)
	tok, err := k.renew(ctx, subject, rejected, false)
	if rejected == "" || !errors.Is(err, tokensource.ErrJustRenewed) {
		return tok, err
	}
	if s := k.cache.Load(subject); k.valid(s) {
		return s.Token, nil
	}
	return nil, err
}

// unexpired returns the access token of a grant that has expired by the
// monotonic clock alone. The wall clock was set back, and the rules of a
// renewal would still hand the token out, unless it counts as rejected. It
// returns an empty string if the token has expired by the wall clock.
func (k *Keeper) unexpired(r *lease.Record) string {
	expired := !r.Token.Expiry.IsZero() && !k.clock.Wall().Before(r.Token.Expiry)
	if r.Over != "" || expired {
		return ""
	}
	return r.Token.Access
}

// known returns what is known of a grant, from the store if memory is too old
// (G12). A store that fails or hangs does not stop a caller whose token is
// valid (G8).
func (k *Keeper) known(ctx context.Context, subject string) (*snapshot, error) {
	old := k.cache.Load(subject)
	if old != nil && !old.Entry().Recheck.Passed(k.cache.Now()) {
		return old, nil
	}
	answer := k.reload(ctx, subject)
	if !k.valid(old) {
		return flight.Wait[*snapshot](ctx, answer)
	}
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := flight.Wait[*snapshot](soon, answer)
	if err != nil && !errors.Is(err, tokensource.ErrNoGrant) && ctx.Err() == nil {
		return old, nil
	}
	return s, err
}

// valid reports whether the token of s, which may be nil, has not expired.
func (k *Keeper) valid(s *snapshot) bool {
	return s != nil && s.Token != nil && !s.Entry().Expiry.Passed(k.cache.Now())
}

// over returns why the token of a grant may not be handed out, or nil.
func over(r *lease.Record) error {
	switch r.Over {
	case "":
		return nil
	case lease.NoGrant:
		return noGrant()
	}
	return &tokensource.Error{Op: "token", Kind: tokensource.ErrReauthorize, Reason: tokensource.Reason(r.Over), Code: r.Code}
}

func noGrant() error {
	return &tokensource.Error{Op: "token", Kind: tokensource.ErrNoGrant, Reason: tokensource.ReasonNoGrant}
}

// reload reads a grant from the store, once for all callers, and publishes it.
// If the store fails, a valid token stays in use until the next recheck.
func (k *Keeper) reload(ctx context.Context, subject string) <-chan singleflight.Result {
	return k.loads.DoChan(k.own(subject), k.flight(ctx, 3*k.o.StoreTimeout, func(ctx context.Context) (any, error) {
		key, err := k.key(ctx, subject)
		if err != nil {
			return nil, err
		}
		old := k.cache.Load(subject)
		for {
			s, err := k.readOnce(ctx, key, subject)
			if s == nil && err == nil {
				continue // a logout ended during the read
			}
			if err != nil && !errors.Is(err, tokensource.ErrNoGrant) && k.valid(old) {
				e := old.Entry()
				e.Recheck = k.cache.Now().Add(k.o.Recheck)
				k.cache.Extend(key, old, e)
			}
			return s, err
		}
	}))
}

// readOnce reads a grant and publishes it. It returns what readers see from
// then on: nil if another operation has removed the grant from the cache
// meanwhile.
func (k *Keeper) readOnce(ctx context.Context, key, subject string) (*snapshot, error) {
	op := k.cache.Begin(key, subject)
	defer op.End()
	record, version := k.grants.unsaved(key), storage.Version(0)
	if record == nil {
		var err error
		record, version, err = k.load(ctx, key, subject)
		if errors.Is(err, storage.ErrNotFound) {
			op.Forget()
			return nil, noGrant()
		}
		if err != nil {
			return nil, err
		}
		k.tend(key, subject, record)
	}
	if record.Over == lease.NoGrant {
		op.Forget()
		return nil, noGrant()
	}
	return op.Publish(k.entry(record, version, 0)), nil
}

// flight makes a function for a singleflight group. Its work outlives the
// caller who began it, keeps the values of the context, and has a limit of time
// of its own (G5). Close waits for it.
func (k *Keeper) flight(ctx context.Context, limit time.Duration, f func(context.Context) (any, error)) func() (any, error) {
	return func() (any, error) {
		if !k.life.Begin() {
			return nil, tokensource.ErrClosed
		}
		defer k.life.End()
		deepen()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return f(ctx)
	}
}

// deepen lets the stack of a new goroutine grow once, while there is nothing on
// it. The calls of a store's driver and of net/http need about this much. If
// the stack grew when they need it, it would be copied several times, with all
// the calls on it.
//
//go:noinline
func deepen() {
	var room [8 << 10]byte
	touch(&room)
}

//go:noinline
func touch(room *[8 << 10]byte) { room[0] = 1 }

// entry prepares a record for the cache. A dead grant is read again at each
// use, because a login elsewhere must be seen at once.
func (k *Keeper) entry(r *lease.Record, version, replaced storage.Version) entry {
	now := k.cache.Now()
	e := entry{Record: r, Version: uint64(version), Over: uint64(replaced), Refresh: cache.Never, Expiry: cache.Never}
	if r.Over != "" {
		return e
	}
	if r.Token.Access == "" { // the server issued none that can be sent
		return e
	}
	e.Token, e.Header = k.shown(r)
	e.Recheck = now.Add(k.o.Recheck)
	if !r.Token.Expiry.IsZero() {
		e.Expiry = now.At(r.Token.Expiry)
	}
	// The jitter is a hash of the token. A new random number at every look would
	// converge on the earliest time.
	if at := refreshAt(r, k.o.RefreshBefore, k.jitter(r.Token.ID, 0)); !at.IsZero() {
		e.Refresh = now.At(at)
	}
	return e
}

// refreshAt returns when to refresh a grant ahead of the expiry of its token,
// or the zero time. See [ahead.Token.Refresh].
func refreshAt(r *lease.Record, before time.Duration, jitter uint64) time.Time {
	t := r.Token
	at := ahead.Token{
		Obtained: t.Obtained, Expiry: t.Expiry, Trade: t.Trade, Refreshable: t.Refresh != "", Refreshed: t.Refreshed,
	}.Refresh(before, jitter)
	switch {
	case r.Over != "":
		return time.Time{}
	case !at.IsZero() && at.Before(r.RetryAt):
		return r.RetryAt
	}
	return at
}

func (k *Keeper) renewRejected(ctx context.Context, subject string, rejected *oauth2.Token) (*oauth2.Token, error) {
	if rejected == nil || rejected.AccessToken == "" {
		return nil, errors.New("grant: Renew needs the token that was rejected")
	}
	return k.renew(ctx, subject, rejected.AccessToken, true)
}

// renewed is the outcome of a renewal, and what it began for.
type renewed struct {
	rejected string
	ahead    bool
	token    *oauth2.Token
	err      error
}

// renew returns a valid token other than rejected. However many callers ask,
// one renewal asks the store, and at most one request asks the server (G1, G2).
// An API has rejected the token if byAPI is set. Otherwise it has expired.
func (k *Keeper) renew(ctx context.Context, subject, rejected string, byAPI bool) (*oauth2.Token, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		if tok := k.other(subject, rejected); tok != nil {
			return tok, nil
		}
		if byAPI && first {
			k.trials.Reject(subject, rejected, k.clock.Mono())
		}
		out, err := flight.Wait[renewed](ctx, k.renewal(ctx, subject, lease.Renewal{Rejected: rejected}))
		switch {
		case err != nil:
			return nil, err
		case out.err == nil && out.token.AccessToken != rejected:
			return k.inTime(out.token)
		case out.rejected == rejected && !out.ahead:
			return nil, cmp.Or(out.err, tokensource.ErrJustRenewed) // never neither (G19)
		}
		// The renewal began for another token, or ahead of the expiry. A refresh
		// ahead of the expiry stores no end of the grant, so its failure says
		// nothing about a token that was rejected.
	}
}

// inTime returns a token that a renewal has brought, unless it has expired
// while the store took it (G18).
func (k *Keeper) inTime(tok *oauth2.Token) (*oauth2.Token, error) {
	if !tok.Expiry.IsZero() && !k.clock.Wall().Before(tok.Expiry) {
		return nil, temporary("refresh", errExpired)
	}
	return tok, nil
}

// other returns the cached token if it is known to be another one than
// rejected. A token whose recheck time has passed may be older than the
// rejected one.
func (k *Keeper) other(subject, rejected string) *oauth2.Token {
	s := k.cache.Load(subject)
	if rejected == "" || !k.valid(s) || s.Token.AccessToken == rejected || s.Entry().Recheck.Passed(k.cache.Now()) {
		return nil
	}
	return s.Token
}

// refreshAhead starts a refresh that no caller waits for. Callers keep the old
// token meanwhile.
func (k *Keeper) refreshAhead(ctx context.Context, subject string, s *snapshot) {
	const untilNextLook = 5 * time.Second
	key, err := k.key(ctx, subject)
	if err != nil {
		return
	}
	e := s.Entry()
	e.Refresh = k.cache.Now().Add(untilNextLook)
	if k.cache.Extend(key, s, e) {
		k.renewal(ctx, subject, lease.Renewal{Rejected: e.Token.AccessToken, Ahead: true})
	}
}

// tradeLogin begins to trade the access token of a login that was just stored,
// where it must be traded for one that lives longer.
func (k *Keeper) tradeLogin(ctx context.Context, r *lease.Record) {
	if r.Token.Refresh == "" && !r.Token.Trade.IsZero() && !k.clock.Wall().Before(r.Token.Trade) {
		k.renewal(ctx, r.Subject, lease.Renewal{Rejected: r.Token.Access, Ahead: true})
	}
}

// renewal joins the renewal of a subject, or begins one. It may have to wait
// for another process to finish or to be given up, and then needs the time of a
// request of its own.
func (k *Keeper) renewal(ctx context.Context, subject string, op lease.Renewal) <-chan singleflight.Result {
	limit := 2*k.rules.Lease + k.rules.Skew + k.rules.Quiet
	return k.renewals.DoChan(k.own(subject), k.flight(ctx, limit, func(ctx context.Context) (any, error) {
		out := renewed{rejected: op.Rejected, ahead: op.Ahead}
		var key string
		if key, out.err = k.key(ctx, subject); out.err == nil {
			var end lease.Outcome
			if end, out.err = k.drive(ctx, key, subject, &op); out.err == nil {
				out.token, _ = k.shown(end.Record)
			}
		}
		return out, nil
	}))
}
