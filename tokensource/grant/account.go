package grant

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/cache"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/kept"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// Grant is what may be known of a grant: facts without tokens.
type Grant struct {
	Subject  string
	Issuer   string // of the authorization server; its token endpoint if it has no issuer
	ClientID string // the app's

	Scopes      []string  // granted; empty if the server never said
	Asked       []string  // the scopes that the login asked for
	Authorized  time.Time // when the user last authorized
	Saved       time.Time // when that was saved: Authorized, or later after an adoption
	Obtained    time.Time // when the access token was issued
	Expiry      time.Time // when the access token expires; zero if that is not known
	Refreshable bool      // there is a refresh token, or the access token itself is traded
	TradeFrom   time.Time // from when the access token is traded, see Provider.Trade; zero if it never is
	Bound       bool      // the tokens are bound to a key ([tokensource.Proofs])

	// RefreshEnds is when the refresh token ends, known since RefreshEndKnown, and
	// AuthorizationEnds when the authorization does; zero if the server never said.
	RefreshEnds, RefreshEndKnown, AuthorizationEnds time.Time

	// Epoch names the time from a login to the end of the grant. New
	// authorizations in between keep it. A login after a logout has another. A
	// session that remembers the epoch ends with the logout, wherever that happens.
	Epoch string

	// Dead says why the user must authorize again. It is empty while the grant
	// lives. Code is the error code that the server sent with it, if any.
	Dead tokensource.Reason
	Code string

	// LoggedOut is when the user logged out. Such a record holds no tokens that
	// are in use, and is deleted after a day. Zero means that nobody logged out.
	LoggedOut time.Time

	// Unrevoked counts the tokens that the server has yet to confirm as revoked.
	// Any process that shares the store revokes them.
	Unrevoked int

	// UnrevokedSince is when the oldest of these tokens was dropped, RevokeTries
	// how often its revocation was tried, and RevokeAt when the next try of any of
	// them may follow. They are zero if there is none.
	UnrevokedSince time.Time
	RevokeTries    uint64
	RevokeAt       time.Time

	// RedeemingSince and RedeemingUntil are the times of a redemption of the
	// refresh token that has begun and has no stored outcome. They are zero if
	// there is none. After RedeemingUntil the refresh token is in doubt.
	RedeemingSince, RedeemingUntil time.Time

	// Doubts counts how often a redemption was announced while an earlier one
	// had no known outcome.
	Doubts uint64

	// Failures counts the latest attempts in a row that failed and redeemed
	// nothing. No attempt is made before RetryAt. Zero means now.
	Failures uint64
	RetryAt  time.Time
}

// facts returns what may be known of r.
func facts(r *lease.Record) Grant {
	g := Grant{
		Subject: r.Subject, Issuer: r.Issuer, ClientID: r.ClientID,
		Scopes: strings.Fields(r.Token.Scope), Asked: strings.Fields(r.Asked), Authorized: r.Exchanged, Saved: r.Exchanged, Obtained: r.Token.Obtained, Expiry: r.Token.Expiry,
		Refreshable: r.Token.Refresh != "" || !r.Token.Trade.IsZero(), TradeFrom: r.Token.Trade, Bound: r.Token.Key != "", Epoch: r.Epoch, Code: r.Code, LoggedOut: r.Ended, Unrevoked: len(r.Queue),
		RedeemingSince: r.Intent.Since, RedeemingUntil: r.Intent.Until,
		Doubts: r.Doubts, Failures: r.Failures, RetryAt: r.RetryAt,
	}
	m := kept.Members(r.Token.Members)
	g.RefreshEnds, _ = kept.Seconds(m[kept.RefreshEnd])
	g.RefreshEndKnown, _ = kept.Seconds(m[kept.RefreshBegin])
	g.AuthorizationEnds, _ = kept.Seconds(m[kept.AuthorizationEnd])
	if at, ok := kept.Seconds(m[kept.Saved]); ok {
		g.Saved = at
	}
	for _, q := range r.Queue {
		if g.UnrevokedSince.IsZero() || q.Since.Before(g.UnrevokedSince) {
			g.UnrevokedSince, g.RevokeTries = q.Since, q.Attempts
		}
		if g.RevokeAt.IsZero() || q.Next.Before(g.RevokeAt) {
			g.RevokeAt = q.Next
		}
	}
	if r.Over != lease.NoGrant {
		g.Dead = tokensource.Reason(r.Over)
	}
	return g
}

