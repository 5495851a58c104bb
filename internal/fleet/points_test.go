//go:build linux

package fleet_test

import (
	"context"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// The points at which a process can be made to wait. All but the first are
// points of a refresh, in their order.
const (
	waiting     = "waiting"      // the record was read for the third time: another process refreshes
	announced   = "announced"    // the intent is written, and nothing was sent
	requested   = "requested"    // the request is sent, and its answer does not arrive
	sent        = "sent"         // the server has redeemed the refresh token; its answer is here, unread
	answered    = "answered"     // the answer was read to its end
	beforeWrite = "before-write" // the new tokens are about to be written
	afterWrite  = "after-write"  // the new tokens are written, and no caller has seen them
)

// refreshPoints are the points of a refresh, in their order.
var refreshPoints = []string{announced, requested, sent, answered, beforeWrite, afterWrite}

// unstored reports whether a process at a point may have caused the server to
// redeem the refresh token, and has not stored the new one.
func unstored(point string) bool { return point != announced && point != afterWrite }

// points makes the work for a subject wait at a point until the test releases
// it. A nil *points does nothing. It is safe for concurrent use.
type points struct {
	say      func(message)
	released chan struct{}

	mu       sync.Mutex        // guards what follows; not held while anything waits
	armed    map[string]string // point by subject
	answered map[string]bool   // subjects with an answer that was not written
	reads    map[string]int    // by subject
}

type userKey struct{}

// withUser returns a context whose work the points recognize by its user.
func withUser(ctx context.Context, subject string) context.Context {
	return context.WithValue(ctx, userKey{}, subject)
}

func userOf(ctx context.Context) string {
	subject, _ := ctx.Value(userKey{}).(string)
	return subject
}

func newPoints(say func(message)) *points {
	return &points{
		say: say, released: make(chan struct{}),
		armed: map[string]string{}, answered: map[string]bool{}, reads: map[string]int{},
	}
}

// arm makes the work for subject wait when it next reaches point.
func (p *points) arm(subject, point string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed[subject] = point
}

// release ends all waits, now and later. It may be called once.
func (p *points) release() { close(p.released) }

// reach is called at every point.
func (p *points) reach(ctx context.Context, point string) {
	if p == nil {
		return
	}
	subject := userOf(ctx)
	p.mu.Lock()
	here := p.armed[subject] == point
	if here {
		delete(p.armed, subject)
	}
	p.mu.Unlock()
	if here {
		p.say(message{At: point, Subject: subject})
		<-p.released
	}
}

// setAnswered notes whether there is an answer for the subject that was not
// written. It returns what was noted before.
func (p *points) setAnswered(ctx context.Context, is bool) (was bool) {
	if p == nil {
		return false
	}
	subject := userOf(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	was = p.answered[subject]
	p.answered[subject] = is
	return was
}

// countRead counts the reads of a record, and returns their number.
func (p *points) countRead(ctx context.Context) int {
	if p == nil {
		return 0
	}
	subject := userOf(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads[subject]++
	return p.reads[subject]
}

// passing returns a store whose reads and writes pass by p. It still is a
// storage.Watcher if store is one.
func passing(store storage.Store, p *points) storage.Store {
	passes := &passingStore{store, p}
	if w, ok := store.(storage.Watcher); ok {
		return struct {
			storage.Store
			storage.Watcher
		}{passes, w}
	}
	return passes
}

// passingStore is a store whose reads and writes pass by points.
type passingStore struct {
	storage.Store
	points *points
}

func (s *passingStore) Get(ctx context.Context, key string) (storage.Record, error) {
	r, err := s.Store.Get(ctx, key)
	if err == nil && s.points.countRead(ctx) == 3 {
		s.points.reach(ctx, waiting)
	}
	return r, err
}

func (s *passingStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	outcome := s.points.setAnswered(ctx, false) // otherwise this is the intent
	if outcome {
		s.points.reach(ctx, beforeWrite)
	}
	version, err := s.Store.Put(ctx, key, value, old)
	if outcome && err == nil {
		s.points.reach(ctx, afterWrite)
	}
	return version, err
}
