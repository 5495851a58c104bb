package grant

import (
	"context"
	"errors"
	"hash/maphash"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

// token is Token's way when memory alone does not answer: it asks the store if what is cached is too old, starts a
// refresh ahead of expiry in the background, and renews what has expired.
func (k *Keeper) token(ctx context.Context, subject string) (*oauth2.Token, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	c, err := k.known(ctx, subject)
	if err != nil {
		return nil, err
	}
	if err := k.barred(c.record); err != nil {
		return nil, err
	}
	now := time.Now()
	if c.record.expired(now) {
		return k.renew(ctx, subject, "")
	}
	if !now.Before(c.refresh) {
		k.refreshAhead(ctx, subject, c)
	}
	return c.token, nil
}

// known returns what is known of a grant, from the store if memory is too old. A store that fails or hangs does not stop
// who holds a valid token.
func (k *Keeper) known(ctx context.Context, subject string) (*cached, error) {
	old := k.cache.load(subject)
	if old != nil && k.cache.now() < old.recheck {
		return old, nil
	}
	answer := k.reload(ctx, subject, old)
	if old == nil || !old.record.usable(time.Now(), "") {
		return flight.Wait[*cached](ctx, answer)
	}
	soon, cancel := context.WithTimeout(ctx, recheckPatience)
	defer cancel()
	c, err := flight.Wait[*cached](soon, answer)
	if err != nil && !errors.Is(err, tokensource.ErrNoGrant) && ctx.Err() == nil {
		return old, nil
	}
	return c, err
}

// barred returns why a grant's token may not be handed out, or nil.
func (k *Keeper) barred(r *record) error {
	switch r.state {
	case stateDead:
		return &tokensource.Error{Op: "token", Kind: tokensource.ErrReauthorize, Reason: r.reason, Code: r.code}
	case stateRevoking:
		return noGrant()
	}
	return nil
}

func noGrant() error {
	return &tokensource.Error{Op: "token", Kind: tokensource.ErrNoGrant, Reason: tokensource.ReasonNoGrant}
}

// reload reads a grant from the store, once for all callers, and publishes it. If the store fails, old is good for another
// while.
func (k *Keeper) reload(ctx context.Context, subject string, old *cached) <-chan singleflight.Result {
	k.cache.tidy()
	key := k.key(subject)
	return k.loads.DoChan(key, k.flight(ctx, 2*k.o.StoreTimeout, func(ctx context.Context) (any, error) {
		k.reads.await(key) // news of what is not in the cache yet finds nothing to suspect there
		defer k.reads.drop(key)
		r, version, err := k.read(ctx, key)
		switch {
		case errors.Is(err, tokensource.ErrNoGrant):
			k.cache.forget(subject)
		case err != nil && old != nil && old.record.usable(time.Now(), ""):
			k.postpone(subject, old, k.o.Recheck)
		}
		if err != nil {
			return nil, err
		}
		c := k.view(r, version)
		k.cache.publishOver(old, subject, key, c)
		if told, ok := k.reads.heard(key); ok && told != version {
			k.cache.suspect(storage.Change{Key: key})
		}
		return c, nil
	}))
}

// flight makes a function for a singleflight group of work that outlives the caller who began it: it keeps the
// context's values, has its own limit of time, and Close waits for it.
func (k *Keeper) flight(ctx context.Context, limit time.Duration, f func(context.Context) (any, error)) func() (any, error) {
	return func() (any, error) {
		if !k.begin() {
			return nil, tokensource.ErrClosed
		}
		defer k.work.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return f(ctx)
	}
}

// read returns a grant as it is stored, or as it will be if its last write is still to succeed.
func (k *Keeper) read(ctx context.Context, key string) (*record, storage.Version, error) {
	if u := k.unsavedAt(key); u != nil {
		return u.record, u.version, nil
	}
	return k.readStored(ctx, key)
}

// readStored returns a grant as it is stored.
func (k *Keeper) readStored(ctx context.Context, key string) (*record, storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, k.o.StoreTimeout)
	defer cancel()
	stored, err := k.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, noGrant()
	}
	if errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) {
		return nil, 0, &tokensource.Error{Op: "load", Err: err} // asking again does not help
	}
	if err != nil {
		return nil, 0, &tokensource.Error{Op: "load", Kind: tokensource.ErrTemporary, Err: err}
	}
	r, err := decodeAt(key, stored.Value())
	if err != nil {
		return nil, 0, err
	}
	return r, stored.Version, nil
}

