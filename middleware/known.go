package middleware

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
)

const (
	// maxUnchecked is how long a process that cannot reach the store honours the
	// sessions that it knows (G12).
	maxUnchecked = 15 * time.Minute

	// maxKnown is how many subjects one process remembers (G10).
	maxKnown = 10_000

	knownPatience = 250 * time.Millisecond // how long a request whose session is known waits for the store
	knownRetry    = 5 * time.Second        // after a failure of the store
	knownRead     = 10 * time.Second       // bounds one read, which outlives its caller
)

// knowledge is what this process knows of the sessions of its users. It is
// bounded, and safe for concurrent use.
type knowledge struct {
	reads singleflight.Group // by subject

	mu       sync.Mutex // guards the rest; never held across I/O
	subjects map[string]*known
	keys     map[string]string // subjects by storage key
}

// known is what this process knows of one subject. Only the holder of the mutex
// may look at it. The record is never changed.
type known struct {
	key    string
	record *sessionRecord // nil: no sessions
	epoch  string         // of the grant when it was read; empty: dead, or no grant

	version storage.Version
	checked time.Time // the beginning of the last read that succeeded
	retry   time.Time // no read before this time, after one that failed
	turn    uint64    // counts the changes: a read that began before a change publishes nothing
	stale   bool      // the record has changed elsewhere

	// used is when sessions were used in this process, in seconds since 1970, or
	// ended if this process has ended them. No session returns.
	used    map[string]int64
	writing bool // that a session was used is being written
}

// facts is a copy of what is known of a subject.
type facts struct {
	record  *sessionRecord
	epoch   string
	checked time.Time
	stale   bool
	waiting bool // the store failed a moment ago
}

func newKnowledge() *knowledge {
	return &knowledge{subjects: map[string]*known{}, keys: map[string]string{}}
}

// get returns what is known of a subject. It returns false if that is nothing.
func (k *knowledge) get(subject string) (facts, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.subjects[subject]
	if s == nil || s.checked.IsZero() {
		return facts{}, false
	}
	return facts{s.record, s.epoch, s.checked, s.stale, time.Now().Before(s.retry)}, true
}

// access is one read or write of the store, from its beginning.
type access struct {
	of      *knowledge
	subject string
	turn    uint64
	began   time.Time
}

// begin begins a read or a write.
func (k *knowledge) begin(subject, key string) access {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.subjects[subject]
	if s == nil {
		k.shrink()
		s = &known{key: key}
		k.subjects[subject], k.keys[key] = s, subject
	}
	return access{k, subject, s.turn, time.Now()}
}

// shrink forgets some subjects if there are too many. The caller holds mu.
func (k *knowledge) shrink() {
	if len(k.subjects) < maxKnown {
		return
	}
	for subject := range k.subjects {
		k.remove(subject)
		if len(k.subjects) <= maxKnown*3/4 {
			return
		}
	}
}

func (k *knowledge) remove(subject string) {
	if s := k.subjects[subject]; s != nil {
		delete(k.keys, s.key)
		delete(k.subjects, subject)
	}
}

// forget makes sure that the subject is read again before its next use.
func (k *knowledge) forget(subject string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.subjects[subject]; s != nil {
		s.turn++
		s.stale = true
	}
}

// notify notes a change of the store. The zero Change may be any.
func (k *knowledge) notify(c storage.Change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.Key == "" {
		for _, s := range k.subjects {
			s.turn++
			s.stale = true
		}
		return
	}
	if s := k.subjects[k.keys[c.Key]]; s != nil && (c.Version == 0 || c.Version != s.version) {
		s.turn++
		s.stale = true
	}
}

// publish makes the outcome of a write known. A change that came meanwhile
// leaves what is known stale.
func (a access) publish(record *sessionRecord, version storage.Version) {
	a.change(func(s *known) { s.record, s.version = record, version })
}

// read makes the outcome of a read known.
func (a access) read(record *sessionRecord, version storage.Version, epoch string) {
	a.change(func(s *known) {
		s.record, s.version, s.epoch, s.checked, s.retry = record, version, epoch, a.began, time.Time{}
		s.stale = false
		maps.DeleteFunc(s.used, func(name string, _ int64) bool { return record.find(name) == nil })
	})
}

func (a access) change(f func(*known)) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	s := a.of.subjects[a.subject]
	switch {
	case s == nil:
	case s.turn != a.turn:
		s.stale = true
	default:
		s.turn++
		f(s)
	}
}

// failed notes that a read failed.
func (a access) failed() {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	if s := a.of.subjects[a.subject]; s != nil {
		s.retry = time.Now().Add(knownRetry)
	}
}

// older reports whether more than d has passed since t, by either clock.
func older(t time.Time, d time.Duration) bool {
	now := time.Now()
	return now.Sub(t) >= d || now.Round(0).Sub(t.Round(0)) >= d
}

var errStoreAway = errors.New("middleware: the store cannot be reached")

// factsOf returns what is known of a subject, and asks the store if that is too
// old. With again, it always asks the store: this process may not know yet of a
// session that began elsewhere. So a valid session costs no call of the store.
func (l *login) factsOf(ctx context.Context, subject string, again bool) (facts, error) {
	now, ok := l.known.get(subject)
	if ok && !again {
		epoch, alive := l.keeping.Epoch(subject)
		switch {
		case alive && !now.stale && !older(now.checked, l.keeping.Recheck()):
			now.epoch = epoch
			return now, nil
		case now.waiting && !older(now.checked, maxUnchecked):
			return now, nil
		case now.waiting:
			return facts{}, errStoreAway
		}
	}
	usable := ok && !again && !older(now.checked, maxUnchecked)
	if usable {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, knownPatience)
		defer cancel()
	}
	began := time.Now()
	for {
		read, err := flight.Wait[facts](ctx, l.readFacts(ctx, subject))
		switch {
		case err != nil && usable && !errors.Is(err, ErrUnreadable):
			return now, nil
		case err != nil:
			return facts{}, err
		case again && read.checked.Before(began): // it may have read before the session began
			continue
		}
		return read, nil
	}
}

// readFacts reads the grant and the sessions of a subject, once for all
// callers.
func (l *login) readFacts(ctx context.Context, subject string) <-chan singleflight.Result {
	return l.known.reads.DoChan(subject, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), knownRead)
		defer cancel()
		key, err := l.sessionKey(ctx, subject)
		if err != nil {
			return nil, away(err)
		}
		a := l.known.begin(subject, key)
		f, version, err := l.readNow(ctx, key, subject)
		if err != nil {
			a.failed()
			return nil, away(err)
		}
		f.checked = a.began
		a.read(f.record, version, f.epoch)
		return f, nil
	})
}

// readNow reads the grant, and the sessions if the grant is alive.
func (l *login) readNow(ctx context.Context, key, subject string) (facts, storage.Version, error) {
	grant, err := l.keeping.Read(ctx, subject)
	switch {
	case errors.Is(err, tokensource.ErrReauthorize):
	case err != nil:
		return facts{}, 0, unreadable(l.grantKey(ctx, subject), err)
	case grant.Dead == "":
		record, version, err := l.readSessions(ctx, key, subject)
		return facts{record: record, epoch: grant.Epoch}, version, err
	}
	return facts{}, 0, nil
}
