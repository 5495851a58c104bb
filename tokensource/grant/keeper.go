// Package grant keeps the OAuth 2.0 grants of an app's users alive.
//
// A grant is what a user gave an app at an authorization server: a short-lived
// access token and a refresh token ([RFC 6749], sections 1.4 and 1.5). Many
// servers issue a new refresh token with every refresh and take a second use of
// the old one for theft ([RFC 9700], section 4.14). So a refresh must happen
// once, however many goroutines and processes need it, and its answer must not
// be lost.
//
// # What it is for
//
// A program gives a Keeper to package transport, which sends the tokens, and to
// package middleware, connect or nativeapp, which log users in. It calls the
// Keeper itself for what they do not do: to look at a grant, to end one, to
// save tokens that come from elsewhere. Tokens for which nobody logs in, such
// as those of the app itself, need no Keeper: see package derived.
//
// # Types
//
// A [Keeper] holds the grants of all users of one client. It is a
// [tokensource.Renewer] whose subject comes from the context. [Keeper.Save]
// takes the tokens of a login, [Keeper.Token] supplies access tokens,
// [Keeper.Renew] replaces a token that an API rejected, and [Keeper.Logout]
// ends a grant. A [Source] is a Keeper narrowed to one subject. A [Grant] holds
// facts about a grant, and no token.
//
// # Example
//
//	grants, err := grant.New(client, store, nil)
//	defer grants.Close()
//	authenticated, err := transport.New(grants, nil)
//	api := &http.Client{Transport: authenticated}
//
//	ctx = grants.WithSubject(ctx, user) // not needed behind Login.Require
//	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
//	resp, err := api.Do(req)
//
// # How processes share a grant
//
// All processes use one [storage.Store]. Before a Keeper sends a refresh token,
// it writes an intent into the stored grant by compare-and-swap. Other
// processes wait while the intent lives, and learn from an abandoned intent
// that the refresh token may have been used. The rules stand in the internal
// package lease, as machines without I/O. The file drive.go carries out what
// they ask for. No other file writes a grant, and none sends a refresh token.
//
// # What can be lost
//
// A user must log in again, with [tokensource.ReasonInDoubt], in two cases. A
// server without a grace window issued new tokens that no process could store:
// the process died, or it could not reach the store until another process had
// taken over and sent the refresh token again. Or two attempts in a row ended
// without a known outcome. An attempt ends so if its answer is lost, or if its
// process dies or is stopped past its lease, even when the request never left
// the process. [InDoubtPolicy] decides how often a refresh token is sent again.
//
// # Refusals that nobody recognizes
//
// Some servers refuse a dead refresh token in words of their own, which neither
// the standard nor the facts of the provider explain. Such a refusal is
// [tokensource.ErrClient], and the attempts for this grant are spaced, up to an
// hour. The third one, ten minutes or more after the first, and all later ones
// are [tokensource.ErrReauthorize]: a login is the only thing left to try. The
// grant stays stored, and a later success makes it usable again. Teach
// Provider.Classify what the server says, and the first refusal ends the grant.
//
// # Concurrency
//
// All methods are safe for concurrent use. Callers that need the same grant
// share one read of the store and one refresh. Each caller leaves when its own
// context ends, and the shared work goes on.
//
// # Errors
//
// Methods return a [*tokensource.Error] whose kind says who can fix the
// failure: the user ([tokensource.ErrReauthorize], [tokensource.ErrNoGrant]),
// time ([tokensource.ErrTemporary]), or the operator ([tokensource.ErrClient];
// Op "load" without a kind means that the stored grant cannot be read). No
// error and no event contains a token.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 9700]: https://www.rfc-editor.org/rfc/rfc9700
package grant

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/about"
	"github.com/authtrip/authtrip/internal/cache"
	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/internal/gate"
	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/internal/lifetime"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/internal/trials"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Keeper keeps the grants of all users of one client. Make one with [New]. It
// is safe for concurrent use.
//
// No verb of package fmt and no encoder prints a token that a Keeper holds.
// Package fmt prints the address of a pointer that stands in a struct. With a
// wrong verb, it prints what the pointer points to, and the addresses of the
// pointers in there. So everything that changes, or leads to a token, is two
// pointers away.
type Keeper struct{ *engine }

