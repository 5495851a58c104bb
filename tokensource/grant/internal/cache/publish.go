package cache

import (
	"slices"
)

// Op is a read or a write of one grant in the store, from before the request to
// the store until its outcome is published.
type Op[R any] struct {
	c            *Cache[R]
	key, subject string

	// What happened since Begin. Guarded by the cache's mutex.
	notified  []uint64 // the versions that notifications named; zero is any version
	overtaken bool     // another Op published
	forgotten bool     // another Op found that the grant is gone
}

// Begin returns the Op of a read or a write that has not begun yet. Call End when
// it is over, whatever came of it.
func (c *Cache[R]) Begin(key, subject string) *Op[R] {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &Op[R]{c: c, key: key, subject: subject}
	c.ops[key] = append(c.ops[key], o)
	return o
}

// End forgets an Op. After Publish or Forget it does nothing.
func (o *Op[R]) End() {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.end()
}

// end returns the other Ops of the key.
func (o *Op[R]) end() []*Op[R] {
	others := slices.DeleteFunc(o.c.ops[o.key], func(p *Op[R]) bool { return p == o })
	o.c.ops[o.key] = others
	if len(others) == 0 {
		delete(o.c.ops, o.key)
	}
	return others
}

// Publish makes e, the outcome of the Op, what readers see, and returns what they
// see from now on. That is not e if something newer is there, and nil if the
// grant was forgotten meanwhile: then only the store knows.
//
// If e may be out of date already, the store is asked before its token is handed
// out: a notification has named another version, or the order of two outcomes
// is not known.
func (o *Op[R]) Publish(e Entry[R]) *Snapshot[R] {
	c := o.c
	c.mu.Lock()
	defer c.mu.Unlock()
	others := o.end()
	place := c.placeOf(o.key, o.subject)
	install, known := o.order(place.load(), &e)
	if !known {
		c.invalidate(o.key, 0)
	}
	if !install {
		return place.load()
	}
	if !known || o.outdated(&e) {
		e.Recheck = Moment{}
	}
	for _, other := range others {
		other.overtaken = true
	}
	s := c.store(place, o.key, o.subject, e)
	c.tidy()
	return s
}

// order says whether e, the outcome of o, is to replace current, and whether it
// is known which of them is newer.
//
// What began after current was published is newer. Otherwise the versions decide.
// They have no order of their own, but a write knows the version that it replaced.
// Where that does not help, the outcome of a write stays: its token was obtained
// last by this process.
func (o *Op[R]) order(current *Snapshot[R], e *Entry[R]) (install, known bool) {
	switch {
	case o.forgotten: // a logout wins over what began before it ended
		return false, current == nil
	case !o.overtaken:
		return true, true
	case current == nil: // removed to make room
		return false, true
	case e.Version != 0 && e.Version == current.version, e.Over != 0 && e.Over == current.version:
		return true, true
	case e.Version != 0 && e.Version == current.rest.over:
		return false, true
	}
	return e.Over != 0, false
}

// outdated reports whether a notification since Begin named a version that may be
// newer than e.
func (o *Op[R]) outdated(e *Entry[R]) bool {
	return slices.ContainsFunc(o.notified, func(v uint64) bool { return v == 0 || v != e.Version && v != e.Over })
}

// Forget removes the grant: the Op has found that there is none any more, or has
// ended it. No reader sees its token from now on, and no Op that is under way
// brings it back.
func (o *Op[R]) Forget() {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	for _, other := range o.end() {
		other.forgotten = true
	}
	if o.c.placeOf(o.key, o.subject) != nil {
		o.c.remove(o.c.keyHash(o.key))
	}
}

// Extend replaces old by e, which has other times, and reports whether it did.
// It does nothing if old is not current any more: what was published or notified
// since counts.
func (c *Cache[R]) Extend(key string, old *Snapshot[R], e Entry[R]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	place := c.places[c.keyHash(key)]
	if old == nil || place.load() != old {
		return false
	}
	next := snapshot(e)
	next.length, next.subject = old.length, old.subject
	c.replace(place, next)
	return true
}

