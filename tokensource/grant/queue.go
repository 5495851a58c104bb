package grant

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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
	due := k.rules.Due(r)
	return !due.IsZero() && !k.clock.Wall().Before(due)
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
	dueParts  = 256
	dueFormat = 1
	dueLimit  = 8192 // grants in one part (G10); work on more of them waits until they are used
	dueBatch  = 16   // grants that one look works on
	dueTries  = 5    // writes of one part that other processes may overtake

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
	first := k.jitter("due", 0) % dueParts
	for n := uint64(1); k.sleep(ctx, pacing.Spread(k.o.DueInterval, k.jitter("due", n))); n++ {
		k.workOffPart(ctx, (first+n)%dueParts)
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
	var done []outcome
	now := k.clock.Wall()
	for _, e := range list {
		if len(done) == dueBatch || ctx.Err() != nil || e.at.After(now) {
			continue
		}
		if again, ok := k.workOn(ctx, e.key); ok {
			done = append(done, outcome{e, again})
		}
	}
	for try := 0; len(done) > 0 && try < dueTries; try++ {
		_, err := k.store.Put(ctx, name, encodePart(list.after(done)), version)
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
func (k *Keeper) again(due time.Time, err error) time.Time {
	e, ok := errors.AsType[*tokensource.Error](err)
	switch {
	case ok && e.Op == "load" && e.Kind == nil: // nobody can read it
		return k.clock.Wall().Add(duePause)
	case err != nil:
		return k.clock.Wall()
	}
	return due
}

// enlist enters a grant into the index, before the grant is written. The error
// means that it may not be written.
//
// A grant whose part nobody can read gets no entry, as in a part that is full.
// Its work is in the record, and is done when the grant is used. Otherwise one
// bad part would stop every logout of its users.
func (k *Keeper) enlist(ctx context.Context, key string, due time.Time) error {
	name, err := k.partName(ctx, partOf(key))
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
		next, changed := list.with(key, due, k.clock.Wall().Add(dueGrace+2*k.o.StoreTimeout))
		if !changed {
			return nil
		}
		_, err = k.store.Put(ctx, name, encodePart(next), version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return errors.New("grant: other processes write to the index of due work all the time")
}

// unusable reports whether err is that of a part that another attempt cannot
// read either: its key is gone, it is damaged, or a later version wrote it.
func unusable(err error) bool {
	return errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, errLaterPart)
}

// partName returns the storage key of a part. Two clients that share a store
// have parts of their own.
func (k *Keeper) partName(ctx context.Context, part uint64) (string, error) {
	p := k.client.Provider()
	return k.store.Name(ctx, fmt.Sprintf("due.%02x.", part), ownerOf(p.Authority(), k.client.ClientID()))
}

// readPart reads a part of the index. A part that is damaged counts as empty:
// otherwise no logout could be stored.
func (k *Keeper) readPart(ctx context.Context, name string) (duePart, storage.Version, error) {
	stored, err := k.store.Get(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	list, err := decodePart(stored.Value())
	return list, stored.Version, err
}

// dueEntry says when a grant has something due.
type dueEntry struct {
	key string
	at  time.Time
}

// duePart is one part of the index, in the order of the keys.
type duePart []dueEntry

// outcome is a worked off entry, and when it is due again.
type outcome struct {
	entry dueEntry
	again time.Time // zero means never
}

// partOf returns the part that a grant belongs to.
func partOf(key string) uint64 {
	h := uint64(0)
	for _, c := range []byte(key) {
		h = (h ^ uint64(c)) * 1099511628211 // FNV-1a
	}
	return h >> 32 % dueParts
}

func (p duePart) find(key string) (int, bool) {
	return slices.BinarySearchFunc(p, key, func(e dueEntry, key string) int { return strings.Compare(e.key, key) })
}

// with returns the part after a grant was entered that is due at a time, but
// not before earliest. It returns false if nothing changes.
func (p duePart) with(key string, due, earliest time.Time) (duePart, bool) {
	i, found := p.find(key)
	if found && p[i].at.Before(due) {
		due = p[i].at
	}
	if due.Before(earliest) {
		due = earliest
	}
	due = due.Truncate(time.Second)
	switch {
	case found && p[i].at.Equal(due), !found && len(p) >= dueLimit:
		return p, false
	case found:
		next := slices.Clone(p)
		next[i].at = due
		return next, true
	}
	return slices.Insert(slices.Clone(p), i, dueEntry{key, due}), true
}

// after returns the part after entries were worked off. An entry that another
// process has changed meanwhile stays.
func (p duePart) after(done []outcome) duePart {
	next := slices.Clone(p)
	for _, o := range done {
		i, found := next.find(o.entry.key)
		switch {
		case !found || !next[i].at.Equal(o.entry.at):
		case o.again.IsZero():
			next = slices.Delete(next, i, i+1)
		default:
			next[i].at = o.again.Truncate(time.Second)
		}
	}
	return next
}

// encodePart returns a part as bytes: the format, and for each entry the length
// of the key, the key, and the time in seconds since 1970.
func encodePart(p duePart) []byte {
	b := []byte{dueFormat}
	for _, e := range p {
		b = binary.AppendUvarint(b, uint64(len(e.key)))
		b = append(b, e.key...)
		b = binary.AppendVarint(b, e.at.Unix())
	}
	return b
}

// errLaterPart is the error of a part in another format.
var errLaterPart = errors.New("grant: a later version wrote this part of the index of due work: upgrade this one")

// decodePart is the inverse of encodePart. A part that is damaged counts as
// empty. A format of a later version is an error, so that it is not
// overwritten.
func decodePart(b []byte) (duePart, error) {
	if len(b) > 0 && b[0] != dueFormat {
		return nil, fmt.Errorf("%w (format %d, expected %d)", errLaterPart, b[0], dueFormat)
	}
	var p duePart
	for b = b[min(1, len(b)):]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, nil
		}
		key := string(b[n : n+int(size)]) //nolint:gosec // at most len(b)
		b = b[n+int(size):]               //nolint:gosec // at most len(b)
		at, n := binary.Varint(b)
		if n <= 0 || len(p) > 0 && p[len(p)-1].key >= key {
			return nil, nil
		}
		b = b[n:]
		p = append(p, dueEntry{key, time.Unix(at, 0)})
	}
	return p, nil
}
