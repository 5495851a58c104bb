// Package cache keeps what a process knows of the grants in use, and hands out
// their access tokens without a lock and without an allocation.
//
// # Reading
//
// [Cache.Fresh] is on the path of every request. It hashes the subject, looks the
// hash up in a table, compares the whole subject and reads the clocks once.
// Where each request is another user's, time goes into the processor's wait for
// memory. So a slot of the table is a hash and a pointer, and everything that a
// request needs lies in the 128 bytes that the pointer leads to. A [Snapshot]
// never changes: a reader sees all of one state of a grant.
//
// # Writing
//
// The store is what counts. Who reads or writes a grant in the store calls
// [Cache.Begin] before that, and publishes the outcome with [Op.Publish] or
// [Op.Forget]. Answers of the store can arrive in another order than the one in
// which the store gave them. An [Op] knows what was published, forgotten and
// notified since it began. So a slow read never replaces a newer token, and a
// notification that arrives during a read or a write is not lost: the grant is
// then published as one that must be read again.
//
// # Clocks
//
// A token is handed out while it is valid by the wall clock and by the monotonic
// clock (G18). The monotonic clock stands still while the machine sleeps, and
// the wall clock can be set back. A [Moment] is therefore a time on both clocks,
// and it has passed when either clock has reached it.
//
// # Concurrency
//
// Everything here is safe for concurrent use, except that an Op belongs to one
// goroutine. Writers exclude each other with one mutex. Readers take none, not
// even while the table grows.
//
// # Errors
//
// There are none: who finds nothing here reads the store.
package cache

