package grant

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/cache"
	"github.com/authtrip/authtrip/internal/changes"
	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/internal/gate"
	"github.com/authtrip/authtrip/internal/lifetime"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/internal/waiting"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// common is what Keepers share that were made with one another
// ([Options.With]): the store, the grants in memory, the bounds of what is in
// flight, and the work in the background. A Keeper of its own has one alone.
//
// A Keeper remains one process of its own for the lease protocol, also beside
// another one of the same client.
type common struct {
	store   *timed.Store
	clock   *clock.Clock
	cache   *cache.Cache[lease.Record] // the memory of all; each client has a Cache beside this one
	changes *changes.Feed              // of stored grants, as the store notifies of them
	due     *due.Index

	refreshes   *gate.Shares // bounds those in flight
	revocations *gate.Shares // bounds those in flight

	loads    singleflight.Group // reads of the store, by Keeper and subject
	renewals singleflight.Group // by Keeper and subject

	mu         sync.Mutex // guards the rest; never held across I/O
	clients    map[due.Owner]*clientele
	open       int                // Keepers
	background *lifetime.Lifetime // of the work in the background; nil if there is none
	watching   atomic.Pointer[[]watcher]
}

// clientele is what the Keepers of one client share.
type clientele struct {
	cache   *cache.Cache[lease.Record]
	keepers []*Keeper // that are open; the newest comes first
}

// has reports whether k is open. A program may have copied it.
func (c *clientele) has(k *Keeper) bool {
	return slices.ContainsFunc(c.keepers, func(open *Keeper) bool { return open.engine == k.engine })
}

// watcher is a function of package middleware that is called with changes of
// the store.
type watcher struct {
	of     *engine
	prefix string // of the storage keys
	notify func(storage.Change)
}

func newCommon(store storage.Store, o *Options) *common {
	c := &common{
		store:       &timed.Store{Store: store, Timeout: o.StoreTimeout},
		clock:       o.Clock,
		cache:       cache.New(cache.Options[lease.Record]{Limit: o.CacheSize, Idle: cacheIdle, Clock: o.Clock, Same: sameSet, Newer: newer}),
		changes:     new(changes.Feed),
		refreshes:   gate.NewShares(maxRefreshes, maxRefreshes/2, maxRefreshes/4),
		revocations: gate.NewShares(4*maxRevocations, 2*maxRevocations, maxRevocations),
		clients:     map[due.Owner]*clientele{},
	}
	c.revocations.Always = true
	c.refreshes.Reserved, c.revocations.Reserved = ownRefreshes, ownRevocations
	process := randomID()
	c.due = &due.Index{
		Store: c.store, Clock: c.clock, Interval: o.DueInterval, Work: c.workOn, Knows: c.knows,
		Jitter: func(n uint64) uint64 { return jitter(process, "due", n) },
	}
	c.watching.Store(new([]watcher))
	return c
}

// errWith refuses options that belong to all Keepers of an engine.
var errWith = errors.New("grant: with Options.With, the store and CacheSize, StoreTimeout, DueInterval and Clock are those of that Keeper: " +
	"pass its Store and leave these options at zero")

// commonFor returns what a new Keeper with the options o shares, and sets the
// options that belong to it.
func commonFor(store storage.Store, o *Options) (*common, error) {
	if o.With == nil {
		set := o.withDefaults()
		return newCommon(store, &set), nil
	}
	c := o.With.common
	same := o.CacheSize == 0 && o.StoreTimeout == 0 && o.DueInterval == 0 && o.Clock == nil
	if !same || !isSame(store, c.store.Store) {
		return nil, errWith
	}
	return c, nil
}

// isSame reports whether two stores are one. A store whose type cannot be
// compared is none that was seen before.
func isSame(a, b storage.Store) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// join adds a Keeper. The first one that is open starts the work in the
// background.
func (c *common) join(k *Keeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.clients[k.id]
	if of == nil {
		of = &clientele{cache: c.cache.Beside()}
		c.clients[k.id] = of
	}
	of.keepers = slices.Insert(slices.Clone(of.keepers), 0, k)
	k.cache = *of.cache
	if c.open++; c.open == 1 {
		c.background = lifetime.New()
		c.start(c.background)
	}
}

// start starts the work in the background.
func (c *common) start(l *lifetime.Lifetime) {
	if w, ok := c.store.Store.(storage.Watcher); ok {
		l.Go(func() { c.changes.Follow(l, w, c.changed) })
	}
	if c.due.Interval > 0 {
		l.Go(func() { c.due.Run(l, c.cache.Tidy) })
	}
}

// leave removes a Keeper that is closed. The last one ends the work in the
// background and waits for it. A second call does nothing and returns false.
func (c *common) leave(k *Keeper) bool {
	ended, removed := c.remove(k)
	if ended != nil {
		ended.Stop()
	}
	return removed
}