// engine is a Keeper behind the first pointer. Its fields never change.
type engine struct {
	*common // with other Keepers
	server
	proving.Authorizer

	life   *lifetime.Lifetime
	client *oauth.Client
	owner  *tokensource.Owner // of the subjects
	id     due.Owner          // the client, in the index of due work
	o      Options
	rules  lease.Rules

	cache    cache.Cache[lease.Record]
	grants   *table           // what this Keeper alone knows of its grants
	hooks    *hooks           // of package middleware
	breaker  *pacing.Breaker  // of requests to the token endpoint
	refused  *pacing.Refusals // failed attempts that concern one grant in this process
	trials   *trials.Trials   // renewals that did not help
	sending  *gate.Share      // bounds the refreshes in flight
	revoking *gate.Share      // bounds the revocations in flight
}

// Options adjusts a [Keeper]. The zero value is the safe default.
type Options struct {
	// RefreshBefore is how long before expiry a refresh starts in the background,
	// while callers keep the old token. It varies by up to a quarter in either
	// direction. Zero means one minute. More than a tenth of the lifetime of the
	// token counts as that tenth. Negative means not before expiry.
	RefreshBefore time.Duration

	// RenewSpacing is how old a refreshed token must be before its rejection by an
	// API leads to another refresh. Each refresh that did not help, because the API
	// rejects the new token as well, doubles this time for the next one, up to
	// sixty times as long. Package transport reports which tokens an API accepts,
	// and that ends it. Zero means 10 seconds.
	RenewSpacing time.Duration

	// Recheck is how old the knowledge of a grant may be in this process before
	// the store is asked again. Within this time a logout or a login elsewhere is
	// seen, if the store cannot tell at once. Zero means 30 seconds, and 24 hours
	// are the most. A store that fails, or needs more than a quarter of a second,
	// stops no caller whose token is valid.
	Recheck time.Duration

	// InDoubt decides what happens after the answer to a refresh was lost. Zero
	// means ResendOnce.
	InDoubt InDoubtPolicy

	// CacheSize is the largest number of grants in memory. Zero means 100,000.
	CacheSize int

	// StoreTimeout bounds one operation of the store. Zero means 3 seconds, and 24
	// hours are the most.
	StoreTimeout time.Duration

	// DueInterval is the pause between two looks at the index of due work, which
	// has 256 parts: revocations to repeat, and grants that ended to delete. Zero
	// means 1 second. Negative means never: other processes must do that work.
	DueInterval time.Duration

	// Alive reports whether an access token works. It is asked after two logins of
	// one user at nearly the same time, where the server keeps only one of them.
	// An error means that it cannot tell. Nil means that the provider is asked who
	// the user is, if it has an IdentityURL.
	Alive func(ctx context.Context, tok *oauth2.Token) (bool, error)

	// WithoutRefresh accepts a client that does not ask for the scope without
	// which the provider issues no refresh tokens. What is lost: every user must
	// log in again when the first access token expires.
	WithoutRefresh bool

	// With is a Keeper of another client whose engine this Keeper joins: a program
	// with thousands of tenants, each of them with a client of its own, needs one
	// engine. The Keepers then share the store, its notifications, the work in the
	// background, the grants in memory and the bounds of requests in flight. A
	// Keeper that joins costs no goroutine. Subjects, grants and the pauses after
	// failures stay apart, and each Keeper has an own Close. Whether With is closed
	// makes no difference.
	//
	// At most 256 refreshes and 64 revocations are in flight for all. One Keeper
	// takes no more than a quarter of these, and the Keepers whose token endpoints
	// are at one host no more than a half, if there is another host. Each of
	// several endpoints has two refreshes and one revocation beside. So it goes on
	// however many other servers hang.
	//
	// The store must be that of With, and CacheSize, StoreTimeout, DueInterval and
	// Clock must be zero: those of With are in force. Two Keepers of one client
	// share its grants as two processes do. So a Keeper with a new secret can be
	// made before the old one is closed. Nil means an engine of its own.
	With *Keeper

	// OnEvent is called with what happens to grants, for audit, logs and metrics.
	// The kinds are the constants of this package. Its context is that of the call
	// that began the work, without its end. It is called from many goroutines and
	// must return quickly. Nil means that no function is called. See
	// [tokensource.LogEvents].
	OnEvent func(ctx context.Context, e tokensource.Event)

	// InsecurePlainStore accepts a store that outlives the process and that
	// [storage.Sealed] did not make. What is lost: anybody who can read the store,
	// a backup or a replica of it has the tokens of all users, and anybody who can
	// write to it can exchange the grants of two users unnoticed. The command
	// "grantctl seal" seals such a store later.
	InsecurePlainStore bool

	// Clock replaces the clocks of the machine in this module's own tests. Its
	// type is internal. Nil means the clocks of the machine.
	Clock *clock.Clock
}