// decodeAt decodes what is stored under key, and refuses a record that belongs elsewhere.
func decodeAt(key string, value []byte) (*record, error) {
	r, err := decode(value)
	if err == nil && Key(r.provider, r.clientID, r.subject) != key {
		err = errors.New("grant: the stored record belongs to another subject")
	}
	if err != nil {
		return nil, &tokensource.Error{Op: "load", Err: err}
	}
	return r, nil
}

// write stores a grant if the stored version is still old.
func (k *Keeper) write(ctx context.Context, key string, r *record, old storage.Version) (storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, k.o.StoreTimeout)
	defer cancel()
	version, err := k.store.Put(ctx, key, r.encode(), old)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return 0, &tokensource.Error{Op: "store", Kind: tokensource.ErrTemporary, Err: err}
	}
	if err == nil {
		k.dropUnsaved(key) // what is stored now was made from it, or replaces it
	}
	return version, err
}

func (k *Keeper) key(subject string) string {
	return Key(k.client.Provider().Name, k.client.ClientID(), subject)
}

// view prepares a record for the cache.
func (k *Keeper) view(r *record, version storage.Version) *cached {
	c := &cached{token: r.token(), record: r, version: version, refresh: k.refreshTime(r)}
	c.auth, _ = bearer.Value(c.token) // who sends it says why it cannot be sent
	if r.state == stateAlive {        // else a login elsewhere must be seen at once
		c.recheck = k.cache.now() + k.o.Recheck
	}
	c.until = k.handOutUntil(c, c.refresh)
	return c
}

// handOutUntil is the cache's time until which c's token needs no further look: the next recheck, the given time, or the
// token's expiry, whichever comes first.
func (k *Keeper) handOutUntil(c *cached, limit time.Time) time.Duration {
	if c.record.state != stateAlive {
		return 0
	}
	until := c.recheck
	wall := time.Now().Round(0) // without its monotonic part: expiry is a matter of the wall clock
	for _, t := range [...]time.Time{limit, c.record.expiry} {
		if !t.IsZero() {
			until = min(until, k.cache.now()+t.Sub(wall))
		}
	}
	return until
}

// postpone keeps serving c for a while longer, though a recheck or a refresh has failed or is under way.
func (k *Keeper) postpone(subject string, c *cached, pause time.Duration) {
	next := *c
	next.recheck = max(next.recheck, k.cache.now()+pause)
	if at := time.Now().Add(pause); at.After(next.refresh) {
		next.refresh = at
	}
	next.until = k.handOutUntil(&next, next.refresh)
	k.cache.publishOver(c, subject, k.key(subject), &next)
}

// refreshTime is when to refresh ahead of expiry, spread so that grants that came together do not go together. A grant
// that cannot be refreshed, or whose expiry is unknown, never is.
func (k *Keeper) refreshTime(r *record) time.Time {
	if r.expiry.IsZero() || r.refresh == "" || k.o.RefreshBefore < 0 {
		return time.Now().Add(100 * 365 * 24 * time.Hour)
	}
	before := max(0, min(k.o.RefreshBefore, r.expiry.Sub(r.obtained)/10)) // a token may be saved that has expired
	// The lot falls once per token and process: drawn anew at each look, it would fall on an early time sooner or later.
	at := r.expiry.Add(-pacing.Spread(before, maphash.String(k.seed, r.access)))
	if at.Before(r.retryAt) {
		return r.retryAt
	}
	return at
}