// remove removes a Keeper. It returns the work in the background if no Keeper
// is left.
func (c *common) remove(k *Keeper) (ended *lifetime.Lifetime, removed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.clients[k.id]
	if of == nil || !of.has(k) {
		return nil, false
	}
	of.keepers = slices.DeleteFunc(slices.Clone(of.keepers), func(other *Keeper) bool { return other.engine == k.engine })
	if len(of.keepers) == 0 {
		delete(c.clients, k.id)
	}
	c.setWatchers(slices.DeleteFunc(slices.Clone(*c.watching.Load()), func(w watcher) bool { return w.of == k.engine }))
	if c.open--; c.open == 0 {
		ended, c.background = c.background, nil
	}
	return ended, true
}

// keepers returns the open Keepers of a client, the newest first: it may have
// the newest secret.
func (c *common) keepers(of due.Owner) []*Keeper {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of := c.clients[of]; of != nil {
		return of.keepers // join and remove replace it
	}
	return nil
}

// knows reports whether a client has an open Keeper.
func (c *common) knows(of due.Owner) bool { return len(c.keepers(of)) > 0 }

// addWatcher adds a function that is called with changes of the store, until
// its Keeper is closed.
func (c *common) addWatcher(k *Keeper, w watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of := c.clients[k.id]; of != nil && of.has(k) {
		c.setWatchers(append(slices.Clone(*c.watching.Load()), w))
	}
}

// setWatchers replaces the list of watchers, under the mutex. Nobody changes a
// list that was set.
func (c *common) setWatchers(list []watcher) { c.watching.Store(&list) }

// changed takes note of a change of the store, after the operations under way
// were notified. The order matters. An operation first publishes what it has
// read or written, and then asks whether a change was told meanwhile. So one of
// the two always marks the published record as old.
func (c *common) changed(change storage.Change) {
	c.cache.Invalidate(change.Key, uint64(change.Version))
	for _, w := range *c.watching.Load() {
		if change.Key == "" || strings.HasPrefix(change.Key, w.prefix) {
			w.notify(change)
		}
	}
}

// workOn works on one entry of the index. It returns when the entry is due
// again. It returns false if nothing was done: another operation works on the
// grant, or this process has no Keeper or no worker for such an entry, and
// leaves it to the others.
func (c *common) workOn(ctx context.Context, e due.Entry) (again time.Time, done bool) {
	for _, k := range c.keepers(e.Owner) {
		if !k.life.Begin() {
			continue
		}
		again, done = k.workOn(ctx, e.Key)
		k.life.End()
		if done || strings.HasPrefix(e.Key, grantPrefix) { // every Keeper of the client can work on it
			break
		}
	}
	return again, done
}

// beginRevoking waits until one more revocation may be in flight, and counts
// it until leave is called. After Close it returns nil for a background run,
// and counts nothing.
//
// Close may come while the run waits. It must not wait for the whole queue.
func (r *run) beginRevoking() (leave func()) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if r.background {
		ctx, cancel = r.life.Until(ctx)
	}
	defer cancel()
	leave = r.revoking.Enter(ctx)
	if leave != nil && r.background && r.life.Closed() { // a free place came first
		leave()
		return nil
	}
	return leave
}

// wait lets time pass. A caller without a usable token is told for how long
// another process has been awaited.
func (r *run) wait(ctx context.Context, e lease.Effect) lease.Event {
	pause, heard := e.For, (*changes.Subscription)(nil)
	if e.Poll {
		lasted := r.clock.Mono() - r.begun
		if !r.ahead {
			waiting.Report(ctx, lasted, pause)
		}
		pause, heard = min(pause, r.changes.Poll(lasted)), r.heard
	}
	if !changes.Wait(ctx, r.life, pause, heard, r.version) {
		r.interrupted = true
		return lease.Event{}
	}
	return lease.Event{OK: true}
}

// admission is how long a refresh waits at most until it may be sent, because
// many others are in flight. It waits for a quarter of the time of a request at
// most: that time has begun.
const admission = 5 * time.Second

// admit decides whether a refresh that is to be announced in record may be sent
// now. After nil the run counts as a refresh in flight until sent is called.
func (r *run) admit(ctx context.Context, record *lease.Record) error {
	if err := r.spaced(record); err != nil {
		r.justRenewed = true
		return err
	}
	if err := r.refused.Check(r.key, record.Token.ID, pacing.Moment(r.now())); err != nil { // G17
		return err
	}
	if err := r.openKey(ctx, record.Token.Key); err != nil {
		return err
	}
	if err := r.await(ctx); err != nil {
		return err
	}
	if err := r.breaker.Allow(r.clock.Wall()); err != nil {
		r.sent()
		return err
	}
	if !r.ahead {
		r.trials.Renewing(r.subject)
	}
	return nil
}

