package grant

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
)

// cached is what a process knows of one grant. It is never changed once it is published.
type cached struct {
	token   *oauth2.Token // shared with callers, who must not change it
	auth    string        // the Authorization value that carries token; empty if it may not be sent as a Bearer token
	until   time.Duration // on the cache's clock: until then token is handed out without a further look
	recheck time.Duration // on the cache's clock: from then on the store is asked first
	refresh time.Time     // from then on a refresh is started ahead of expiry
	record  *record
	version storage.Version
}

// entry is the cache's place for one subject. The hot path reads it with one atomic load.
type entry struct {
	subject, key string
	cached       atomic.Pointer[cached]
}

// cache holds the grants in use. Reading takes no lock; an entry that has left the map is empty for good.
type cache struct {
	start time.Time // origin of the monotonic clock that until and recheck are read on
	limit int       // entries kept at most
	idle  time.Duration

	entries sync.Map // subject → *entry

	mu    sync.Mutex        // guards byKey, swept and every change to entries or to an entry's content; never held across I/O
	byKey map[string]*entry // storage key → the same entries
	swept time.Duration
}

func newCache(limit int, idle time.Duration) *cache {
	return &cache{start: time.Now(), limit: limit, idle: idle, byKey: map[string]*entry{}}
}

// now is the time on the cache's clock: monotonic, and a third cheaper to read than the wall clock.
func (c *cache) now() time.Duration { return time.Since(c.start) }

// find returns the entry of a subject, or nil. subject is an interface because the context holds one: no allocation.
func (c *cache) find(subject any) *entry {
	e, ok := c.entries.Load(subject)
	if !ok {
		return nil
	}
	return e.(*entry)
}

// fresh returns what e holds if it may be handed out without a further look, or nil. e may be nil.
func (c *cache) fresh(e *entry) *cached {
	if e == nil {
		return nil
	}
	if p := e.cached.Load(); p != nil && c.now() < p.until {
		return p
	}
	return nil
}

// load returns what is cached for a subject, or nil.
func (c *cache) load(subject string) *cached {
	if e := c.find(subject); e != nil {
		return e.cached.Load()
	}
	return nil
}

// publish stores next for a subject and returns its entry. Only here do entries come into being and get their content.
func (c *cache) publish(subject, key string, next *cached) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(subject, key, next)
}

// publishOver stores next unless somebody has published since old was loaded: a slow read must not hide a newer token.
func (c *cache) publishOver(old *cached, subject, key string, next *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.load(subject) == old {
		c.set(subject, key, next)
	}
}

func (c *cache) set(subject, key string, next *cached) *entry {
	e := c.find(subject)
	if e == nil {
		c.sweep(1)
		e = &entry{subject: subject, key: key}
		c.entries.Store(subject, e)
		c.byKey[key] = e
	}
	e.cached.Store(next)
	return e
}

// forget removes a subject.
func (c *cache) forget(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(subject); e != nil {
		c.remove(e)
	}
}

// suspect makes the next use of what has changed ask the store first, unless it is known already: a process hears of its
// own writes too.
func (c *cache) suspect(change storage.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[change.Key]; e != nil && (change.Version == 0 || e.cached.Load().version != change.Version) {
		e.suspect()
	}
	if change.Key == "" {
		for _, e := range c.byKey {
			e.suspect()
		}
	}
}

func (e *entry) suspect() {
	if old := e.cached.Load(); old != nil {
		next := *old
		next.until, next.recheck = 0, 0
		e.cached.Store(&next)
	}
}

// tidy lets go of idle entries, at most once per idle period.
func (c *cache) tidy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now()-c.swept >= c.idle {
		c.sweep(0)
	}
}

// sweep removes the entries that nobody has used for the idle time and, where room is needed for more entries, as many
// others as bring the cache down to three quarters of its bound, so that the next sweep is far away.
func (c *cache) sweep(room int) {
	now := c.now()
	full := len(c.byKey)+room > c.limit
	if !full && now-c.swept < c.idle {
		return
	}
	c.swept = now
	for _, e := range c.byKey {
		// An entry in use is looked at again whenever until passes, so a long-passed until means that nobody came.
		if p := e.cached.Load(); p == nil || now-max(p.until, p.recheck) > c.idle {
			c.remove(e)
		}
	}
	if !full {
		return
	}
	for _, e := range c.byKey {
		if len(c.byKey) <= c.limit*3/4 {
			return
		}
		c.remove(e)
	}
}

func (c *cache) remove(e *entry) {
	c.entries.Delete(e.subject)
	delete(c.byKey, e.key)
	e.cached.Store(nil)
}

// size returns the number of entries.
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey)
}
