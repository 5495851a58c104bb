package grant

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/storage"
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
	if len(t.grants) == 0 {
		t.grants, t.kept = nil, 0 // an empty map keeps its memory
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
	k.life.Go(func() { _, _ = k.chore(key, subject) }) // called from work that Close waits for
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
		if k.grants.endChore(key, k.clock.Mono(), err != nil && k.life.Closed()) {
			return out.Due, err
		}
	}
}

// unreadPause is the pause before the next look at a grant that nobody can
// read.
const unreadPause = time.Hour

// workOn works on a record of this client. Close waits for it.
func (k *Keeper) workOn(ctx context.Context, key string) (again time.Time, done bool) {
	if strings.HasPrefix(key, grantPrefix) {
		if !k.grants.beginChore(key, k.clock.Mono()) {
			return time.Time{}, false
		}
		return k.again(k.chore(key, "")), true
	}
	ctx, cancel := k.life.Until(ctx)
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
		return k.clock.Wall().Add(unreadPause)
	case err != nil:
		return k.clock.Wall()
	}
	return at
}

// enlistInTime enters the grant into the index of due work. It returns an error
// if the process was stopped or suspended meanwhile, by either clock (G18): the
// entry may be due by now, and another process removes it because the grant
// has nothing due yet. The grant must not be written then (G20).
func (r *run) enlistInTime(ctx context.Context, at time.Time) error {
	begun := r.now()
	if err := r.due.Enlist(ctx, due.Entry{Key: r.key, Owner: r.id, At: at}); err != nil {
		return err
	}
	const limit = due.Grace - clockSkew
	now := r.now()
	if now.Wall.Sub(begun.Wall) > limit || now.Mono-begun.Mono > limit {
		return errors.New("grant: the process was stopped after it entered the grant into the index of due work")
	}
	return nil
}

// upkeep is what package middleware needs of a Keeper besides its public
// methods: work in the background that Close waits for, notifications of the
// store, and entries of its own in the index of due work. It comes with
// [Keeper.ReadyFor], so that programs do not have to look at it.
type upkeep struct{ k *Keeper }

// hooks are the workers that package middleware has registered. Its zero value
// is ready.
type hooks struct {
	mu      sync.Mutex // guards workers; never held while calling out
	workers []worker
}

// list returns the workers.
func (h *hooks) list() []worker {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.workers)
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
	if !u.k.life.Begin() {
		return false
	}
	go func() {
		defer u.k.life.End()
		ctx, cancel := u.k.life.Until(context.Background())
		defer cancel()
		work(ctx)
	}()
	return true
}

// OnClose makes Close call f. It returns false after Close was called.
func (u upkeep) OnClose(f func()) bool { return u.k.life.OnStop(f) }

// Watch calls f with each change of which the store notifies, if the key of the
// record begins with prefix. The zero Change means that any record may have
// changed. The function must return quickly, and must not call Watch.
func (u upkeep) Watch(prefix string, f func(storage.Change)) {
	u.k.addWatcher(u.k, watcher{u.k.engine, prefix, f})
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
	return u.k.due.Enlist(ctx, due.Entry{Key: key, Owner: u.k.id, At: at})
}

// Enlisted returns the keys of this client in the index of due work that begin
// with prefix. It reads all parts of the index.
func (u upkeep) Enlisted(ctx context.Context, prefix string) ([]string, error) {
	return u.k.due.Keys(ctx, u.k.id, prefix)
}