// spaced returns an error if the renewals of this grant do not help, and the
// next one must wait (G9). A token that has expired is renewed in any case.
func (r *run) spaced(record *lease.Record) error {
	t, now := record.Token, r.clock.Wall()
	expired := !t.Expiry.IsZero() && !now.Before(t.Expiry)
	if r.ahead || expired || !t.Refreshed || t.Access == "" || t.Access != r.rejected {
		return nil
	}
	age := now.Sub(t.Obtained)
	if left := r.trials.Spacing(r.subject, t.Access) - age; age >= 0 && left > 0 {
		return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrJustRenewed, RetryAfter: left}
	}
	return nil
}

var errBusy = errors.New("grant: too many refreshes are in flight")

// await counts a refresh in flight (G10). If there are too many, it waits.
func (r *run) await(ctx context.Context) error {
	if r.admitted = r.sending.TryEnter(); r.admitted != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(admission, r.client.Timeout()/4))
	defer cancel()
	if r.admitted = r.sending.Enter(ctx); r.admitted != nil {
		return nil
	}
	return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: time.Second, Err: errBusy}
}

// sent ends the time for which the run counts as a refresh in flight.
func (r *run) sent() {
	if r.admitted != nil {
		r.admitted()
		r.admitted = nil
	}
}

// Epoch returns the epoch of a subject's grant if this process knows that the
// grant is alive and has no reason to ask the store. It makes no call.
func (u upkeep) Epoch(subject string) (string, bool) {
	s := u.k.cache.Load(subject)
	if s == nil {
		return "", false
	}
	e := s.Entry()
	if e.Record == nil || e.Record.Over != "" || e.Recheck.Passed(u.k.cache.Now()) {
		return "", false
	}
	return e.Record.Epoch, true
}

// Read returns the facts of a subject's grant as the store has them now. Unlike
// [Keeper.Grant], it fails if the store fails.
func (u upkeep) Read(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	s, err := flight.Wait[*snapshot](ctx, u.k.reload(ctx, subject))
	if err != nil {
		return Grant{}, err
	}
	return facts(s.Entry().Record), nil
}

// Holds reports whether the stored grant of a subject is alive and is that of
// the login with the given ID ([LoginOptions]), with its first tokens or with
// newer ones. It asks the store, so it knows of a write whose answer was lost.
func (u upkeep) Holds(ctx context.Context, subject, login string) (bool, error) {
	key, err := u.k.key(ctx, subject)
	if err != nil {
		return false, err
	}
	r, _, err := u.k.load(ctx, key, subject)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil && r.Login == login && r.Over == "", err
}

// Recheck returns how old the knowledge of a grant may be.
func (u upkeep) Recheck() time.Duration { return u.k.o.Recheck }

// Unsaved returns the storage keys of the grants whose tokens are in the memory
// of this process only.
func (u upkeep) Unsaved() []string { return u.k.grants.pending() }

// Condition counts the grants in memory, those of them whose last attempt to
// refresh failed, and those whose tokens the store has not taken. A memory that
// several Keepers share is counted once, and is in counted afterwards. It makes
// no call.
func (u upkeep) Condition(counted map[any]bool) (known, failing, unsaved int) {
	u.k.cache.Each(counted, func(r *lease.Record) {
		known++
		if r.Over == "" && r.Failures+r.Doubts > 0 {
			failing++
		}
	})
	failing += u.k.refused.Waiting(pacing.Moment(u.k.now()))
	return known, failing, len(u.k.grants.pending())
}

// Blocked reports whether most attempts are not made, because the server has
// failed several times in a row.
func (u upkeep) Blocked() bool { return u.k.breaker.Limits() }

// Pauses reports whether no attempt is made now. An attempt ends a limit, so
// somebody must make one when the pause is over.
func (u upkeep) Pauses() bool { return u.k.breaker.Pauses(u.k.clock.Wall()) }

// Refresh renews a grant that nobody uses, unless its tokens are no longer
// those that were obtained at the given time. All rules of a renewal hold.
func (u upkeep) Refresh(ctx context.Context, subject string, obtained time.Time) error {
	s, err := flight.Wait[*snapshot](ctx, u.k.reload(ctx, subject))
	if err != nil {
		return err
	}
	r := s.Entry().Record
	if r.Over != "" || !r.Token.Obtained.Equal(obtained) {
		return nil
	}
	out, err := flight.Wait[renewed](ctx, u.k.renewal(ctx, subject, lease.Renewal{Rejected: r.Token.Access, Ahead: true}))
	if err == nil && !errors.Is(out.err, tokensource.ErrJustRenewed) {
		err = out.err
	}
	return err
}

// Clock returns the clocks of the Keeper.
func (u upkeep) Clock() *clock.Clock { return u.k.clock }

// jitter is FNV-1a of its arguments.
func jitter(process, key string, n uint64) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, text := range [...]string{process, "\x00", key, "\x00"} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * prime
		}
	}
	for shift := 56; shift >= 0; shift -= 8 {
		h = (h ^ n>>shift&0xff) * prime
	}
	return h
}
