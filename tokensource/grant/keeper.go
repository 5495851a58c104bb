package grant

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Keeper keeps the grants of all users of one client alive. It supplies access tokens from memory, renews them once for
// everybody who asks, in this process and in every other one that shares the store, and never sends a refresh token
// twice without knowing it. It is a tokensource.Renewer whose subject comes from the context, and safe for concurrent use.
type Keeper struct {
	client *oauth.Client
	store  storage.Store
	o      Options
	name   string        // random: tells this engine's intents from others'
	seed   maphash.Seed  // of the times at which tokens are refreshed ahead of their expiry
	lease  time.Duration // life of an intent: longer than a token request can take

	cache   *cache
	news    news // for renewals
	reads   news // for reads of the store
	breaker pacing.Breaker

	watching atomic.Bool        // the store tells of changes now
	loads    singleflight.Group // reads of the store, by storage key
	flights  singleflight.Group // renewals, by storage key

	mu          sync.Mutex          // guards closed, unsaved and withdrawing; never held across I/O
	closed      bool                // no new work
	unsaved     map[string]*unsaved // grants whose last write the store has refused so far, by storage key
	withdrawing map[string]bool     // storage keys of intents that are being taken back
	work        sync.WaitGroup      // what Close waits for
	done        chan struct{}       // closed by Close
}

var (
	_ tokensource.Renewer = (*Keeper)(nil)
	_ tokensource.Scoper  = (*Keeper)(nil)
)

// Options adjusts a Keeper. The zero value is the safe default.
type Options struct {
	// RefreshBefore is how long before expiry a refresh starts in the background, while callers keep the old token.
	// It is spread by a random quarter either way. Zero means one minute; more than a tenth of the token's lifetime
	// counts as that tenth. Negative means not before expiry.
	RefreshBefore time.Duration

	// RenewSpacing is how old a refreshed token must be before its rejection by a resource server leads to another
	// refresh. Zero means 10 seconds.
	RenewSpacing time.Duration

	// Recheck is how old the knowledge of a grant may be in this process before the store is asked again: the bound
	// after which a logout or a login elsewhere is seen, if the store cannot tell at once. Zero means 30 seconds. A store
	// that fails, or takes longer than a quarter of a second, stops nobody who holds a valid token.
	Recheck time.Duration

	// InDoubt decides what happens when an answer to a refresh was lost. Zero means ResendOnce.
	InDoubt InDoubtPolicy

	// CacheSize bounds the number of grants kept in memory. Zero means 100,000.
	CacheSize int

	// StoreTimeout bounds one operation of the store. Zero means 3 seconds.
	StoreTimeout time.Duration

	// WithoutRefresh accepts a client that does not ask for the scope without which the provider issues no refresh
	// tokens. What is lost: every user must log in again when the first access token expires.
	WithoutRefresh bool

	// Observe is called with what happens to grants, for logs and metrics; it sees no token. It is called from many
	// goroutines and must return quickly. Nil means nobody looks.
	Observe func(Event)
}

// InDoubtPolicy decides whether a refresh token is sent again when the answer to its redemption was lost, or the process
// that redeemed it died. A server that has redeemed it may take the second use for theft and end the whole grant; a
// server that has not goes on as if nothing had happened. An error answer, a 503 for instance, is not a lost one: it says that
// nothing was redeemed, and the next attempt is made after a pause, whatever the policy.
type InDoubtPolicy int

const (
	// ResendOnce sends it one more time, after the lease of the lost attempt has ended.
	ResendOnce InDoubtPolicy = iota
	// ResendNever asks the user to authorize again.
	ResendNever
	// ResendAlways sends it until there is an answer: for servers with a grace window, or without reuse detection.
	ResendAlways
)

const (
	defaultRefreshBefore = time.Minute
	defaultRenewSpacing  = 10 * time.Second
	defaultRecheck       = 30 * time.Second
	recheckPatience      = 250 * time.Millisecond // how long a call with a valid token waits for the store
	defaultCacheSize     = 100_000
	defaultStoreTimeout  = 3 * time.Second
	cacheIdle            = 10 * time.Minute
	leaseMargin          = 10 * time.Second // from the end of the request's timeout to the end of the intent: time to write
)

// New returns the engine for the users of client whose grants are kept in store. Give every process the same
// store, and wrap it with storage.Sealed unless it is memory. Nil options mean all defaults. Call Close at the end.
func New(client *oauth.Client, store storage.Store, o *Options) (*Keeper, error) {
	if client == nil {
		return nil, errors.New("grant: nil Client: make one with NewClient")
	}
	if store == nil {
		return nil, errors.New("grant: nil Store: use storage.NewMemory, or a store that outlives the process")
	}
	if o == nil {
		o = new(Options)
	}
	if err := o.check(client); err != nil {
		return nil, err
	}
	k := &Keeper{
		client:  client,
		store:   store,
		o:       o.withDefaults(),
		name:    randomID(),
		seed:    maphash.MakeSeed(),
		lease:   client.Timeout() + leaseMargin,
		unsaved: map[string]*unsaved{},
		done:    make(chan struct{}),

		withdrawing: map[string]bool{},
	}
	k.cache = newCache(k.o.CacheSize, cacheIdle)
	if w, ok := store.(storage.Watcher); ok {
		k.work.Go(func() { k.watch(w) })
	}
	return k, nil
}

