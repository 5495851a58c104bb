// Package cache keeps what a process knows of the grants in use. It supplies
// their access tokens without a lock and without an allocation.
//
// # Reading
//
// Every request calls [Cache.Fresh]. It reads the clocks once, hashes the
// subject, looks the hash up in a table and compares the whole subject. Where
// each request is another user's, most of the time is spent waiting for memory.
// So a slot of the table holds only a hash and a pointer, and everything that a
// request needs lies in the 128 bytes at that pointer. A [Snapshot] never
// changes. A reader therefore always sees one state of a grant, whole.
//
// # Writing
//
// The store decides what is true. The engine calls [Cache.Begin] before it
// reads or writes a grant in the store, and publishes the outcome with
// [Op.Publish] or [Op.Forget]. The answers of the store can arrive in another
// order than the one in which the store gave them. An [Op] records what was
// published, removed and notified since it began. So a slow read never
// replaces a newer token. A notification that arrives during a read or a write
// is not lost either: the grant is then published as one that must be read
// again before its next use.
//
// # Clocks
//
// A token is valid only while the wall clock and the monotonic clock both say
// so (G18). The monotonic clock stands still while the machine sleeps, and the
// wall clock can be set back. A [Moment] is therefore a time on both clocks.
// It has passed when either clock has reached it.
//
// # Concurrency
//
// Everything is safe for concurrent use, except that one goroutine at a time
// may use an Op. Writers exclude each other with one mutex. Readers take no
// lock, not even while the table grows.
//
// # Errors
//
// There are none. A caller that finds nothing here reads the store.
package cache

import (
	"crypto/sha256"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/clock"
)

// Moment is a time on both clocks.
type Moment = clock.Moment

// Never is a Moment that never passes.
var Never = clock.Never

func earliest(a, b Moment) Moment {
	return Moment{Mono: min(a.Mono, b.Mono), Wall: min(a.Wall, b.Wall)}
}

// Entry is what a process knows of one grant.
type Entry[R any] struct {
	Token  *oauth2.Token // shared with callers, who must not change it; nil if the grant has none
	Header string        // the Authorization value that carries Token; empty if no header can
	Record *R            // the record that Token came from

	Version uint64 // the record's version in the store
	Over    uint64 // the version that this one replaced, after a write; otherwise zero

	// Changed reports that the write brought Token into the record, or ended
	// the grant there. Other writes leave the token as it was.
	Changed bool

	// Rejected is an access token that is known to be older than Token, such as
	// the one that an API rejected before the store was read. Otherwise it is
	// empty.
	Rejected string

	Recheck Moment // from then on the store is read before Token is used
	Refresh Moment // from then on a refresh ahead of the expiry is due
	Expiry  Moment // from then on Token is not used
}

// inline is the length of the longest subject whose bytes the Snapshot holds.
const inline = 51

// hashed stands for the length of a longer subject. The Snapshot holds its
// SHA-256, on which the storage keys of grants rely as well.
const hashed = 255

// Snapshot is an Entry as readers see it. It never changes.
//
// It has exactly 128 bytes, two lines of the processor's cache. A request reads
// the first line, and the second one if the subject is longer than 19 bytes.
type Snapshot[R any] struct {
	until   Moment        // the earliest of recheck, refresh and expiry
	Header  string        // as in Entry
	Token   *oauth2.Token // as in Entry
	space   uint32        // of the subject: see Cache.Beside
	length  uint8         // of the subject, or hashed
	subject [inline]byte
	recheck Moment
	version uint64
	rest    *rest[R]
}

// rest is the part of an Entry that Fresh does not read.
type rest[R any] struct {
	record          *R
	over            uint64
	refresh, expiry Moment
}

// Entry returns what was published, with the times that are in force, and
// without Changed and Rejected: these say only how to order two outcomes.
func (s *Snapshot[R]) Entry() Entry[R] {
	return Entry[R]{
		Token: s.Token, Header: s.Header, Record: s.rest.record, Version: s.version, Over: s.rest.over,
		Recheck: s.recheck, Refresh: s.rest.refresh, Expiry: s.rest.expiry,
	}
}

// is reports whether s belongs to the subject of a space that identify returned
// name and length for. It compares all bytes: two subjects can have the same
// hash.
func (s *Snapshot[R]) is(space uint32, name string, length uint8) bool {
	return s.length == length && s.space == space && string(s.subject[:len(name)]) == name
}

// identify returns what a Snapshot holds of a subject: its bytes and its
// length, or its SHA-256 and hashed.
func identify(subject string) (name string, length uint8) {
	if len(subject) > inline {
		sum := digest(subject)
		return string(sum[:]), hashed
	}
	return subject, uint8(len(subject)) //nolint:gosec // at most inline
}

