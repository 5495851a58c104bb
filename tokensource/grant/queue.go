package grant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// table holds what this process alone knows of its grants, by storage key. Its
// zero value is ready.
type table struct {
	mu     sync.Mutex // guards the rest; never held across I/O
	grants map[string]*local
	kept   int // entries after the last sweep
}

// local is what this process alone knows of one grant.
type local struct {
	lease.Local
	users int  // operations under way
	chore bool // one of them is the background writer
}

// idle reports whether the process may forget l. It remembers an intent that it
// has seen for ten minutes, which is longer than an intent lives by default.
// What it forgets costs time only.
func (l *local) idle(now time.Duration) bool {
	const watched = 10 * time.Minute
	return l.users == 0 && l.Pending == nil && l.Undo == nil && (l.Watch.ID == "" || now-l.Watch.First > watched)
}

// enter counts an operation. Its end must call exit.
func (t *table) enter(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(key)
}

// exit ends an operation.
func (t *table) exit(key string, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(key, now)
}

func (t *table) add(key string) *local {
	if t.grants == nil {
		t.grants = map[string]*local{}
	}
	g := t.grants[key]
	if g == nil {
		g = new(local)
		t.grants[key] = g
	}
	g.users++
	return g
}

// remove ends one use of an entry, and forgets what is idle (G10).
func (t *table) remove(key string, now time.Duration) {
	const few = 1024
	g := t.grants[key]
	g.users--
	if g.idle(now) {
		delete(t.grants, key)
	}
	if len(t.grants) > 2*t.kept+few {
		maps.DeleteFunc(t.grants, func(_ string, g *local) bool { return g.idle(now) })
		t.kept = len(t.grants)
	}
}

// step calls Step of an operation that has entered.
func (t *table) step(key string, op operation, rules lease.Rules, ev lease.Event) lease.Effect {
	t.mu.Lock()
	defer t.mu.Unlock()
	return op.Step(rules, &t.grants[key].Local, ev)
}

// unsaved returns the grant with tokens that the store has not taken yet, or
// nil.
func (t *table) unsaved(key string) *lease.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.grants[key]; g != nil {
		return g.Unsaved()
	}
	return nil
}

// claims reports whether a change of the grant is still to be written.
func (t *table) claims(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.grants[key]
	return g != nil && (g.Pending != nil || g.Undo != nil)
}

// beginChore counts the background writer of a grant. It returns false if the
// grant has one already.
func (t *table) beginChore(key string, now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.add(key)
	if g.chore {
		t.remove(key, now)
		return false
	}
	g.chore = true
	return true
}

// endChore ends the background writer of a grant, and returns true. It returns
// false if the writer must go on, because a change has come meanwhile.
func (t *table) endChore(key string, now time.Duration, last bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.grants[key]
	if !last && (g.Pending != nil || g.Undo != nil) {
		return false
	}
	g.chore = false
	t.remove(key, now)
	return true
}

// unwritten counts the grants whose tokens, and those whose withdrawn intents,
// the store has not taken.
func (t *table) unwritten() (unsaved, intents int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.grants {
		if g.Pending != nil {
			unsaved++
		}
		if g.Undo != nil {
			intents++
		}
	}
	return unsaved, intents
}

