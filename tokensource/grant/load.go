package tokensource

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/bearer"
	"github.com/authtrip/authtrip/storage"
)

// token is Token's way when memory alone does not answer: it asks the store if what is cached is too old, starts a
// refresh ahead of expiry in the background, and renews what has expired.
func (g *Grants) token(ctx context.Context, subject string) (*oauth2.Token, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	c, err := g.known(ctx, subject)
	if err != nil {
		return nil, err
	}
	if err := g.barred(c.record); err != nil {
		return nil, err
	}
	now := time.Now()
	if c.record.expired(now) {
		return g.renew(ctx, subject, "")
	}
	if !now.Before(c.refresh) {
		g.refreshAhead(ctx, subject, c)
	}
	return c.token, nil
}

// known returns what is known of a grant, from the store if memory is too old. A store that fails or hangs does not stop
// who holds a valid token.
func (g *Grants) known(ctx context.Context, subject string) (*cached, error) {
	old := g.cache.load(subject)
	if old != nil && g.cache.now() < old.recheck {
		return old, nil
	}
	answer := g.reload(ctx, subject, old)
	if old == nil || !old.record.usable(time.Now(), "") {
		return wait(ctx, answer, (*cached)(nil))
	}
	soon, cancel := context.WithTimeout(ctx, recheckPatience)
	defer cancel()
	c, err := wait(soon, answer, (*cached)(nil))
	if err != nil && !errors.Is(err, ErrNoGrant) && ctx.Err() == nil {
		return old, nil
	}
	return c, err
}

// barred returns why a grant's token may not be handed out, or nil.
func (g *Grants) barred(r *record) error {
	switch r.state {
	case stateDead:
		return &Error{Op: "token", Kind: ErrReauthorize, Reason: r.reason, Code: r.code}
	case stateRevoking:
		return noGrant()
	}
	return nil
}

func noGrant() error { return &Error{Op: "token", Kind: ErrNoGrant, Reason: ReasonNoGrant} }

// reload reads a grant from the store, once for all callers, and publishes it. If the store fails, old is good for another
// while.
func (g *Grants) reload(ctx context.Context, subject string, old *cached) <-chan singleflight.Result {
	g.cache.tidy()
	key := g.key(subject)
	return g.loads.DoChan(key, g.flight(ctx, 2*g.o.StoreTimeout, func(ctx context.Context) (any, error) {
		g.reads.await(key) // news of what is not in the cache yet finds nothing to suspect there
		defer g.reads.drop(key)
		r, version, err := g.read(ctx, key)
		switch {
		case errors.Is(err, ErrNoGrant):
			g.cache.forget(subject)
		case err != nil && old != nil && old.record.usable(time.Now(), ""):
			g.postpone(subject, old, g.o.Recheck)
		}
		if err != nil {
			return nil, err
		}
		c := g.view(r, version)
		g.cache.publishOver(old, subject, key, c)
		if told, ok := g.reads.heard(key); ok && told != version {
			g.cache.suspect(storage.Change{Key: key})
		}
		return c, nil
	}))
}

// flight makes a function for a singleflight group of work that outlives the caller who began it: it keeps the
// context's values, has its own limit of time, and Close waits for it.
func (g *Grants) flight(ctx context.Context, limit time.Duration, f func(context.Context) (any, error)) func() (any, error) {
	return func() (any, error) {
		if !g.begin() {
			return nil, ErrClosed
		}
		defer g.work.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return f(ctx)
	}
}

// read returns a grant as it is stored, or as it will be if its last write is still to succeed.
func (g *Grants) read(ctx context.Context, key string) (*record, storage.Version, error) {
	if u := g.unsavedAt(key); u != nil {
		return u.record, u.version, nil
	}
	return g.readStored(ctx, key)
}

// readStored returns a grant as it is stored.
func (g *Grants) readStored(ctx context.Context, key string) (*record, storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, g.o.StoreTimeout)
	defer cancel()
	stored, err := g.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, noGrant()
	}
	if errors.Is(err, storage.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) {
		return nil, 0, &Error{Op: "load", Err: err} // asking again does not help
	}
	if err != nil {
		return nil, 0, &Error{Op: "load", Kind: ErrTemporary, Err: err}
	}
	r, err := decodeAt(key, stored.Value)
	if err != nil {
		return nil, 0, err
	}
	return r, stored.Version, nil
}