func (o *Options) check(client *oauth.Client) error {
	switch {
	case o.RenewSpacing < 0, o.Recheck < 0, o.StoreTimeout < 0, o.CacheSize < 0:
		return errors.New("grant: RenewSpacing, Recheck, StoreTimeout and CacheSize cannot be negative: zero means the default")
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
	return d
}

func orElse[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Client returns the client whose grants these are.
func (k *Keeper) Client() *oauth.Client { return k.client }

// Store returns the store that the grants are kept in.
func (k *Keeper) Store() storage.Store { return k.store }

// APIOrigins returns the origins of the provider's API.
func (k *Keeper) APIOrigins(*oauth2.Token) []string {
	return slices.Clone(k.client.Provider().APIOrigins)
}

// Endpoints returns the authorization server's own endpoints.
func (k *Keeper) Endpoints() []string { return k.client.Provider().Endpoints() }

// ReadyFor returns the header values that this Keeper stores beside its tokens.
// It is for package transport: its result type is internal.
func (k *Keeper) ReadyFor(src any) bearer.Ready {
	if src != any(k) {
		return nil
	}
	return keeperReady{k}
}

type keeperReady struct{ k *Keeper }

func (r keeperReady) Authorization(ctx context.Context) (*oauth2.Token, string, error) {
	return r.k.authorization(ctx)
}

// Format prints no grant, whatever the verb.
func (k *Keeper) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// String names the client.
func (k *Keeper) String() string {
	if k == nil {
		return "Keeper(nil)"
	}
	return "Keeper{" + k.client.Provider().Name + "}"
}

// Token returns a valid access token for the subject that ctx names. It returns ErrNoSubject if there is none, and an
// *tokensource.Error: ErrNoGrant or ErrReauthorize if the user must log in, ErrTemporary or ErrClient if a refresh was needed and
// failed. Nobody waits longer than ctx allows; the refresh itself goes on without the caller.
func (k *Keeper) Token(ctx context.Context) (*oauth2.Token, error) {
	subject, ok := tokensource.SubjectFrom(ctx)
	if !ok {
		return nil, tokensource.ErrNoSubject
	}
	if c := k.cache.fresh(k.cache.find(subject)); c != nil {
		return c.token, nil
	}
	return k.token(ctx, subject)
}

// authorization returns what Token does, and the value of the Authorization
// header that carries the token.
func (k *Keeper) authorization(ctx context.Context) (*oauth2.Token, string, error) {
	subject, _ := tokensource.SubjectFrom(ctx)
	if c := k.cache.fresh(k.cache.find(subject)); c != nil {
		return c.token, c.auth, nil
	}
	return withHeader(k.Token(ctx))
}

// withHeader adds the header's value to what a Token method returned.
func withHeader(tok *oauth2.Token, err error) (*oauth2.Token, string, error) {
	if err != nil {
		return nil, "", err
	}
	value, _ := bearer.Value(tok) // empty if there is none
	return tok, value, nil
}

// Renew returns a token other than rejected for the subject that ctx names; see tokensource.Renewer.
func (k *Keeper) Renew(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	subject, ok := tokensource.SubjectFrom(ctx)
	if !ok {
		return nil, tokensource.ErrNoSubject
	}
	return k.renewRejected(ctx, subject, rejected)
}

func (k *Keeper) renewRejected(ctx context.Context, subject string, rejected *oauth2.Token) (*oauth2.Token, error) {
	if rejected == nil || rejected.AccessToken == "" {
		return nil, errors.New("grant: Renew needs the token that was rejected")
	}
	return k.renew(ctx, subject, rejected.AccessToken)
}

// Close stops the engine: it waits for redemptions under way, tries once more to write what the store has refused, and
// returns an error that counts what could not be written. It may be called twice. Afterwards every call that would need
// more than memory returns ErrClosed.
func (k *Keeper) Close() error {
	k.mu.Lock()
	if !k.closed {
		k.closed = true
		close(k.done)
	}
	k.mu.Unlock()
	k.work.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.unsaved); n > 0 {
		return fmt.Errorf("grant: %d renewed grants could not be written to the store: their users must authorize again", n)
	}
	return nil
}

// begin counts a piece of work that Close must wait for, and reports false if Close has begun. Call work.Done at its end.
func (k *Keeper) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.work.Add(1)
	}
	return !k.closed
}

// checkSubject refuses what no provider uses as a user's identifier.
func checkSubject(subject string) error {
	if subject == "" || len(subject) > 512 || strings.ContainsRune(subject, 0) {
		return errors.New("grant: a subject is 1 to 512 bytes without NUL")
	}
	return nil
}
