package due

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/gate"
	"github.com/authtrip/authtrip/internal/lifetime"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

const (
	// Grace is the least time from the writing of an entry to the work on it. The
	// entry is written before the record. Without this time, another process could
	// find nothing due in the record and remove the entry before the record is
	// written. It is longer than the skew of two clocks. The time of two calls of
	// the store is added to it.
	Grace = 2 * time.Minute

	batch     = 16 // records that one look works on
	looksOpen = 8  // looks at once: a server that hangs must not stop the work for the others
	tries     = 5  // writes of one part that other processes may overtake

	// slow is how long the work on one entry may take before the look passes over
	// the other entries of the same client.
	slow = 2 * time.Second

	// forgotten is how long an entry stays that no process works on: none of them
	// has its client any more. The record stays stored.
	forgotten = 30 * 24 * time.Hour

	// indexes is how many indexes one store can have. Apps that cannot read each
	// other's records, because they seal them with different keys, have an index
	// each.
	indexes = 16
)

// Index is the index of due work in a store. It is [Parts] records, each with a
// part of the entries. Every process looks at one of them per interval, in
// turn, and begins at a place of its own. Its exported fields never change.
type Index struct {
	Store    *timed.Store
	Clock    *clock.Clock
	Interval time.Duration // the pause between two looks

	// Jitter spreads the looks. It returns the same number for the same n.
	Jitter func(n uint64) uint64

	// Work works on an entry, and returns when it is due again. The zero time
	// means never. False means that nothing was done: the entry is left to other
	// processes, or to a later look.
	Work func(context.Context, Entry) (again time.Time, done bool)

	// Knows reports whether this process has a client.
	Knows func(Owner) bool

	number atomic.Int32 // of the first index whose names this process can make
}

// Run looks at the parts of the index in turn, until l ends. After each look it
// calls looked.
func (x *Index) Run(l *lifetime.Lifetime, looked func()) {
	ctx, cancel := l.Until(context.Background())
	defer cancel()
	first := x.Jitter(0) % Parts
	open := make(gate.Gate, looksOpen)
	for n := uint64(1); l.Sleep(ctx, pacing.Spread(x.Interval, x.Jitter(n))) && open.Enter(ctx); n++ {
		ended := make(chan struct{})
		l.Go(func() {
			defer close(ended)
			defer open.Leave()
			x.look(ctx, (first+n)%Parts)
		})
		wait, enough := context.WithTimeout(ctx, x.Interval)
		select {
		case <-ended:
		case <-wait.Done():
		}
		enough()
		looked()
	}
}

// look works on the entries of one part that are due, and notes in the index
// when they are due again. If the store fails, the entries stay and another
// look follows.
func (x *Index) look(ctx context.Context, part uint64) {
	name, err := x.PartName(ctx, part)
	if err != nil {
		return
	}
	list, version, err := x.read(ctx, name)
	if err != nil {
		return
	}
	now := x.Clock.Wall()
	done := x.workOff(ctx, list, now)
	for range tries {
		next, old := list.After(done).Without(x.Knows, now.Add(-forgotten))
		if len(done) == 0 && !old {
			return
		}
		if _, err := x.Store.Put(ctx, name, Encode(next), version); !errors.Is(err, storage.ErrConflict) {
			return
		}
		if list, version, err = x.read(ctx, name); err != nil {
			return
		}
	}
}

// workOff works on the entries of a part that are due. A client whose server is
// slow has its turn again at the next look (G17).
func (x *Index) workOff(ctx context.Context, list Part, now time.Time) (done []Done) {
	var late []Owner
	for _, e := range list {
		if len(done) == batch || ctx.Err() != nil {
			break
		}
		if e.At.After(now) || slices.Contains(late, e.Owner) {
			continue
		}
		began := x.Clock.Mono()
		if again, ok := x.Work(ctx, e); ok {
			done = append(done, Done{Entry: e, Again: again})
		}
		if x.Clock.Mono()-began > slow {
			late = append(late, e.Owner)
		}
	}
	return done
}

// Enlist enters a record into the index, before the record is written. The
// error means that it may not be written.
//
// A record whose part nobody can read gets no entry, as in a part that is full.
// Its work is in the record, and is done when the record is used. Otherwise one
// bad part would stop every logout of its users.
func (x *Index) Enlist(ctx context.Context, e Entry) error {
	name, err := x.PartName(ctx, Of(e.Key))
	if err != nil {
		return err
	}
	for range tries {
		list, version, err := x.read(ctx, name)
		if unusable(err) {
			return nil
		}
		if err != nil {
			return err
		}
		next, changed := list.With(e, x.Clock.Wall().Add(Grace+2*x.Store.Timeout))
		if !changed {
			return nil
		}
		_, err = x.Store.Put(ctx, name, Encode(next), version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return errors.New("grant: other processes write to the index of due work all the time")
}

// Keys returns the keys of an owner that begin with prefix. It reads all parts.
func (x *Index) Keys(ctx context.Context, of Owner, prefix string) ([]string, error) {
	var keys []string
	for part := range uint64(Parts) {
		name, err := x.PartName(ctx, part)
		if err != nil {
			return nil, err
		}
		list, _, err := x.read(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Owner == of && strings.HasPrefix(e.Key, prefix) {
				keys = append(keys, e.Key)
			}
		}
	}
	return keys, nil
}

// unusable reports whether err is that of a record that another attempt cannot
// read either: its key is gone, it is damaged, or a later version wrote it.
func unusable(err error) bool {
	return errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrLater)
}

// PartName returns the storage key of a part. Apps that seal their records with
// different keys can share a store. Each of them uses the first index whose
// names it can make.
func (x *Index) PartName(ctx context.Context, part uint64) (name string, err error) {
	for n := x.number.Load(); n < indexes; n++ {
		name, err = x.Store.Name(ctx, fmt.Sprintf("due.%02x.", part), fmt.Sprintf("index of due work %d", n))
		if !unusable(err) {
			x.number.Store(n)
			return name, err
		}
	}
	return "", err
}

// read reads a part. A part that is damaged counts as empty: otherwise no
// logout could be stored.
func (x *Index) read(ctx context.Context, name string) (Part, storage.Version, error) {
	stored, err := x.Store.Get(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	list, err := Decode(stored.Value())
	return list, stored.Version, err
}
