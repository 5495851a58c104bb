// Package changes passes the notifications of a store on to operations that
// wait for a record to change.
//
// An operation calls [Feed.Listen] before it reads a record, and waits with
// [Wait]. [Feed.Follow] listens to the store. Where the store does not notify,
// [Feed.Poll] says how often to read.
//
// Everything is safe for concurrent use. There are no errors.
package changes

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/internal/lifetime"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
)

// How often a process reads a grant while it waits for another process: after
// each further tenth of the time that it has waited. So it waits at most a
// tenth longer than the other process works. Where the store notifies of
// changes, reading is only for notifications that got lost.
const (
	firstPoll        = time.Millisecond
	firstPollWatched = 25 * time.Millisecond
	lastPoll         = 250 * time.Millisecond
)

// Feed passes the store's notifications on to the operations under way. Its
// zero value is ready.
type Feed struct {
	watched atomic.Bool // the store notifies at present

	mu        sync.Mutex // guards listening; never held across I/O
	listening map[string][]*Subscription
}

// Subscription collects the notifications of one grant for one operation.
type Subscription struct {
	changed chan struct{} // holds an element after a notification; capacity 1

	mu      sync.Mutex // guards the rest; never held across I/O
	told    bool
	version storage.Version // the version that was told; 0 if it may be any
}

// Listen begins to collect the notifications of a grant. Call it before the
// grant is read, so that no change is missed in between. Every Listen needs a
// Leave.
func (f *Feed) Listen(key string) *Subscription {
	s := &Subscription{changed: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listening == nil {
		f.listening = map[string][]*Subscription{}
	}
	f.listening[key] = append(f.listening[key], s)
	return s
}

// Leave ends a subscription.
func (f *Feed) Leave(key string, s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.listening[key]
	for i, other := range list {
		if other == s {
			list = append(list[:i:i], list[i+1:]...)
		}
	}
	if f.listening[key] = list; len(list) == 0 {
		delete(f.listening, key)
	}
}

// Notify passes a notification on. A notification without a key is for every
// grant. It never blocks.
func (f *Feed) Notify(change storage.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if change.Key != "" {
		for _, s := range f.listening[change.Key] {
			s.notify(change.Version)
		}
		return
	}
	for _, key := range slices.Sorted(maps.Keys(f.listening)) { // a simulation repeats the order
		for _, s := range f.listening[key] {
			s.notify(0)
		}
	}
}

// notify adds a version to the notifications. Two versions together become 0,
// because nobody knows which came first.
func (s *Subscription) notify(version storage.Version) {
	s.mu.Lock()
	if s.told && s.version != version {
		version = 0
	}
	s.told, s.version = true, version
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // an element is waiting already
	}
}

// Clear drops the notifications so far. Call it right before the grant is read
// or written: the result shows every change that was told before.
func (s *Subscription) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = false
}

// Other reports whether a version other than known was told since Clear. A
// process is notified of its own writes too.
func (s *Subscription) Other(known storage.Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told && (s.version == 0 || s.version != known)
}

// Poll returns when to read again, after a process has waited for a time.
func (f *Feed) Poll(waited time.Duration) time.Duration {
	first := firstPoll
	if f.watched.Load() {
		first = firstPollWatched
	}
	return min(max(waited/10, first), lastPoll)
}

// Wait waits until d has passed. It ends sooner when s, which may be nil, is
// told another version than known. It returns false if ctx or the Lifetime
// ended first.
func Wait(ctx context.Context, l *lifetime.Lifetime, d time.Duration, s *Subscription, known storage.Version) bool {
	if s == nil {
		return l.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return ctx.Err() == nil && !l.Closed()
		case <-s.changed:
			if s.Other(known) {
				return ctx.Err() == nil && !l.Closed()
			}
		case <-ctx.Done():
			return false
		case <-l.Done():
			return false
		}
	}
}

// Follow listens to the store until l ends, and calls tell with each change
// after the operations under way were notified. It starts again when the watch
// breaks.
func (f *Feed) Follow(l *lifetime.Lifetime, w storage.Watcher, tell func(storage.Change)) {
	ctx, cancel := l.Until(context.Background())
	defer cancel()
	for pause := time.Second; ; pause = min(2*pause, pacing.MaxBackoff) {
		_ = w.Watch(ctx, func(change storage.Change) { // without it, reading goes on
			pause = time.Second
			f.watched.Store(true)
			f.Notify(change)
			tell(change)
		})
		f.watched.Store(false)
		if !l.Sleep(ctx, pause) {
			return
		}
	}
}