// Missing returns those of the given scopes that were not granted. If the
// server never said what it granted, none is missing ([RFC 6749] section 5.1).
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
func (g Grant) Missing(scopes ...string) []string {
	var missing []string
	for _, s := range scopes {
		if len(g.Scopes) > 0 && !slices.Contains(g.Scopes, s) {
			missing = append(missing, s)
		}
	}
	return missing
}

// Grant returns the facts of a subject's grant as the store has them now, or as
// this process last knew them if the store fails. It returns
// [tokensource.ErrNoGrant] if there is none. A dead grant comes with Dead set,
// and without an error.
func (k *Keeper) Grant(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	old := k.cache.Load(subject)
	s, err := flight.Wait[*snapshot](ctx, k.reload(ctx, subject))
	if errors.Is(err, tokensource.ErrTemporary) && old != nil {
		s, err = old, nil
	}
	if err != nil {
		return Grant{}, err
	}
	return facts(s.Entry().Record), nil
}

// LoginOptions says more about a login than its tokens do. The zero value is
// what [Keeper.Save] uses.
type LoginOptions struct {
	// Scopes are what this login asked for. Nil means the scopes of the client.
	Scopes []string

	// ID names the login: 1 to 64 bytes of visible ASCII that nobody can guess. A
	// program that keeps the tokens of a login until it can save them also keeps
	// its ID. Empty means a random one.
	ID string

	// User is the Subject of the User of a verified ID token that came with the
	// tokens. An ID token that comes with refreshed tokens must be for the same
	// user. Empty means that there was none, and then that is not compared.
	User string

	// Repeated says that an earlier call with this ID may have stored the login.
	// Then the login is stored once, whatever became of that call. If the grant
	// was renewed, replaced or logged out since, it stays so.
	Repeated bool

	// Exchanged is when the server answered the exchange. The later one of two
	// logins stays. Zero means that it is computed from the lifetime of the token,
	// or that it is now if the lifetime is not known.
	Exchanged time.Time
}

// Save stores the tokens of a new authorization of subject, in place of the
// tokens of an earlier one, and makes a dead grant alive. Tokens that are
// replaced are revoked, unless the server has ended them itself (G20). Of two
// logins at nearly the same time, the one that was exchanged later stays,
// whichever is saved first (G6). Save returns the facts of the grant that
// stays, and ErrNoGrant if the user has logged out meanwhile.
//
// Save goes on when ctx ends, because the code that tok was traded for cannot
// be used again. [tokensource.ErrTemporary] means that the store has not
// confirmed the grant. It may be stored all the same. Let the user log in
// again, or use [Keeper.SaveLogin] with an ID, which can be repeated.
func (k *Keeper) Save(ctx context.Context, subject string, tok *oauth2.Token) (Grant, error) {
	return k.SaveLogin(ctx, subject, tok, nil)
}

// SaveLogin is [Keeper.Save] for a login of which more is known. Nil options
// mean all defaults. The errors are those of Save, and one for options that
// cannot work.
func (k *Keeper) SaveLogin(ctx context.Context, subject string, tok *oauth2.Token, o *LoginOptions) (Grant, error) {
	if o == nil {
		o = new(LoginOptions)
	}
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	if tok == nil || tok.AccessToken == "" {
		return Grant{}, errors.New("grant: Save needs the token that Exchange returned")
	}
	if err := o.check(); err != nil {
		return Grant{}, err
	}
	if err := k.checkBound(tok); err != nil {
		return Grant{}, err
	}
	if !k.life.Begin() {
		return Grant{}, tokensource.ErrClosed
	}
	defer k.life.End()
	return k.saveLogin(context.WithoutCancel(ctx), subject, k.login(subject, tok, o))
}