// decodeAt decodes what is stored under key, and refuses a record that belongs elsewhere.
func decodeAt(key string, value []byte) (*record, error) {
	r, err := decode(value)
	if err == nil && GrantKey(r.provider, r.clientID, r.subject) != key {
		err = errors.New("tokensource: the stored record belongs to another subject")
	}
	if err != nil {
		return nil, &Error{Op: "load", Err: err}
	}
	return r, nil
}

// write stores a grant if the stored version is still old.
func (g *Grants) write(ctx context.Context, key string, r *record, old storage.Version) (storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, g.o.StoreTimeout)
	defer cancel()
	version, err := g.store.Put(ctx, key, r.encode(), old)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return 0, &Error{Op: "store", Kind: ErrTemporary, Err: err}
	}
	if err == nil {
		g.dropUnsaved(key) // what is stored now was made from it, or replaces it
	}
	return version, err
}

func (g *Grants) key(subject string) string {
	return GrantKey(g.client.provider.Name, g.client.registration.ClientID, subject)
}

// view prepares a record for the cache.
func (g *Grants) view(r *record, version storage.Version) *cached {
	c := &cached{token: r.token(), record: r, version: version, refresh: g.refreshTime(r)}
	c.auth, _ = bearer.Value(c.token) // who sends it says why it cannot be sent
	if r.state == stateAlive {        // else a login elsewhere must be seen at once
		c.recheck = g.cache.now() + g.o.Recheck
	}
	c.until = g.handOutUntil(c, c.refresh)
	return c
}

// handOutUntil is the cache's time until which c's token needs no further look: the next recheck, the given time, or the
// token's expiry, whichever comes first.
func (g *Grants) handOutUntil(c *cached, limit time.Time) time.Duration {
	if c.record.state != stateAlive {
		return 0
	}
	until := c.recheck
	wall := time.Now().Round(0) // without its monotonic part: expiry is a matter of the wall clock
	for _, t := range [...]time.Time{limit, c.record.expiry} {
		if !t.IsZero() {
			until = min(until, g.cache.now()+t.Sub(wall))
		}
	}
	return until
}

// postpone keeps serving c for a while longer, though a recheck or a refresh has failed or is under way.
func (g *Grants) postpone(subject string, c *cached, pause time.Duration) {
	next := *c
	next.recheck = max(next.recheck, g.cache.now()+pause)
	if at := time.Now().Add(pause); at.After(next.refresh) {
		next.refresh = at
	}
	next.until = g.handOutUntil(&next, next.refresh)
	g.cache.publishOver(c, subject, g.key(subject), &next)
}

// refreshTime is when to refresh ahead of expiry, spread so that grants that came together do not go together. A grant
// that cannot be refreshed, or whose expiry is unknown, never is.
func (g *Grants) refreshTime(r *record) time.Time {
	if r.expiry.IsZero() || r.refresh == "" || g.o.RefreshBefore < 0 {
		return time.Now().Add(100 * 365 * 24 * time.Hour)
	}
	before := max(0, min(g.o.RefreshBefore, r.expiry.Sub(r.obtained)/10)) // a token may be saved that has expired
	// The lot falls once per token and process: drawn anew at each look, it would fall on an early time sooner or later.
	at := r.expiry.Add(-spread(before, maphash.String(g.seed, r.access)))
	if at.Before(r.retryAt) {
		return r.retryAt
	}
	return at
}

// wait returns the outcome of a flight, or gives up when ctx ends. A ctx that has ended gets no outcome, however fast that
// is there.
func wait[T any](ctx context.Context, ch <-chan singleflight.Result, none T) (T, error) {
	if ctx.Err() != nil {
		ch = nil
	}
	select {
	case r := <-ch:
		if r.Err != nil {
			return none, r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return none, gaveUpWaiting(ctx)
	}
}

func gaveUpWaiting(ctx context.Context) error {
	return fmt.Errorf("tokensource: gave up waiting: %w", context.Cause(ctx))
}