// digest returns the SHA-256 of a subject. A subject of up to 512 bytes is
// copied to the stack, so that a reader allocates nothing.
func digest(subject string) [sha256.Size]byte {
	if len(subject) > 512 {
		return sha256.Sum256([]byte(subject))
	}
	var text [512]byte
	return sha256.Sum256(text[:copy(text[:], subject)])
}

// Place is where the cache keeps one grant. A Source of one subject holds a
// Place, and then needs no table. A Place that was removed stays empty.
type Place[R any] struct {
	snapshot atomic.Pointer[Snapshot[R]]

	// Guarded by the cache's mutex.
	hash uint64        // of the subject: it leads to the slot
	turn uint64        // the number of the last publication
	at   time.Duration // the monotonic time of the last change
}

// table is an open-addressed hash table with linear probing. A slot keeps its
// hash until the table is replaced, so that readers always reach the slots
// behind it.
type table[R any] struct {
	slots []slot[R] // a power of two of them
}

// slot is empty if its hash is zero. If it has a hash and no snapshot, its
// grant was removed.
type slot[R any] struct {
	hash     atomic.Uint64
	snapshot atomic.Pointer[Snapshot[R]]
}

const leastSlots = 8

// Options adjusts a Cache.
type Options[R any] struct {
	Limit int           // grants kept at most; below one means one
	Idle  time.Duration // how long an unused grant is kept at least

	Clock *clock.Clock // nil means the clocks of this machine

	// Same reports that two records hold one token set. A server may issue an
	// access token again in a later set. Nil means that two records with one access
	// token do.
	Same func(a, b *R) bool

	// Newer reports that the store held a later than b, as far as the records
	// show that. Otherwise it returns false. Nil always returns false.
	Newer func(a, b *R) bool
}

// Cache holds the grants in use. It finds a grant by its subject, for readers,
// and by its storage key, for notifications. Each subject has one key, and
// each key one subject. Use New to make one.
//
// Several Caches can share one memory: see [Cache.Beside].
type Cache[R any] struct {
	*memory[R]
	space uint32 // names the subjects of this Cache among those of all
	salt  uint64 // is added to the hashes of its subjects
}

// memory is what the Caches of several spaces share.
type memory[R any] struct {
	table atomic.Pointer[table[R]]
	seed  maphash.Seed
	bits  uint64        // the bits of a subject's hash that are used: all of them
	last  atomic.Uint32 // the space that was made last
	o     Options[R]

	mu     sync.Mutex           // guards what follows and every change of the table; never held across I/O
	places map[uint64]*Place[R] // by the hash of the storage key: the keys themselves would take more memory
	ops    map[string][]*Op[R]  // those that have not ended, by storage key
	used   int                  // slots of the table that are not empty
	turn   uint64               // publications so far
	tidied time.Duration        // the monotonic time of the last tidy

	keyBits uint64 // the bits of a key's hash that are used: all of them
}

// New returns an empty Cache.
func New[R any](o Options[R]) *Cache[R] {
	if o.Newer == nil {
		o.Newer = func(_, _ *R) bool { return false }
	}
	if o.Same == nil {
		o.Same = func(_, _ *R) bool { return true }
	}
	if o.Clock == nil {
		o.Clock = clock.Machine()
	}
	o.Limit = max(1, o.Limit)
	c := &Cache[R]{memory: &memory[R]{
		seed: maphash.MakeSeed(), bits: math.MaxUint64, keyBits: math.MaxUint64, o: o,
		places: map[uint64]*Place[R]{}, ops: map[string][]*Op[R]{},
	}}
	c.table.Store(&table[R]{make([]slot[R], leastSlots)})
	return c
}

// Beside returns an empty Cache for subjects of another kind, such as the users
// of another client. It shares memory, limit and notifications with c, and
// finds none of its subjects: a name in one is not the same name in the other
// (M8). A storage key belongs to one of them.
func (c *Cache[R]) Beside() *Cache[R] {
	const odd = 0x9e3779b97f4a7c15 // spreads the numbers of the spaces over all bits
	space := c.last.Add(1)
	return &Cache[R]{memory: c.memory, space: space, salt: uint64(space) * odd}
}

// Now returns the present Moment.
func (c *memory[R]) Now() Moment { return c.o.Clock.Moment() }

// Fresh returns the grant of a subject if its token may be used at once: it
// has not expired, and neither a read of the store nor a refresh is due.
// Otherwise it returns nil. It takes no lock and allocates nothing.
func (c *Cache[R]) Fresh(subject string) *Snapshot[R] {
	now := c.Now()
	if s := c.Load(subject); s != nil && !s.until.Passed(now) {
		return s
	}
	return nil
}

