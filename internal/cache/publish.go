package cache

import "slices"

// Op is one read or one write of a grant in the store. It begins before the
// request to the store, and ends when its outcome is published.
type Op[R any] struct {
	c            *Cache[R]
	key, subject string

	// What happened to the grant since Begin. Guarded by the cache's mutex.
	notified  []uint64 // the versions that notifications named; zero is any version
	overtaken bool     // another Op published its outcome
	forgotten bool     // another Op removed the grant
}

// Begin returns the Op of a read or a write. Call it before the request to the
// store, with the grant's storage key and subject, and call End after the
// request, whatever its outcome.
func (c *Cache[R]) Begin(key, subject string) *Op[R] {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &Op[R]{c: c, key: key, subject: subject}
	c.ops[key] = append(c.ops[key], o)
	return o
}

// End ends an Op that has nothing to publish. After Publish or Forget it does
// nothing.
func (o *Op[R]) End() {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.end()
}

// end ends o and returns the other Ops of its key.
func (o *Op[R]) end() []*Op[R] {
	others := slices.DeleteFunc(o.c.ops[o.key], func(p *Op[R]) bool { return p == o })
	o.c.ops[o.key] = others
	if len(others) == 0 {
		delete(o.c.ops, o.key)
	}
	return others
}

// Publish ends the Op. It makes e, the outcome of the Op, what readers see,
// unless they see something newer already. It returns what they see from now
// on. Nil means that another Op has removed the grant meanwhile: read the
// store again.
//
// If e may be out of date, it is published with a Recheck that has passed.
// That is so if a notification named another version since Begin, or if it is
// not known which of two outcomes is newer.
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

// order reports whether e, the outcome of o, replaces current, and whether it
// is known which of the two is newer.
//
// If o began after current was published, e is newer. Otherwise the records
// decide if they can, and then the versions. Versions have no order, but a
// write knows which version it replaced, and a renewal knows which token it
// replaced. If that does not decide either, the outcome of a write that changed
// the token replaces current, because the process just obtained that token. Any
// other outcome does not.
func (o *Op[R]) order(current *Snapshot[R], e *Entry[R]) (install, known bool) {
	switch {
	case o.forgotten: // a logout wins over every Op that began before its end (G12)
		return false, current == nil
	case !o.overtaken:
		return true, true
	case current == nil: // evicted
		return false, true
	case o.c.o.Newer(e.Record, current.rest.record):
		return true, true
	case o.c.o.Newer(current.rest.record, e.Record):
		return false, true
	case e.Rejected != "" && current.Token != nil && e.Rejected == current.Token.AccessToken:
		return true, true
	case e.Version != 0 && e.Version == current.version, e.Over != 0 && e.Over == current.version:
		return true, true
	case e.Version != 0 && e.Version == current.rest.over:
		return false, true
	}
	return e.Changed, false
}

// outdated reports whether a notification since Begin named a version that may
// be newer than e.
func (o *Op[R]) outdated(e *Entry[R]) bool {
	return slices.ContainsFunc(o.notified, func(v uint64) bool { return v == 0 || v != e.Version && v != e.Over })
}

// Forget ends the Op and removes the grant: the Op found none in the store, or
// ended it there. No reader sees its token from now on, and no Op that has
// begun already can publish it again (G12).
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

// Extend replaces old by e, which differs from old.Entry in its times, and
// reports whether it did so. If anything was published or notified for the
// grant since old was loaded, Extend changes nothing.
func (c *memory[R]) Extend(key string, old *Snapshot[R], e Entry[R]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	place := c.places[c.keyHash(key)]
	if old == nil || place.load() != old {
		return false
	}
	next := snapshot(e)
	next.length, next.subject, next.space = old.length, old.subject, old.space
	c.replace(place, next)
	return true
}

// Invalidate says that the grant under key has changed in the store, or any
// grant if key is empty. The grant is read again before its next use, unless
// version is the one that the cache holds or the one before it, as after a
// write of this process. Version zero is any version.
func (c *memory[R]) Invalidate(key string, version uint64) {
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

// invalidate is Invalidate for one key, under the mutex.
func (c *memory[R]) invalidate(key string, version uint64) {
	notify(c.ops[key], version)
	place := c.places[c.keyHash(key)]
	if s := place.load(); s != nil && (version == 0 || version != s.version && version != s.rest.over) {
		c.outdate(place)
	}
}

// notify records a version in Ops that have not ended.
func notify[R any](ops []*Op[R], version uint64) {
	const most = 8 // more notifications count as one of any version
	for _, o := range ops {
		if len(o.notified) == most {
			o.notified = append(o.notified[:0], 0)
		}
		o.notified = append(o.notified, version)
	}
}

// outdate makes a grant one that must be read again. It makes a new Snapshot
// even if the old one had to be read again already, so that Extend sees the
// change.
func (c *memory[R]) outdate(place *Place[R]) {
	next := *place.load()
	next.until, next.recheck = Moment{}, Moment{}
	c.replace(place, &next)
}

// placeOf returns the Place of a subject, or nil. If the Place belongs to
// another subject, whose key has the same hash, it is removed.
func (c *Cache[R]) placeOf(key, subject string) *Place[R] {
	hash := c.keyHash(key)
	place := c.places[hash]
	if place == nil {
		return nil
	}
	name, length := identify(subject)
	if !place.load().is(c.space, name, length) {
		c.remove(hash)
		return nil
	}
	return place
}

// snapshot returns the Snapshot of e, without the subject.
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

// store makes e what readers see. If e has the token set that is cached
// already, the earlier of its two monotonic expiries stays. Otherwise a wall
// clock that was set back would let the token be used for longer than it is
// valid (G18).
func (c *Cache[R]) store(place *Place[R], key, subject string, e Entry[R]) *Snapshot[R] {
	if old := place.load(); old != nil && c.oneSet(old, &e) {
		e.Expiry.Mono = min(e.Expiry.Mono, old.rest.expiry.Mono)
	}
	s := snapshot(e)
	name, length := identify(subject)
	s.length, s.space = length, c.space
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

// oneSet reports whether e has the access token of old, from the same answer of
// the server.
func (c *Cache[R]) oneSet(old *Snapshot[R], e *Entry[R]) bool {
	return old.Token != nil && e.Token != nil && old.Token.AccessToken == e.Token.AccessToken &&
		c.o.Same(e.Record, old.rest.record)
}

// Tidy removes the grants that nobody has used for the idle time. It does so at
// most once in that time. Each publication does it too.
func (c *memory[R]) Tidy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tidy()
}

// tidy is Tidy under the mutex. A grant in use is published again whenever one
// of its times has passed. So a grant whose times passed long ago is not in
// use.
func (c *memory[R]) tidy() {
	now := c.Now().Mono
	if now-c.tidied < c.o.Idle {
		return
	}
	c.tidied = now
	for key, place := range c.places {
		if now-max(place.at, place.load().until.Mono) > c.o.Idle {
			c.remove(key)
		}
	}
	if 8*len(c.places) < len(c.table.Load().slots) {
		c.rebuild()
	}
}

// evict makes room for one more grant. If the cache is full, it removes the
// quarter of the grants whose last publication is longest ago. It removes so
// many because it has to look at all of them.
func (c *memory[R]) evict() {
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
