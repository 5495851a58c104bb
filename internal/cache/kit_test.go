package cache_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/cache"
	"github.com/authtrip/authtrip/internal/clock"
)

// record stands for the engine's record. Records with a serial show their
// order.
type record struct {
	subject string
	serial  int
}

func newer(a, b *record) bool { return a.serial > b.serial && b.serial > 0 }

// clocks are two clocks that a test moves.
type clocks struct{ now cache.Moment }

func (c *clocks) sleep(d time.Duration) { c.now = c.now.Add(d) }

func (c *clocks) read() (time.Time, time.Duration) { return time.Unix(0, c.now.Wall), c.now.Mono }

// world is a cache with clocks of its own.
type world struct {
	*cache.Cache[record]
	clock clocks
}

func newWorld(limit int) *world {
	w := &world{clock: clocks{cache.Moment{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()}}}
	w.Cache = cache.New(cache.Options[record]{
		Limit: limit, Idle: 10 * time.Minute, Clock: clock.New(w.clock.read), Newer: newer,
	})
	return w
}

// entry returns what the store holds of a subject at a version: a token that
// lives for an hour, to be read again after half a minute.
func (w *world) entry(subject string, version uint64) cache.Entry[record] {
	token := fmt.Sprintf("%s@%d", subject, version)
	return cache.Entry[record]{
		Token: &oauth2.Token{AccessToken: token}, Header: "Bearer " + token, Record: &record{subject: subject}, Version: version,
		Recheck: w.Now().Add(30 * time.Second), Refresh: w.Now().Add(50 * time.Minute), Expiry: w.Now().Add(time.Hour),
	}
}

// over returns e as the outcome of a write that replaced a version, and the
// token there.
func over(version uint64, e cache.Entry[record]) cache.Entry[record] {
	e.Over, e.Changed = version, true
	return e
}

func (w *world) begin(subject string) *cache.Op[record] { return w.Begin(key(subject), subject) }

// read publishes what the store holds, by a read during which nothing else
// happens.
func (w *world) read(subject string, version uint64) *cache.Snapshot[record] {
	return w.begin(subject).Publish(w.entry(subject, version))
}

func key(subject string) string { return "key of " + subject }

// token returns the text of s's token, or "none".
func token(s *cache.Snapshot[record]) string {
	if s == nil || s.Token == nil {
		return "none"
	}
	return s.Token.AccessToken
}

// sees fails the test unless Fresh and FreshAt return the token fresh for the
// subject, and Load returns the token known.
func (w *world) sees(t *testing.T, subject, fresh, known string) {
	t.Helper()
	if got := token(w.Fresh(subject)); got != fresh {
		t.Errorf("Fresh(%.20q) = %s, want %s", subject, got, fresh)
	}
	if got := token(w.FreshAt(w.Place(key(subject), subject))); got != fresh {
		t.Errorf("FreshAt(Place(%.20q)) = %s, want %s", subject, got, fresh)
	}
	if got := token(w.Load(subject)); got != known {
		t.Errorf("Load(%.20q) = %s, want %s", subject, got, known)
	}
}