// InDoubtPolicy decides whether a refresh token is sent again after its answer
// was lost, or after the process that sent it died. A server that has redeemed
// the token may take the second use for theft and end the grant. A server that
// has not redeemed it answers as usual.
//
// An error answer such as 503 is not a lost answer. The engine takes it that
// nothing was redeemed, though a gateway may answer for a server that has
// redeemed the token. The next attempt follows after a pause, whatever the
// policy, as often as such answers come.
type InDoubtPolicy int

const (
	// ResendOnce sends the refresh token one more time, after the lease of the
	// lost attempt has ended.
	ResendOnce InDoubtPolicy = iota
	// ResendNever asks the user to authorize again.
	ResendNever
	// ResendAlways sends the refresh token until there is an answer. It suits
	// servers with a grace window, or without detection of reuse.
	ResendAlways
)

const (
	defaultRefreshBefore = time.Minute
	defaultRenewSpacing  = 10 * time.Second
	defaultRecheck       = 30 * time.Second
	defaultCacheSize     = 100_000
	defaultStoreTimeout  = 3 * time.Second
	defaultDueInterval   = time.Second

	longest        = 24 * time.Hour   // Recheck and StoreTimeout
	cacheIdle      = 10 * time.Minute // how long a grant that nobody uses stays in memory
	maxRevocations = 16               // in flight at once, for logouts and in the background
	maxRefreshes   = 256              // in flight at once; the others wait
	ownRevocations = 1                // in flight beside, for each of several servers: there may be thousands
	ownRefreshes   = 2                // the same

	leaseMargin = 10 * time.Second // between the end of the request and the end of the intent: the time to write
	clockSkew   = 30 * time.Second // how far the wall clocks of two hosts may differ
	lastPause   = time.Second      // the longest pause between two attempts to write
)

// New returns a Keeper for the users of client, whose grants are kept in store.
// Give every process the same store, wrapped with [storage.Sealed]. New refuses
// any other store with an error that wraps [storage.ErrPlain], unless the
// records end with the process, as those of [storage.Memory] do, or
// Options.InsecurePlainStore is set. Nil options mean all defaults. Call
// [Keeper.Close] at the end.
func New(client *oauth.Client, store storage.Store, o *Options) (*Keeper, error) {
	if client == nil {
		return nil, errors.New("grant: nil Client: make one with oauth.New")
	}
	if isnil.Value(store) {
		return nil, errors.New("grant: nil Store: use storage.NewMemory, or a store that outlives the process")
	}
	if o == nil {
		o = new(Options)
	}
	if err := o.check(client); err != nil {
		return nil, err
	}
	if err := o.checkStore(client, store); err != nil {
		return nil, err
	}
	shared, err := commonFor(store, o)
	if err != nil {
		return nil, err
	}
	k := newKeeper(client, shared, o.withDefaults())
	shared.join(k)
	return k, nil
}

// newKeeper returns a Keeper that has not joined the others yet.
func newKeeper(client *oauth.Client, shared *common, o Options) *Keeper {
	o.With, o.StoreTimeout, o.Clock = nil, shared.store.Timeout, shared.clock
	p := client.Provider()
	k := &Keeper{&engine{
		common: shared,
		server: about.Of(p),

		life:   lifetime.New(),
		client: client,
		owner:  &tokensource.Owner{Authority: p.Authority(), ClientID: client.ClientID()},
		id:     due.OwnerOf(ownerOf(p.Authority(), client.ClientID())),
		o:      o,
		rules:  o.rules(client),

		grants:   new(table),
		hooks:    new(hooks),
		breaker:  &pacing.Breaker{Grants: 2},
		refused:  new(pacing.Refusals),
		trials:   trials.New(o.RenewSpacing),
		sending:  shared.refreshes.Join(hostOf(p.TokenURL), p.TokenURL),
		revoking: shared.revocations.Join(hostOf(p.TokenURL), p.TokenURL),
	}}
	k.Authorizer = proving.For(k.Token)
	return k
}

// hostOf returns the host of a token endpoint. All endpoints of a host are held
// up when it hangs.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "" // cannot happen: oauth.New has parsed it
	}
	return u.Host
}

