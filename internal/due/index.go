package due

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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
	readsOpen = 16 // reads at once of one caller who asks for all parts; it divides Parts
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
	r, err := x.read(ctx, part)
	if err != nil {
		return
	}
	now := x.Clock.Wall()
	done := x.workOff(ctx, r.list, now)
	for range tries {
		next, old := r.list.After(done).Without(x.Knows, now.Add(-forgotten))
		if len(done) == 0 && !old {
			return
		}
		if err := x.write(ctx, r, next); !errors.Is(err, storage.ErrConflict) {
			return
		}
		if r, err = x.read(ctx, part); err != nil {
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
	for range tries {
		r, err := x.read(ctx, Of(e.Key))
		if unusable(err) {
			return nil
		}
		if err != nil {
			return err
		}
		next, changed := r.list.With(e, x.Clock.Wall().Add(Grace+2*x.Store.Timeout))
		if !changed {
			return nil
		}
		if err := x.write(ctx, r, next); !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return errors.New("grant: other processes write to the index of due work all the time")
}

// Keys returns the keys of an owner that begin with prefix. It reads all parts,
// sixteen at a time.
//
// A part that is damaged, or whose key is gone, has no keys: no process works
// on what it names. Otherwise one bad part would stop every caller. A part of a
// later version is an error, because newer processes work on it.
func (x *Index) Keys(ctx context.Context, of Owner, prefix string) ([]string, error) {
	var keys []string
	for first := uint64(0); first < Parts; first += readsOpen {
		var parts [readsOpen]stored
		var errs [readsOpen]error
		var reads sync.WaitGroup
		for i := range uint64(readsOpen) {
			reads.Go(func() { parts[i], errs[i] = x.read(ctx, first+i) })
		}
		reads.Wait()
		for i, err := range errs {
			if err != nil && (!unusable(err) || errors.Is(err, ErrLater)) {
				return nil, err
			}
			for _, e := range parts[i].list {
				if e.Owner == of && strings.HasPrefix(e.Key, prefix) {
					keys = append(keys, e.Key)
				}
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

// stored is a part as it was read.
type stored struct {
	name    string // the storage key
	list    Part
	version storage.Version // zero: there is none
}

// PartName returns the storage key of a part of the index with a number.
func PartName(part uint64, number int) string { return fmt.Sprintf("due.%02x.%d", part, number) }

// read reads a part: in the first index in which this process can open it. A
// part that is damaged counts as empty: otherwise no logout could be stored.
func (x *Index) read(ctx context.Context, part uint64) (stored, error) {
	var err error
	for number := range indexes {
		name := PartName(part, number)
		var r storage.Record
		r, err = x.Store.Get(ctx, name)
		switch {
		case errors.Is(err, seal.ErrUnsealed): // of another app
			continue
		case errors.Is(err, storage.ErrNotFound):
			return stored{name: name}, nil
		case err != nil:
			return stored{}, err
		}
		list, err := Decode(r.Value())
		return stored{name, list, r.Version}, err
	}
	return stored{}, err
}

// write replaces a part that was read.
func (x *Index) write(ctx context.Context, r stored, next Part) error {
	_, err := x.Store.Put(ctx, r.name, Encode(next), r.version)
	return err
}