func (o *LoginOptions) check() error {
	const longestID = 64
	switch {
	case len(o.ID) > longestID || !ascii.Visible(o.ID):
		return errors.New("grant: the ID of a login is 1 to 64 bytes of visible ASCII")
	case o.Repeated && o.ID == "":
		return errors.New("grant: a login that is repeated needs the ID of the first attempt")
	}
	return nil
}

func (k *Keeper) saveLogin(ctx context.Context, subject string, login lease.Login) (Grant, error) {
	key, err := k.key(ctx, subject)
	if err != nil {
		return Grant{}, err
	}
	out, err := k.drive(ctx, key, subject, &login)
	if out.Overtaken && out.Record != nil {
		return facts(out.Record), nil
	}
	if err != nil {
		return Grant{}, err
	}
	k.tellScopes(ctx, subject, login.Asked, login.Token.Scope)
	k.tradeLogin(ctx, out.Record)
	return facts(out.Record), nil
}

// login prepares the tokens of a new authorization.
func (k *Keeper) login(subject string, tok *oauth2.Token, o *LoginOptions) lease.Login {
	now := k.clock.Wall()
	at := o.exchanged(tok, now)
	scopes, id := o.Scopes, o.ID
	if scopes == nil {
		scopes = k.client.Scopes()
	}
	if id == "" {
		id = randomID()
	}
	asked := strings.Join(scopes, " ")
	t := k.issued(tok, at, "")
	t.Members = kept.Late(t.Members, at, now)
	if t.Scope == "" {
		t.Scope = asked // RFC 6749 section 5.1
	}
	t.Key = proving.KeyOf(tok).Stored()
	p := k.client.Provider()
	return lease.Login{
		Issuer: p.Authority(), Endpoint: p.TokenURL, ClientID: k.client.ClientID(), Subject: subject, Asked: asked, User: o.User,
		ID: id, Epoch: randomID(), Exchanged: at, Token: t, Repeated: o.Repeated,
	}
}

func randomID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// exchanged returns when a token was obtained. An answer states the lifetime of
// the token, from which Exchange has computed the expiry. An app may have done
// much between Exchange and Save, and the order of two logins is that of their
// exchanges.
func (o *LoginOptions) exchanged(tok *oauth2.Token, now time.Time) time.Time {
	at := o.Exchanged.Round(0)
	switch {
	case !at.IsZero():
	case tok.ExpiresIn <= 0 || tok.Expiry.IsZero():
		return now
	default:
		at = tok.Expiry.Round(0).Add(-time.Duration(tok.ExpiresIn) * time.Second)
	}
	if at.After(now) {
		return now
	}
	return at
}

// Logout ends a subject's grant, for every process at once. From then on no
// process hands out a token of it. The refresh token and then the access token
// are revoked at the server ([RFC 7009]). A logout wins over a refresh under
// way: tokens that arrive later are revoked (G12). Without a grant Logout
// returns nil. A provider without a revocation endpoint leaves nothing else to
// do.
//
// Package middleware calls this a disconnect. Its Logout ends the session in
// one browser and leaves the grant alone.
//
// An error means that the logout may not be stored, or that the server has not
// confirmed the revocation. What the server has not confirmed is repeated in
// the background by any process, for a week (G20). When ctx ends, Logout
// returns its cause and goes on by itself. [EventLoggedOut] then says how it
// ended.
//
// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
func (k *Keeper) Logout(ctx context.Context, subject string) error {
	_, err := k.end(ctx, subject)
	return err
}

// Forget is [Keeper.Logout] for the erasure of a user's data. It returns nil as
// soon as the end of the grant is stored, also if the server has not confirmed
// the revocation. Any process then revokes and deletes what is left: tokens
// after a week at the latest, and the record with the identifier of the user a
// day after its last token. An error means that the end of the grant may not be
// stored: call Forget again.
func (k *Keeper) Forget(ctx context.Context, subject string) error {
	out, err := k.end(ctx, subject)
	if out.Unconfirmed {
		return nil
	}
	return err
}

