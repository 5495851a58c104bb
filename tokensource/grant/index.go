package grant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

// A grant may need work that no caller asks for: a revocation to repeat, or a
// tombstone to delete (G20). The index of due work names such grants. It is 256
// records, each with a part of the grants of all clients. Every process looks
// at one record per Options.DueInterval, in turn, and begins at a place of its
// own.
const (
	dueBatch = 16 // records that one look works on
	dueTries = 5  // writes of one part that other processes may overtake
	dueLooks = 8  // looks at once: a server that hangs must not stop the work for the others

	// dueGrace is the least time from the writing of an entry to the work on it.
	// The entry is written before the grant. Without this time, another process
	// could find nothing due in the grant and remove the entry before the grant is
	// written. It is longer than the skew of two clocks. The time of two calls of
	// the store is added to it.
	dueGrace = 2 * time.Minute

	duePause = time.Hour // before the next look at a grant that cannot be read

	// dueSlow is how long the work on one entry may take before the look passes
	// over the other entries of the same client.
	dueSlow = 2 * time.Second

	// dueForgotten is how long an entry stays that no process works on: none of
	// them has its client any more. The grant stays stored.
	dueForgotten = 30 * 24 * time.Hour

	// dueIndexes is how many indexes one store can have. Apps that cannot read
	// each other's records, because they seal them with different keys, have an
	// index each.
	dueIndexes = 16
)

// workOff looks at the parts of the index in turn, until l ends.
func (c *common) workOff(l *lifetime) {
	ctx, cancel := l.untilClose()
	defer cancel()
	first := jitter(c.name, "due", 0) % due.Parts
	looks := make(pacing.Gate, dueLooks)
	for n := uint64(1); l.sleep(ctx, pacing.Spread(c.dueInterval, jitter(c.name, "due", n))) && looks.Enter(ctx); n++ {
		ended := make(chan struct{})
		l.work.Go(func() {
			defer close(ended)
			defer looks.Leave()
			c.look(ctx, (first+n)%due.Parts)
		})
		wait, enough := context.WithTimeout(ctx, c.dueInterval)
		select {
		case <-ended:
		case <-wait.Done():
		}
		enough()
		c.cache.Tidy()
	}
}

// look works on the grants of one part of the index that are due, and notes in
// the index when they are due again. If the store fails, the entries stay and
// another look follows.
func (c *common) look(ctx context.Context, part uint64) {
	name, err := c.partName(ctx, part)
	if err != nil {
		return
	}
	list, version, err := c.readPart(ctx, name)
	if err != nil {
		return
	}
	now := c.clock.Wall()
	done := c.workOnAll(ctx, list, now)
	for range dueTries {
		next, forgotten := list.After(done).Without(c.knows, now.Add(-dueForgotten))
		if len(done) == 0 && !forgotten {
			return
		}
		if _, err := c.store.Put(ctx, name, due.Encode(next), version); !errors.Is(err, storage.ErrConflict) {
			return
		}
		if list, version, err = c.readPart(ctx, name); err != nil {
			return
		}
	}
}

// workOnAll works on the entries of a part that are due. A client whose server
// is slow has its turn again at the next look (G17).
func (c *common) workOnAll(ctx context.Context, list due.Part, now time.Time) (done []due.Done) {
	var slow []due.Owner
	for _, e := range list {
		if len(done) == dueBatch || ctx.Err() != nil {
			break
		}
		if e.At.After(now) || slices.Contains(slow, e.Owner) {
			continue
		}
		began := c.clock.Mono()
		if again, ok := c.workOn(ctx, e); ok {
			done = append(done, due.Done{Entry: e, Again: again})
		}
		if c.clock.Mono()-began > dueSlow {
			slow = append(slow, e.Owner)
		}
	}
	return done
}

// workOn works on one entry of the index. It returns when the entry is due
// again. It returns false if nothing was done: another operation works on the
// grant, or this process has no Keeper or no worker for such an entry, and
// leaves it to the others.
func (c *common) workOn(ctx context.Context, e due.Entry) (again time.Time, done bool) {
	for _, k := range c.keepers(e.Owner) {
		if !k.begin() {
			continue
		}
		again, done = k.workOn(ctx, e.Key)
		k.work.Done()
		if done || strings.HasPrefix(e.Key, grantPrefix) { // every Keeper of the client can work on it
			break
		}
	}
	return again, done
}

// workOn works on a record of this client. Close waits for it.
func (k *Keeper) workOn(ctx context.Context, key string) (again time.Time, done bool) {
	if strings.HasPrefix(key, grantPrefix) {
		if !k.grants.beginChore(key, k.clock.Mono()) {
			return time.Time{}, false
		}
		return k.again(k.chore(key, "")), true
	}
	ctx, cancel := k.untilCloseOr(ctx)
	defer cancel()
	for _, w := range k.hooks.list() {
		if !strings.HasPrefix(key, w.prefix) {
			continue
		}
		if again, mine := w.work(ctx, key); mine {
			return again, true
		}
	}
	return time.Time{}, false
}

// again returns when to look at a grant again after its background writer has
// ended.
func (k *Keeper) again(at time.Time, err error) time.Time {
	e, ok := errors.AsType[*tokensource.Error](err)
	switch {
	case ok && e.Op == "load" && e.Kind == nil: // nobody can read it
		return k.clock.Wall().Add(duePause)
	case err != nil:
		return k.clock.Wall()
	}
	return at
}

// enlist enters a grant into the index, before the grant is written. The error
// means that it may not be written.
//
// A grant whose part nobody can read gets no entry, as in a part that is full.
// Its work is in the record, and is done when the grant is used. Otherwise one
// bad part would stop every logout of its users.
func (k *Keeper) enlist(ctx context.Context, key string, at time.Time) error {
	name, err := k.partName(ctx, due.Of(key))
	if err != nil {
		return err
	}
	for range dueTries {
		list, version, err := k.readPart(ctx, name)
		if unusable(err) {
			return nil
		}
		if err != nil {
			return err
		}
		next, changed := list.With(due.Entry{Key: key, Owner: k.id, At: at}, k.clock.Wall().Add(dueGrace+2*k.o.StoreTimeout))
		if !changed {
			return nil
		}
		_, err = k.store.Put(ctx, name, due.Encode(next), version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return errors.New("grant: other processes write to the index of due work all the time")
}

// unusable reports whether err is that of a record that another attempt cannot
// read either: its key is gone, it is damaged, or a later version wrote it.
func unusable(err error) bool {
	return errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, due.ErrLater)
}

// partName returns the storage key of a part. Apps that seal their records with
// different keys can share a store. Each of them uses the first index whose
// names it can make.
func (c *common) partName(ctx context.Context, part uint64) (name string, err error) {
	for n := c.index.Load(); n < dueIndexes; n++ {
		name, err = c.store.Name(ctx, fmt.Sprintf("due.%02x.", part), fmt.Sprintf("index of due work %d", n))
		if !unusable(err) {
			c.index.Store(n)
			return name, err
		}
	}
	return "", err
}

// readPart reads a part of the index. A part that is damaged counts as empty:
// otherwise no logout could be stored.
func (c *common) readPart(ctx context.Context, name string) (due.Part, storage.Version, error) {
	stored, err := c.store.Get(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	list, err := due.Decode(stored.Value())
	return list, stored.Version, err
}
