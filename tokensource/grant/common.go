package grant

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/cache"
	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// common is what Keepers share that were made with one another
// ([Options.With]): the store, the grants in memory, the bounds of what is in
// flight, and the work in the background. A Keeper of its own has one alone.
//
// A Keeper remains one process of its own for the lease protocol, also beside
// another one of the same client.
type common struct {
	store       *timed.Store
	clock       *clock.Clock
	name        string // of this process; it spreads the work in the background
	dueInterval time.Duration
	index       atomic.Int32 // which index of due work this process uses

	cache       *cache.Cache[lease.Record] // the memory of all; each client has a Cache beside this one
	changes     *changes                   // of stored grants, as the store notifies of them
	refreshes   *pacing.Shares             // bounds those in flight
	revocations pacing.Gate                // bounds those in flight

	loads    singleflight.Group // reads of the store, by Keeper and subject
	renewals singleflight.Group // by Keeper and subject

	mu         sync.Mutex // guards the rest; never held across I/O
	clients    map[due.Owner]*clientele
	open       int       // Keepers
	background *lifetime // of the work in the background; nil if there is none
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
		store: &timed.Store{Store: store, Timeout: o.StoreTimeout}, clock: o.Clock, name: randomID(), dueInterval: o.DueInterval,
		cache:       cache.New(cache.Options[lease.Record]{Limit: o.CacheSize, Idle: cacheIdle, Now: o.moment(), Same: sameSet, Newer: newer}),
		changes:     new(changes),
		refreshes:   pacing.NewShares(maxRefreshes, maxRefreshes/4),
		revocations: make(pacing.Gate, 4*maxRevocations),
		clients:     map[due.Owner]*clientele{},
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
		c.background = newLifetime()
		c.start(c.background)
	}
}

// start starts the work in the background.
func (c *common) start(l *lifetime) {
	if w, ok := c.store.Store.(storage.Watcher); ok {
		l.work.Go(func() { c.watch(l, w) })
	}
	if c.dueInterval > 0 {
		l.work.Go(func() { c.workOff(l) })
	}
}

// leave removes a Keeper that is closed. The last one ends the work in the
// background and waits for it. A second call does nothing and returns false.
func (c *common) leave(k *Keeper) bool {
	ended, removed := c.remove(k)
	if ended != nil {
		ended.stop()
	}
	return removed
}

// remove removes a Keeper. It returns the work in the background if no Keeper
// is left.
func (c *common) remove(k *Keeper) (ended *lifetime, removed bool) {
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

// tellWatchers passes a notification of the store on. A notification without a
// key is about any record.
func (c *common) tellWatchers(change storage.Change) {
	for _, w := range *c.watching.Load() {
		if change.Key == "" || strings.HasPrefix(change.Key, w.prefix) {
			w.notify(change)
		}
	}
}

// watch listens to the store until l ends. It starts again when the watch
// breaks.
func (c *common) watch(l *lifetime, w storage.Watcher) {
	ctx, cancel := l.untilClose()
	defer cancel()
	for pause := time.Second; ; pause = min(2*pause, pacing.MaxBackoff) {
		_ = w.Watch(ctx, func(change storage.Change) { // without it, reading goes on
			pause = time.Second
			c.changes.watched.Store(true)
			// The order matters. An operation first publishes what it has read or
			// written, and then asks whether a change was told meanwhile. So one of
			// the two always marks the published record as old.
			c.changes.notify(change)
			c.cache.Invalidate(change.Key, uint64(change.Version))
			c.tellWatchers(change)
		})
		c.changes.watched.Store(false)
		if !l.sleep(ctx, pause) {
			return
		}
	}
}