// ending is how a logout ended.
type ending struct {
	lease.Outcome
	err error
}

// end ends a grant. The work goes on when ctx ends.
func (k *Keeper) end(ctx context.Context, subject string) (lease.Outcome, error) {
	if err := checkSubject(subject); err != nil {
		return lease.Outcome{}, err
	}
	if !k.life.Begin() {
		return lease.Outcome{}, tokensource.ErrClosed
	}
	done := make(chan ending, 1)
	go func() {
		defer k.life.End()
		done <- k.logout(context.WithoutCancel(ctx), subject)
	}()
	select {
	case e := <-done:
		return e.Outcome, e.err
	case <-ctx.Done():
		return lease.Outcome{}, flight.GaveUp(ctx)
	}
}

func (k *Keeper) logout(ctx context.Context, subject string) ending {
	key, err := k.key(ctx, subject)
	if err != nil {
		return ending{err: err}
	}
	out, err := k.drive(ctx, key, subject, new(lease.Logout))
	if errors.Is(err, tokensource.ErrNoGrant) {
		err = nil
	}
	return ending{out, err}
}

// Source is a [Keeper] narrowed to one subject: for a bot, a service account, a
// command line tool. It ignores the subject of the context. It is safe for
// concurrent use.
type Source struct {
	server
	proving.Authorizer
	keeper  *Keeper
	subject string
	place   *atomic.Pointer[cache.Place[lease.Record]] // of the grant in the cache; an emptied place is looked up again
}

// Source returns the tokens of one subject.
func (k *Keeper) Source(subject string) *Source {
	s := &Source{server: k.server, keeper: k, subject: subject, place: new(atomic.Pointer[cache.Place[lease.Record]])}
	s.Authorizer = proving.For(s.Token)
	return s
}

// Token returns a valid access token of the subject. See [Keeper.Token].
func (s *Source) Token(ctx context.Context) (*oauth2.Token, error) {
	if c := s.keeper.cache.FreshAt(s.place.Load()); c != nil {
		return c.Token, nil
	}
	tok, err := s.keeper.token(ctx, s.subject)
	if key, unnamed := s.keeper.key(ctx, s.subject); unnamed == nil {
		s.place.Store(s.keeper.cache.Place(key, s.subject))
	}
	return tok, err
}

// Renew returns a token of the subject other than rejected. The contract is
// [tokensource.Renewer].
func (s *Source) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	return s.keeper.renewRejected(ctx, s.subject, rejected)
}

// ReadyFor returns the header values that the Keeper stores beside the tokens.
// It is for package transport: its result type is internal.
func (s *Source) ReadyFor(src any) bearer.Ready {
	if src != any(s) {
		return nil
	}
	return sourceReady{s}
}

type sourceReady struct{ s *Source }

func (r sourceReady) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	if c := r.s.keeper.cache.FreshAt(r.s.place.Load()); c != nil {
		return c.Token, c.Header, nil
	}
	return withHeader(r.s.Token(ctx))
}

// Accepted implements [bearer.Ready].
func (r sourceReady) Accepted(_ context.Context, tok *oauth2.Token, renewed bool) {
	if r.s.keeper.trials.None() {
		return // a look at the clock would take as long as all the rest
	}
	r.s.keeper.trials.Accept(r.s.subject, tok.AccessToken, renewed, r.s.keeper.clock.Mono())
}

// alive reports whether an access token works, which is bound to the given key.
func (k *Keeper) alive(ctx context.Context, access, key string) (bool, error) {
	tok := &oauth2.Token{AccessToken: access, TokenType: "Bearer"}
	if key != "" {
		tok.TokenType = proving.Type
		tok = proving.Bind(tok, map[string]any{}, k.keyOf(key))
	}
	ctx, cancel := context.WithTimeout(ctx, k.client.Timeout())
	defer cancel()
	if k.o.Alive != nil {
		return k.o.Alive(ctx, tok)
	}
	_, err := k.client.Identity(ctx, tok)
	if errors.Is(err, tokensource.ErrReauthorize) {
		return false, nil
	}
	return err == nil, err
}
