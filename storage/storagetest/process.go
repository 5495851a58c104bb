package storagetest

import (
	"bytes"
	"context"
	"iter"

	"github.com/authtrip/authtrip/storage"
)

// process is the store as one process reaches it.
type process struct {
	net  *Network
	name string
}

// call sends an operation through the network. act is its effect.
func (p *process) call(ctx context.Context, kind Kind, key string, act func(ctx context.Context, op Op, f Fault) error) error {
	op, fault := p.net.decide(Op{Process: p.name, Kind: kind, Key: key})
	if kind != Put && kind != Delete {
		fault.Late = 0
	}
	return course{
		fault: fault,
		cut:   func() bool { return p.net.isCut(p.name) },
		later: p.net.later,
		act:   func(ctx context.Context) error { return act(ctx, op, fault) },
	}.run(ctx)
}

// Get implements [storage.Store].
func (p *process) Get(ctx context.Context, key string) (storage.Record, error) {
	var r storage.Record
	err := p.call(ctx, Get, key, func(ctx context.Context, _ Op, f Fault) (err error) {
		r, err = p.net.store.Get(ctx, key)
		if err == nil && f.Value != nil {
			r = storage.NewRecord(bytes.Clone(f.Value), r.Version)
		}
		return err
	})
	if err != nil {
		return storage.Record{}, err
	}
	return r, nil
}

// Put implements [storage.Store].
func (p *process) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	var v storage.Version
	value = bytes.Clone(value) // a late effect may come after the caller has changed it
	err := p.call(ctx, Put, key, func(ctx context.Context, op Op, _ Fault) error {
		next, err := p.net.store.Put(ctx, key, value, old)
		if err != nil {
			return err
		}
		p.net.commit(op, storage.NewRecord(bytes.Clone(value), next))
		v = next
		return nil
	})
	if err != nil {
		return 0, err
	}
	return v, nil
}

// Delete implements [storage.Store].
func (p *process) Delete(ctx context.Context, key string, old storage.Version) error {
	return p.call(ctx, Delete, key, func(ctx context.Context, op Op, _ Fault) error {
		err := p.net.store.Delete(ctx, key, old)
		if err == nil {
			p.net.commit(op, storage.Record{})
		}
		return err
	})
}

// Volatile implements [storage.Volatile]. A network is for tests, so it returns
// true whatever store is behind it.
func (p *process) Volatile() bool { return true }

// withKeys adds Keys to a process whose store has it.
type withKeys struct {
	process *process
	store   storage.Lister
}

// Keys implements [storage.Lister].
func (l withKeys) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := l.process.call(ctx, Keys, "", func(context.Context, Op, Fault) error { return nil })
		if err != nil {
			yield("", err)
			return
		}
		l.store.Keys(ctx)(yield)
	}
}

// withWatch adds Watch to a process whose store has it.
type withWatch struct {
	process *process
	store   storage.Watcher
}

// withBoth is a process whose store has both.
type withBoth struct {
	*process
	withKeys
	withWatch
}

// Watch implements [storage.Watcher].
func (w withWatch) Watch(ctx context.Context, changed func(storage.Change)) error {
	err := w.process.call(ctx, Watch, "", func(context.Context, Op, Fault) error { return nil })
	if err != nil {
		return err
	}
	return w.process.net.watch(ctx, w.process.name, w.store, changed)
}
