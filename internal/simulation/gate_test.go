package simulation_test

import (
	"context"
	"errors"
	"strings"

	"github.com/authtrip/authtrip/storage"
)

// dueIndex stands for all keys of the index of due work.
const dueIndex = "due"

// gated is the way of a process to the store: the network with its faults, and
// behind it the gate of a process that can be stopped.
type gated struct {
	p     *process
	inner storage.Store
}

func (g gated) Get(ctx context.Context, key string) (storage.Record, error) {
	c, err := g.p.begin(ctx, "get", key)
	if err != nil {
		return storage.Record{}, err
	}
	r, err := g.inner.Get(ctx, key)
	g.p.run.judge.read(g.p, key, r, err)
	return r, g.end(c, err)
}

func (g gated) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	g.p.run.judge.writes(g.p, key)
	c, err := g.p.begin(ctx, "put", key)
	if err != nil { // for example, it was stopped for longer than it may take
		g.p.run.judge.wrote(g.p, key, value, err)
		return 0, err
	}
	version, err := g.inner.Put(ctx, key, value, old)
	g.p.run.judge.wrote(g.p, key, value, err)
	return version, g.end(c, err)
}

func (g gated) Delete(ctx context.Context, key string, old storage.Version) error {
	c, err := g.p.begin(ctx, "delete", key)
	if err != nil {
		return err
	}
	return g.end(c, g.inner.Delete(ctx, key, old))
}

// Watch passes on what the store says, for a process that runs.
func (g gated) Watch(ctx context.Context, changed func(storage.Change)) error {
	w, ok := g.inner.(storage.Watcher)
	if !ok {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return w.Watch(ctx, func(c storage.Change) {
		if g.p.is("runs") {
			changed(c)
			g.p.run.judge.notified(g.p, c)
		}
	})
}

func (g gated) end(c chance, err error) error {
	if passed := g.p.pass(c.of("answer")); passed != nil {
		return passed
	}
	return err
}

// begin is the moment before an operation: here a process crashes or stops.
func (p *process) begin(ctx context.Context, kind, key string) (chance, error) {
	c := p.chance.of(kind, key).nth(p.next(kind + key))
	p.run.maybeEnd(p, c)
	if err := p.pass(c); err != nil {
		return c, err
	}
	return c, ctx.Err()
}

// read is called with what a process has read.
func (j *judge) read(p *process, key string, r storage.Record, err error) {
	if err != nil {
		if !errors.Is(err, storage.ErrNotFound) {
			p.disturb(troubledKey(key), 0)
		}
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if a := j.intents[r.Version]; a != nil && a.p != p && a.seen[p].IsZero() {
		a.see(p)
	}
}

// troubledKey returns the key under which the trouble of an operation counts.
func troubledKey(key string) string {
	if strings.HasPrefix(key, "grant.") {
		return key
	}
	return dueIndex
}