// FreshAt is Fresh for the subject of a Place, which may be nil.
func (c *memory[R]) FreshAt(p *Place[R]) *Snapshot[R] {
	if p == nil {
		return nil
	}
	if s := p.snapshot.Load(); s != nil && !s.until.Passed(c.Now()) {
		return s
	}
	return nil
}

// Load returns the grant of a subject, even if its times have passed. If there
// is none, Load returns nil.
func (c *Cache[R]) Load(subject string) *Snapshot[R] { return c.find(identify(subject)) }

func (c *Cache[R]) find(name string, length uint8) *Snapshot[R] {
	slots := c.table.Load().slots
	hash := c.hash(name)
	for i := hash; ; i++ {
		slot := &slots[i&uint64(len(slots)-1)]
		switch slot.hash.Load() {
		case hash:
			if s := slot.snapshot.Load(); s != nil && s.is(c.space, name, length) {
				return s
			}
		case 0:
			return nil
		}
	}
}

// hash returns the hash of a subject's name. It is never zero: that is the
// hash of an empty slot.
func (c *Cache[R]) hash(name string) uint64 {
	return (maphash.String(c.seed, name)^c.salt)&c.bits | 1<<63
}

func (c *memory[R]) keyHash(key string) uint64 { return maphash.String(c.seed, key) & c.keyBits }

// Place returns the Place of a subject whose grant is stored under key, or nil.
func (c *Cache[R]) Place(key, subject string) *Place[R] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placeOf(key, subject)
}

// Each calls f with the record of every grant, also those of the Caches beside
// this one, unless counted has this memory already. It adds it. Grants that
// come or go meanwhile may be left out. It takes no lock, so f may take its
// time.
func (c *memory[R]) Each(counted map[any]bool, f func(*R)) {
	if counted[c] {
		return
	}
	counted[c] = true
	slots := c.table.Load().slots
	for i := range slots {
		if s := slots[i].snapshot.Load(); s != nil {
			f(s.rest.record)
		}
	}
}

// Len returns the number of grants.
func (c *memory[R]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.places)
}

// load returns the Snapshot in a Place. The Place may be nil.
func (p *Place[R]) load() *Snapshot[R] {
	if p == nil {
		return nil
	}
	return p.snapshot.Load()
}

// replace makes s what readers see, in a Place and in its slot.
func (c *memory[R]) replace(place *Place[R], s *Snapshot[R]) {
	if old := place.load(); old != nil {
		c.slotOf(place.hash, old).snapshot.Store(s)
	}
	place.snapshot.Store(s)
	place.at = c.Now().Mono
}

// slotOf returns the slot that holds s. Its caller knows that there is one.
func (c *memory[R]) slotOf(hash uint64, s *Snapshot[R]) *slot[R] {
	slots := c.table.Load().slots
	for i := hash; ; i++ {
		if slot := &slots[i&uint64(len(slots)-1)]; slot.snapshot.Load() == s {
			return slot
		}
	}
}

// insert puts s into an empty slot. If that would leave less than a quarter of
// the slots empty, the table is replaced first. Readers use the old table
// until then.
func (c *memory[R]) insert(hash uint64, s *Snapshot[R]) {
	if 4*(c.used+1) > 3*len(c.table.Load().slots) {
		c.rebuild()
	}
	c.table.Load().put(hash, s)
	c.used++
}

// put stores s in the first empty slot for hash. The snapshot comes first: a
// reader that finds the hash finds the snapshot as well.
func (t *table[R]) put(hash uint64, s *Snapshot[R]) {
	for i := hash; ; i++ {
		if slot := &t.slots[i&uint64(len(t.slots)-1)]; slot.hash.Load() == 0 {
			slot.snapshot.Store(s)
			slot.hash.Store(hash)
			return
		}
	}
}

// rebuild replaces the table by one without removed grants, at least half of
// which is empty.
func (c *memory[R]) rebuild() {
	size := leastSlots
	for size < 2*len(c.places) {
		size *= 2
	}
	next := &table[R]{make([]slot[R], size)}
	c.used = 0
	for _, place := range c.places {
		if s := place.load(); s != nil { // nil: insert has yet to store it
			next.put(place.hash, s)
			c.used++
		}
	}
	c.table.Store(next)
}

// remove removes the grant whose key has this hash.
func (c *memory[R]) remove(key uint64) {
	place := c.places[key]
	c.slotOf(place.hash, place.load()).snapshot.Store(nil)
	place.snapshot.Store(nil)
	delete(c.places, key)
}