// pending returns the storage keys of the grants whose tokens the store has not
// taken.
func (t *table) pending() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []string
	for key, g := range t.grants {
		if g.Pending != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// tend starts the background writer of a grant if a claim is to be written or
// the record has something due.
func (k *Keeper) tend(key, subject string, r *lease.Record) {
	if !k.grants.claims(key) && !k.overdue(r) || !k.grants.beginChore(key, k.clock.Mono()) {
		return
	}
	k.work.Go(func() { _, _ = k.chore(key, subject) }) // called from work that Close waits for
}

// overdue reports whether a record, which may be nil, has something due.
func (k *Keeper) overdue(r *lease.Record) bool {
	at := k.rules.Due(r)
	return !at.IsZero() && !k.clock.Wall().Before(at)
}

// chore runs the background writer of a grant after beginChore. It returns when
// the grant has something due again. The zero time means never. Close ends its
// waits, and not its writes.
func (k *Keeper) chore(key, subject string) (time.Time, error) {
	for {
		out, err := k.drive(context.Background(), key, subject, new(lease.Chore))
		if k.grants.endChore(key, k.clock.Mono(), err != nil && k.isClosed()) {
			return out.Due, err
		}
	}
}

// A grant may need work that no caller asks for: a revocation to repeat, or a
// tombstone to delete (G20). The index of due work names such grants. It is 256
// records, each with a part of the grants. Every process looks at one record
// per Options.DueInterval, in turn, and begins at a place of its own.
const (
	dueBatch = 16 // records that one look works on
	dueTries = 5  // writes of one part that other processes may overtake

	// dueGrace is the least time from the writing of an entry to the work on it.
	// The entry is written before the grant. Without this time, another process
	// could find nothing due in the grant and remove the entry before the grant is
	// written. It is longer than the skew of two clocks. The time of two calls of
	// the store is added to it.
	dueGrace = 2 * time.Minute

	duePause = time.Hour // before the next look at a grant that cannot be read
)

// workOff looks at the parts of the index in turn, until Close.
func (k *Keeper) workOff() {
	ctx, cancel := k.untilClose()
	defer cancel()
	first := k.jitter("due", 0) % due.Parts
	for n := uint64(1); k.sleep(ctx, pacing.Spread(k.o.DueInterval, k.jitter("due", n))); n++ {
		k.workOffPart(ctx, (first+n)%due.Parts)
	}
}

// workOffPart works on the grants of one part of the index that are due, and
// notes in the index when they are due again. If the store fails, the entries
// stay and another look follows.
func (k *Keeper) workOffPart(ctx context.Context, part uint64) {
	name, err := k.partName(ctx, part)
	if err != nil {
		return
	}
	list, version, err := k.readPart(ctx, name)
	if err != nil {
		return
	}
	var done []due.Done
	now := k.clock.Wall()
	for _, e := range list {
		if len(done) == dueBatch || ctx.Err() != nil || e.At.After(now) {
			continue
		}
		if again, ok := k.workOn(ctx, e.Key); ok {
			done = append(done, due.Done{Entry: e, Again: again})
		}
	}
	for try := 0; len(done) > 0 && try < dueTries; try++ {
		_, err := k.store.Put(ctx, name, due.Encode(list.After(done)), version)
		if !errors.Is(err, storage.ErrConflict) {
			return
		}
		if list, version, err = k.readPart(ctx, name); err != nil {
			return
		}
	}
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
		next, changed := list.With(key, at, k.clock.Wall().Add(dueGrace+2*k.o.StoreTimeout))
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

// unusable reports whether err is that of a part that another attempt cannot
// read either: its key is gone, it is damaged, or a later version wrote it.
func unusable(err error) bool {
	return errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, due.ErrLater)
}

// partName returns the storage key of a part. Two clients that share a store
// have parts of their own.
func (k *Keeper) partName(ctx context.Context, part uint64) (string, error) {
	p := k.client.Provider()
	return k.store.Name(ctx, fmt.Sprintf("due.%02x.", part), ownerOf(p.Authority(), k.client.ClientID()))
}

// readPart reads a part of the index. A part that is damaged counts as empty:
// otherwise no logout could be stored.
func (k *Keeper) readPart(ctx context.Context, name string) (due.Part, storage.Version, error) {
	stored, err := k.store.Get(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	list, err := due.Decode(stored.Value())
	return list, stored.Version, err
}

// upkeep is what package middleware needs of a Keeper besides its public
// methods: work in the background that Close waits for, notifications of the
// store, and entries of its own in the index of due work. It comes with
// [Keeper.ReadyFor], so that programs do not have to look at it.
type upkeep struct{ k *Keeper }

// hooks are the functions that package middleware has registered. Its zero
// value is ready.
type hooks struct {
	mu       sync.Mutex // guards the rest; never held while calling out
	watchers []func(storage.Change)
	workers  []worker
}

// worker works on the entries of the index of due work whose keys begin with a
// prefix.
type worker struct {
	prefix string
	work   func(ctx context.Context, key string) (again time.Time, mine bool)
}

// Go runs work in the background. The context of work ends when Close is
// called, and Close waits for work. Go returns false after Close.
func (u upkeep) Go(work func(ctx context.Context)) bool {
	if !u.k.begin() {
		return false
	}
	go func() {
		defer u.k.work.Done()
		ctx, cancel := u.k.untilClose()
		defer cancel()
		work(ctx)
	}()
	return true
}

// Watch calls f with each change of which the store notifies. The zero Change
// means that any record may have changed. The function must return quickly.
func (u upkeep) Watch(f func(storage.Change)) {
	h := u.k.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = append(h.watchers, f)
}

// Work calls w with the entries of the index of due work that are due and whose
// keys begin with prefix. It returns when the entry is due again. The zero time
// means never. It returns false if the entry is not its own.
func (u upkeep) Work(prefix string, w func(ctx context.Context, key string) (again time.Time, mine bool)) {
	h := u.k.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	h.workers = append(h.workers, worker{prefix, w})
}

// Enlist enters a record into the index of due work. A crash after Enlist, and
// before the record is written, does no harm: the worker finds no record.
func (u upkeep) Enlist(ctx context.Context, key string, at time.Time) error {
	return u.k.enlist(ctx, key, at)
}

// Enlisted returns the keys in the index of due work that begin with prefix. It
// reads all parts of the index.
func (u upkeep) Enlisted(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for part := range uint64(due.Parts) {
		name, err := u.k.partName(ctx, part)
		if err != nil {
			return nil, err
		}
		list, _, err := u.k.readPart(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if strings.HasPrefix(e.Key, prefix) {
				keys = append(keys, e.Key)
			}
		}
	}
	return keys, nil
}

// notify passes a notification of the store on to package middleware.
func (h *hooks) notify(c storage.Change) {
	h.mu.Lock()
	watchers := h.watchers
	h.mu.Unlock()
	for _, f := range watchers {
		f(c)
	}
}

// workOn works on one entry of the index of due work. It returns when the entry
// is due again. It returns false if nothing was done: another operation works
// on the grant, or this process has no worker for such an entry, and leaves it
// to the others.
func (k *Keeper) workOn(ctx context.Context, key string) (again time.Time, done bool) {
	if strings.HasPrefix(key, grantPrefix) {
		if !k.grants.beginChore(key, k.clock.Mono()) {
			return time.Time{}, false
		}
		return k.again(k.chore(key, "")), true
	}
	k.hooks.mu.Lock()
	workers := k.hooks.workers
	k.hooks.mu.Unlock()
	for _, w := range workers {
		if !strings.HasPrefix(key, w.prefix) {
			continue
		}
		if again, mine := w.work(ctx, key); mine {
			return again, true
		}
	}
	return time.Time{}, false
}
