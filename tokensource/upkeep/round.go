package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// round is the record by which one process at a time works. It is also what is
// known of the work: a process that takes over goes on there.
type round struct {
	Holder string    `json:"holder,omitempty"` // the process that works; empty if none does
	Until  time.Time `json:"until,omitzero"`   // the end of its time, by its own clock
	Done   time.Time `json:"done,omitzero"`    // when the last look at all grants began that has ended
}

const (
	roundPrefix = "upkeep."       // of the storage key
	term        = 5 * time.Minute // how long a process holds the record without renewing it
	renewal     = term / 3        // it renews the record after this time
	reserve     = term / 6        // so long before the end it begins nothing
)

// roundRecord reads the record.
func (c *crew) roundRecord(ctx context.Context) (round, storage.Version, error) {
	key, err := c.roundKey(ctx)
	if err != nil {
		return round{}, 0, err
	}
	stored, err := c.store.Get(ctx, key)
	if err != nil {
		return round{}, 0, err
	}
	var r round
	if err := json.Unmarshal(stored.Value(), &r); err != nil {
		return round{}, stored.Version, nil //nolint:nilerr // a damaged record says nothing, and is written over
	}
	return r, stored.Version, nil
}

func (c *crew) roundKey(ctx context.Context) (string, error) {
	return c.store.Name(ctx, roundPrefix, c.first.issuer+" "+c.first.clientID) // no URL contains a space
}

// turn is what one process knows of the record.
type turn struct {
	*crew
	self string // names this process

	round   round
	version storage.Version
	seen    time.Duration // when this version was seen first, by the monotonic clock
	begun   moment        // when the record was written last by this process; zero if it does not hold it
}

// moment is a time on both clocks.
type moment struct {
	wall time.Time
	mono time.Duration
}

func (t *turn) now() moment {
	wall, mono := t.clock.Now()
	return moment{wall, mono}
}

// since returns the time from m to now, by whichever clock shows more.
func (now moment) since(m moment) time.Duration {
	return max(now.wall.Sub(m.wall), now.mono-m.mono)
}

// holds reports whether this process may begin something: it has the record,
// and enough of its time is left, by both clocks.
func (t *turn) holds() bool {
	return !t.begun.wall.IsZero() && t.now().since(t.begun) < term-reserve
}

// take obtains the record, or renews it if that is time. It reports whether
// this process may work.
func (t *turn) take(ctx context.Context) bool {
	if t.holds() && t.now().since(t.begun) < renewal {
		return true
	}
	if t.begun.wall.IsZero() && !t.free(ctx) {
		return false
	}
	return t.write(ctx, t.self, t.round.Done)
}

// free reads the record, and reports whether no process works. The time of a
// process ends by the wall clock, allowing for the difference of two clocks, or
// when this process has seen one version of the record for as long. With the
// wall clock alone, a clock that is wrong by days would stop all work.
func (t *turn) free(ctx context.Context) bool {
	r, version, err := t.roundRecord(ctx)
	now := t.now()
	switch {
	case errors.Is(err, storage.ErrNotFound):
		version = 0
	case err != nil:
		return false
	}
	if version != t.version || t.seen == 0 {
		t.seen = now.mono
	}
	t.round, t.version = r, version
	return r.Holder == "" || r.Holder == t.self ||
		now.wall.After(r.Until.Add(clockSkew)) || now.mono-t.seen > term+clockSkew
}

// write replaces the record. After a failure this process does not hold it: it
// reads first.
func (t *turn) write(ctx context.Context, holder string, done time.Time) bool {
	key, err := t.roundKey(ctx)
	if err != nil {
		return t.lost()
	}
	now := t.now()
	next := round{Holder: holder, Done: done}
	if holder != "" {
		next.Until = now.wall.Add(term)
	}
	value, err := json.Marshal(next)
	if err != nil {
		return t.lost() // cannot happen: a text and two times
	}
	version, err := t.store.Put(ctx, key, value, t.version)
	if err != nil {
		return t.lost()
	}
	t.round, t.version, t.seen, t.begun = next, version, now.mono, now
	return true
}

// lost forgets that this process holds the record.
func (t *turn) lost() bool {
	t.begun = moment{}
	return false
}

// done notes that all grants were looked at, from the given time on.
func (t *turn) done(ctx context.Context, begun time.Time) {
	if t.holds() {
		t.write(ctx, t.self, begun)
	}
}

// leave lets another process work at once.
func (t *turn) leave(ctx context.Context) {
	if t.holds() && t.write(ctx, "", t.round.Done) {
		t.lost()
	}
}