func (o *Options) check(client *oauth.Client) error {
	switch {
	case o.RenewSpacing < 0, o.Recheck < 0, o.StoreTimeout < 0, o.CacheSize < 0:
		return errors.New("grant: RenewSpacing, Recheck, StoreTimeout and CacheSize cannot be negative: zero means the default")
	case o.Recheck > longest, o.StoreTimeout > longest:
		return fmt.Errorf("grant: Recheck and StoreTimeout cannot be above %v", longest)
	case o.InDoubt < ResendOnce || o.InDoubt > ResendAlways:
		return fmt.Errorf("grant: InDoubt %d is no policy", o.InDoubt)
	}
	scope := client.Provider().RefreshScope
	if scope != "" && !o.WithoutRefresh && !slices.Contains(client.Scopes(), scope) {
		return fmt.Errorf("grant: Scopes lack %q, without which %s issues no refresh tokens and users are logged out "+
			"when the first access token expires: add it, or set Options.WithoutRefresh", scope, client.Provider().Name)
	}
	return nil
}

func (o *Options) withDefaults() Options {
	d := *o
	orElse(&d.RefreshBefore, defaultRefreshBefore)
	orElse(&d.RenewSpacing, defaultRenewSpacing)
	orElse(&d.Recheck, defaultRecheck)
	orElse(&d.StoreTimeout, defaultStoreTimeout)
	orElse(&d.CacheSize, defaultCacheSize)
	orElse(&d.DueInterval, defaultDueInterval)
	if d.Clock == nil {
		d.Clock = clock.Machine()
	}
	return d
}

func orElse[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// rules returns the settings of the lease protocol.
func (o *Options) rules(client *oauth.Client) lease.Rules {
	resends := map[InDoubtPolicy]uint64{ResendOnce: 1, ResendNever: 0, ResendAlways: math.MaxUint64}
	if client.Provider().Trade.Next.URL != "" { // an access token is no credential for one use
		resends[o.InDoubt] = math.MaxUint64
	}
	return lease.Rules{
		Self:   randomID(),
		Lease:  client.Timeout() + leaseMargin,
		Margin: leaseMargin,
		Skew:   clockSkew,
		// After an outage of the store, the holder of an intent may have tokens
		// still to write. Its last attempt may hang for StoreTimeout, and the next
		// one follows soon.
		Quiet:       o.StoreTimeout + lastPause + time.Second,
		Spacing:     o.RenewSpacing,
		Resends:     resends[o.InDoubt],
		SingleGrant: client.Provider().SingleGrant,
		RevokesAll:  client.Provider().RevokesAll,
		Hold:        time.Hour,
		FirstPause:  10 * time.Second,
		LastPause:   time.Hour,
		GiveUp:      7 * 24 * time.Hour,
		Keep:        24 * time.Hour,
	}
}

// Client returns the client whose grants these are.
func (k *Keeper) Client() *oauth.Client { return k.client }

// Store returns the store that the grants are kept in.
func (k *Keeper) Store() storage.Store { return k.store.Store }

// Close stops the Keeper. It waits for work under way, tries once more to write
// what the store did not take, and returns an error that counts what could not
// be written. It may be called twice. Afterwards every call that needs more
// than memory returns [tokensource.ErrClosed].
func (k *Keeper) Close() error {
	k.life.Stop()
	if k.leave(k) {
		k.sending.Leave()
		k.revoking.Leave()
	}
	unsaved, intents := k.grants.unwritten()
	var list []error
	if unsaved > 0 {
		list = append(list, fmt.Errorf("grant: %d renewed grants could not be written to the store: their users must authorize again", unsaved))
	}
	if intents > 0 {
		list = append(list, fmt.Errorf("grant: %d intents could not be withdrawn: their grants are in doubt", intents))
	}
	return errors.Join(list...)
}

// now reads both clocks at one moment.
func (k *Keeper) now() lease.Clock {
	wall, mono := k.clock.Now()
	return lease.Clock{Wall: wall, Mono: mono}
}

// own returns a name for a subject that no other Keeper uses.
func (k *Keeper) own(subject string) string { return k.rules.Self + subject }

// jitter is a random number that stays the same for the same Keeper, key and n.
// A simulation repeats it.
func (k *Keeper) jitter(key string, n uint64) uint64 { return jitter(k.rules.Self, key, n) }