import (
	"crypto/sha256"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// Moment is a time on both clocks. The zero Moment has passed.
type Moment struct {
	Mono time.Duration // since the cache was made
	Wall int64         // in nanoseconds since 1970
}

// Never is a Moment that does not pass.
var Never = Moment{math.MaxInt64, math.MaxInt64}

// Passed reports whether one of the clocks has reached m.
func (m Moment) Passed(now Moment) bool { return now.Mono >= m.Mono || now.Wall >= m.Wall }

// Add returns the Moment d after m.
func (m Moment) Add(d time.Duration) Moment { return Moment{m.Mono + d, m.Wall + int64(d)} }

// At returns the Moment at which the wall clock will show t, if m is now and
// nobody sets the clock. For the zero Time it returns Never.
func (m Moment) At(t time.Time) Moment {
	switch year := t.Year(); {
	case t.IsZero(), year > 2200: // UnixNano ends in 2262
		return Never
	case year < 1970:
		return Moment{}
	}
	return m.Add(time.Duration(t.UnixNano() - m.Wall))
}

func earliest(a, b Moment) Moment { return Moment{min(a.Mono, b.Mono), min(a.Wall, b.Wall)} }

// Entry is what a process knows of one grant.
type Entry[R any] struct {
	Token  *oauth2.Token // shared with callers, who must not change it; nil if the grant has none
	Header string        // the Authorization value that carries Token; empty if no header can
	Record *R            // the record that Token came from

	Version uint64 // the record's version in the store
	Over    uint64 // the version that this one replaced, after a write; otherwise zero

	Recheck Moment // from then on the store is asked before Token is handed out
	Refresh Moment // from then on a refresh ahead of the expiry is due
	Expiry  Moment // from then on Token is not handed out
}

// inline is how long a subject may be so that the Snapshot holds its bytes.
const inline = 55

// hashed is the length that stands for a longer subject, of which the Snapshot
// holds the SHA-256.
const hashed = 255

// Snapshot is an Entry as it is published. It has 128 bytes, two lines of the
// processor's cache, and a reader needs the first of them most. It never changes.
type Snapshot[R any] struct {
	until   Moment        // the earliest of recheck, refresh and expiry
	Header  string        // see Entry
	Token   *oauth2.Token // see Entry
	length  uint8         // of the subject, or hashed
	subject [inline]byte
	recheck Moment
	version uint64
	rest    *rest[R]
}

// rest is the part of an Entry that the path of every request leaves alone.
type rest[R any] struct {
	record          *R
	over            uint64
	refresh, expiry Moment
}

// Entry returns what was published, with the times that hold now.
func (s *Snapshot[R]) Entry() Entry[R] {
	return Entry[R]{
		Token: s.Token, Header: s.Header, Record: s.rest.record, Version: s.version, Over: s.rest.over,
		Recheck: s.recheck, Refresh: s.rest.refresh, Expiry: s.rest.expiry,
	}
}

// is reports whether s belongs to the subject of that name and length. It
// compares everything, since two subjects may have one hash.
func (s *Snapshot[R]) is(name string, length uint8) bool {
	return s.length == length && string(s.subject[:len(name)]) == name
}

// identify returns what a Snapshot holds of a subject: its bytes and its length,
// or its SHA-256 and hashed.
func identify(subject string) (name string, length uint8) {
	if len(subject) > inline {
		sum := digest(subject)
		return string(sum[:]), hashed
	}
	return subject, uint8(len(subject)) //nolint:gosec // at most inline
}

// digest is the SHA-256 of a subject. It copies the usual subject to the stack, and
// so allocates nothing.
func digest(subject string) [sha256.Size]byte {
	if len(subject) > 512 {
		return sha256.Sum256([]byte(subject))
	}
	var text [512]byte
	return sha256.Sum256(text[:copy(text[:], subject)])
}

// Place is where the cache keeps one grant. A source of one subject holds it, and
// needs no table. A Place that was removed is empty for good.
type Place[R any] struct {
	snapshot atomic.Pointer[Snapshot[R]]

	// Guarded by the cache's mutex.
	hash uint64        // of the subject: where its slot is
	turn uint64        // counts publications: the lowest is the oldest
	at   time.Duration // of the last publication or invalidation
}

// table is an open-addressed hash table with linear probing. A slot keeps its
// hash until the table is replaced, so that a reader never misses what lies behind.
type table[R any] struct {
	slots []slot[R] // a power of two of them
}

// slot is empty if hash is zero. Without a snapshot it is vacant: its grant was
// removed.
type slot[R any] struct {
	hash     atomic.Uint64
	snapshot atomic.Pointer[Snapshot[R]]
}

const leastSlots = 8

// Options adjusts a Cache.
type Options struct {
	Limit int           // grants kept at most; below one means one
	Idle  time.Duration // how long a grant is kept that nobody uses

	// Now returns the time. Nil means the clocks of this machine.
	Now func() Moment
}

// Cache holds the grants in use, each under its subject and under the key that
// it is stored under. A subject has one key, and a key one subject.
type Cache[R any] struct {
	table atomic.Pointer[table[R]]
	seed  maphash.Seed
	bits  uint64 // those of a subject's hash that are used: all of them
	start time.Time
	o     Options

	mu     sync.Mutex           // guards what follows, and every change of the table; never held across I/O
	places map[uint64]*Place[R] // by the hash of the storage key
	ops    map[string][]*Op[R]  // under way, by storage key
	used   int                  // slots that are not empty
	turn   uint64
	swept  time.Duration

	keyBits uint64 // those of a key's hash that are used: all of them
}

// New returns an empty Cache.
func New[R any](o Options) *Cache[R] {
	o.Limit = max(1, o.Limit)
	c := &Cache[R]{seed: maphash.MakeSeed(), bits: math.MaxUint64, keyBits: math.MaxUint64, start: time.Now(), o: o, places: map[uint64]*Place[R]{}, ops: map[string][]*Op[R]{}}
	c.table.Store(&table[R]{make([]slot[R], leastSlots)})
	return c
}

// Now reads both clocks.
func (c *Cache[R]) Now() Moment {
	if c.o.Now != nil {
		return c.o.Now()
	}
	now := time.Now()
	return Moment{now.Sub(c.start), now.UnixNano()}
}

// Fresh returns what may be handed out for a subject without a further look, or
// nil. It takes no lock and allocates nothing.
func (c *Cache[R]) Fresh(subject string) *Snapshot[R] {
	now := c.Now()
	if s := c.Load(subject); s != nil && !s.until.Passed(now) {
		return s
	}
	return nil
}

// FreshAt is Fresh for the subject of a Place, which may be nil.
func (c *Cache[R]) FreshAt(p *Place[R]) *Snapshot[R] {
	if p == nil {
		return nil
	}
	if s := p.snapshot.Load(); s != nil && !s.until.Passed(c.Now()) {
		return s
	}
	return nil
}

// Load returns what is cached for a subject, however old, or nil.
func (c *Cache[R]) Load(subject string) *Snapshot[R] { return c.find(identify(subject)) }

func (c *Cache[R]) find(name string, length uint8) *Snapshot[R] {
	slots := c.table.Load().slots
	hash := c.hash(name)
	for i := hash; ; i++ {
		slot := &slots[i&uint64(len(slots)-1)]
		switch slot.hash.Load() {
		case hash:
			if s := slot.snapshot.Load(); s != nil && s.is(name, length) {
				return s
			}
		case 0:
			return nil
		}
	}
}

// hash is never zero, which is an empty slot.
func (c *Cache[R]) hash(name string) uint64 { return maphash.String(c.seed, name)&c.bits | 1<<63 }

func (c *Cache[R]) keyHash(key string) uint64 { return maphash.String(c.seed, key) & c.keyBits }

// Place returns where the grant of a subject, which is stored under key, is
// cached, or nil.
func (c *Cache[R]) Place(key, subject string) *Place[R] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placeOf(key, subject)
}