// Invalidate has the store asked before the next use of the grant under key, or
// of all grants if key is empty. It does nothing if the cache knows the version
// already, as after a write of this process. Version zero is any version.
func (c *Cache[R]) Invalidate(key string, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key != "" {
		c.invalidate(key, version)
		return
	}
	for _, ops := range c.ops {
		notify(ops, 0)
	}
	for _, place := range c.places {
		c.outdate(place)
	}
}

func (c *Cache[R]) invalidate(key string, version uint64) {
	notify(c.ops[key], version)
	place := c.places[c.keyHash(key)]
	if s := place.load(); s != nil && (version == 0 || version != s.version && version != s.rest.over) {
		c.outdate(place)
	}
}

func notify[R any](ops []*Op[R], version uint64) {
	const enough = 8 // an Op that is notified more often is taken for outdated
	for _, o := range ops {
		if len(o.notified) == enough {
			o.notified = append(o.notified[:0], 0)
		}
		o.notified = append(o.notified, version)
	}
}

// outdate makes a new Snapshot even where the old one is outdated already, so that
// an Extend of the old one does nothing.
func (c *Cache[R]) outdate(place *Place[R]) {
	next := *place.load()
	next.until, next.recheck = Moment{}, Moment{}
	c.replace(place, &next)
}

// placeOf returns the Place of a key, or nil. Two keys of one hash do not stay
// beside each other.
func (c *Cache[R]) placeOf(key, subject string) *Place[R] {
	hash := c.keyHash(key)
	place := c.places[hash]
	if place != nil && !place.load().is(identify(subject)) {
		c.remove(hash)
		return nil
	}
	return place
}

// snapshot returns what is published of e, without the subject.
func snapshot[R any](e Entry[R]) *Snapshot[R] {
	s := &Snapshot[R]{
		Header: e.Header, Token: e.Token, recheck: e.Recheck, version: e.Version,
		rest: &rest[R]{record: e.Record, over: e.Over, refresh: e.Refresh, expiry: e.Expiry},
	}
	if e.Token != nil {
		s.until = earliest(e.Recheck, earliest(e.Refresh, e.Expiry))
	}
	return s
}

// store publishes e. A token that is cached already keeps its end on the
// monotonic clock: a wall clock that was set back must not lengthen its life (G18).
func (c *Cache[R]) store(place *Place[R], key, subject string, e Entry[R]) *Snapshot[R] {
	if old := place.load(); old != nil && old.Token != nil && e.Token != nil && old.Token.AccessToken == e.Token.AccessToken {
		e.Expiry.Mono = min(e.Expiry.Mono, old.rest.expiry.Mono)
	}
	s := snapshot(e)
	name, length := identify(subject)
	s.length = length
	copy(s.subject[:], name)
	if place == nil {
		c.evict()
		place = &Place[R]{hash: c.hash(name)}
		c.places[c.keyHash(key)] = place
		c.insert(place.hash, s)
	}
	c.replace(place, s)
	c.turn++
	place.turn = c.turn
	return s
}

// tidy removes the grants that nobody has used for the idle time, at most once in
// that time. A grant in use is published anew each time its recheck has passed.
func (c *Cache[R]) tidy() {
	now := c.Now().Mono
	if now-c.swept < c.o.Idle {
		return
	}
	c.swept = now
	for key, place := range c.places {
		if now-max(place.at, place.load().until.Mono) > c.o.Idle {
			c.remove(key)
		}
	}
	if 8*len(c.places) < len(c.table.Load().slots) {
		c.rebuild()
	}
}

// evict makes room for one more grant. If there is none, it removes a quarter of
// the grants, those whose publication is longest ago, so that the next time is far
// away.
func (c *Cache[R]) evict() {
	n := len(c.places)
	if n < c.o.Limit {
		return
	}
	turns := make([]uint64, 0, n)
	for _, place := range c.places {
		turns = append(turns, place.turn)
	}
	slices.Sort(turns)
	last := turns[n-c.o.Limit*3/4-1]
	for key, place := range c.places {
		if place.turn <= last {
			c.remove(key)
		}
	}
}
