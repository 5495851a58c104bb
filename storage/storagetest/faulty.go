package storagetest

import (
	"context"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// Faulty is a Store that fails on demand. It is neither a [storage.Lister] nor
// a [storage.Watcher], and safe for concurrent use. For several processes, and
// for changes that are lost, use a [Network].
type Faulty struct {
	process storage.Store
	hook    func(op, key string, n int) Fault

	mu    sync.Mutex // guards calls; never held while calling out
	calls map[string]int
}

// NewFaulty returns a Store on top of store. Before each call it asks hook for
// the Fault of the call. Op is "Get", "Put" or "Delete", and n counts the
// calls of op from 1. Hook must be safe for concurrent use. Nil means no
// faults.
func NewFaulty(store storage.Store, hook func(op, key string, n int) Fault) *Faulty {
	f := &Faulty{hook: hook, calls: map[string]int{}}
	f.process = NewNetwork(store, &NetworkOptions{Fault: f.fault}).Process("")
	return f
}

// fault counts a call and asks hook for its fault.
func (f *Faulty) fault(op Op) Fault {
	f.mu.Lock()
	f.calls[string(op.Kind)]++
	n := f.calls[string(op.Kind)]
	f.mu.Unlock()
	if f.hook == nil {
		return Fault{}
	}
	return f.hook(string(op.Kind), op.Key, n)
}

// Calls returns the number of calls of op so far: "Get", "Put" or "Delete".
func (f *Faulty) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// Get implements [storage.Store].
func (f *Faulty) Get(ctx context.Context, key string) (storage.Record, error) {
	return f.process.Get(ctx, key)
}

// Put implements [storage.Store].
func (f *Faulty) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	return f.process.Put(ctx, key, value, old)
}

// Delete implements [storage.Store].
func (f *Faulty) Delete(ctx context.Context, key string, old storage.Version) error {
	return f.process.Delete(ctx, key, old)
}

// Volatile implements [storage.Volatile]. A Faulty is for tests, so it returns
// true whatever store is below it.
func (f *Faulty) Volatile() bool { return true }