// Len returns the number of grants.
func (c *Cache[R]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.places)
}

// load returns what stands in a Place, which may be nil.
func (p *Place[R]) load() *Snapshot[R] {
	if p == nil {
		return nil
	}
	return p.snapshot.Load()
}

// replace publishes s in a Place and in its slot.
func (c *Cache[R]) replace(place *Place[R], s *Snapshot[R]) {
	if old := place.load(); old != nil {
		c.slotOf(place.hash, old).snapshot.Store(s)
	}
	place.snapshot.Store(s)
	place.at = c.Now().Mono
}

// slotOf returns the slot of that hash which holds s. There is one.
func (c *Cache[R]) slotOf(hash uint64, s *Snapshot[R]) *slot[R] {
	slots := c.table.Load().slots
	for i := hash; ; i++ {
		if slot := &slots[i&uint64(len(slots)-1)]; slot.snapshot.Load() == s {
			return slot
		}
	}
}

// insert puts s into a slot. The table grows, or loses its vacant slots, when
// three quarters of it are in use: readers go on in the old one meanwhile.
func (c *Cache[R]) insert(hash uint64, s *Snapshot[R]) {
	if 4*(c.used+1) > 3*len(c.table.Load().slots) {
		c.rebuild()
	}
	c.table.Load().put(hash, s)
	c.used++
}

func (t *table[R]) put(hash uint64, s *Snapshot[R]) {
	for i := hash; ; i++ {
		if slot := &t.slots[i&uint64(len(t.slots)-1)]; slot.hash.Load() == 0 {
			slot.snapshot.Store(s)
			slot.hash.Store(hash)
			return
		}
	}
}

// rebuild replaces the table by one of which at most half is in use.
func (c *Cache[R]) rebuild() {
	size := leastSlots
	for size < 2*len(c.places) {
		size *= 2
	}
	next := &table[R]{make([]slot[R], size)}
	c.used = 0
	for _, place := range c.places {
		if s := place.load(); s != nil { // nil: about to be inserted
			next.put(place.hash, s)
			c.used++
		}
	}
	c.table.Store(next)
}

func (c *Cache[R]) remove(key uint64) {
	place := c.places[key]
	c.slotOf(place.hash, place.load()).snapshot.Store(nil)
	place.snapshot.Store(nil)
	delete(c.places, key)
}
