package grant

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/flight"
	"github.com/authtrip/authtrip/storage"
)

// Upkeep returns what package middleware needs of a Keeper besides its public
// methods: work in the background that Close waits for, notifications of the
// store, and entries of its own in the index of due work. Its result type has
// no name, because programs do not need it.
func (k *Keeper) Upkeep() upkeep { return upkeep{k} }

// upkeep is a Keeper as package middleware sees it.
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
func (u upkeep) Enlist(ctx context.Context, key string, due time.Time) error {
	return u.k.enlist(ctx, key, due)
}

// Enlisted returns the keys in the index of due work that begin with prefix. It
// reads all parts of the index.
func (u upkeep) Enlisted(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for part := range uint64(dueParts) {
		name, err := u.k.partName(ctx, part)
		if err != nil {
			return nil, err
		}
		list, _, err := u.k.readPart(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if strings.HasPrefix(e.key, prefix) {
				keys = append(keys, e.key)
			}
		}
	}
	return keys, nil
}

// Epoch returns the epoch of a subject's grant if this process knows that the
// grant is alive and has no reason to ask the store. It makes no call.
func (u upkeep) Epoch(subject string) (string, bool) {
	s := u.k.cache.Load(subject)
	if s == nil {
		return "", false
	}
	e := s.Entry()
	if e.Record == nil || e.Record.Over != "" || e.Recheck.Passed(u.k.cache.Now()) {
		return "", false
	}
	return e.Record.Epoch, true
}

// Read returns the facts of a subject's grant as the store has them now. Unlike
// [Keeper.Grant], it fails if the store fails.
func (u upkeep) Read(ctx context.Context, subject string) (Grant, error) {
	if err := checkSubject(subject); err != nil {
		return Grant{}, err
	}
	s, err := flight.Wait[*snapshot](ctx, u.k.reload(ctx, subject))
	if err != nil {
		return Grant{}, err
	}
	return facts(s.Entry().Record), nil
}

// Recheck returns how old the knowledge of a grant may be.
func (u upkeep) Recheck() time.Duration { return u.k.o.Recheck }

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
