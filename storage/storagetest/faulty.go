package storagetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// Fault is what happens to one call of a store. The zero value is none: the call is passed on. Fields combine, in the order
// in which they stand here.
type Fault struct {
	// Wait delays the call until the channel is closed, or ctx ends. Nil means no delay.
	Wait <-chan struct{}

	// Hang makes the call wait until ctx ends. Nothing is read or written.
	Hang bool

	// Err is returned. Without Applied, nothing is read or written.
	Err error

	// Applied passes the call on before Err is returned: the caller cannot know that it succeeded. An error of the store
	// itself is returned instead of Err.
	Applied bool

	// Value is what Get returns in place of the stored value. Nil means that it is left alone.
	Value []byte
}

// Faulty is a Store that fails on demand. It is neither a Lister nor a Watcher, and safe for concurrent use.
type Faulty struct {
	store storage.Store
	hook  func(op, key string, n int) Fault

	mu    sync.Mutex // guards calls; never held while calling out
	calls map[string]int
}

// NewFaulty returns a Store on top of store. Before each call it asks hook what shall happen to it: op is "Get", "Put" or
// "Delete", and n says the how-manieth call of op it is, from 1. Hook must be safe for concurrent use; nil means no faults.
func NewFaulty(store storage.Store, hook func(op, key string, n int) Fault) *Faulty {
	return &Faulty{store: store, hook: hook, calls: map[string]int{}}
}

// Calls returns how many calls of op there were so far: "Get", "Put" or "Delete".
func (f *Faulty) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// Get implements storage.Store.
func (f *Faulty) Get(ctx context.Context, key string) (storage.Record, error) {
	fault, err := f.before(ctx, "Get", key)
	if err != nil {
		return storage.Record{}, err
	}
	r, err := f.store.Get(ctx, key)
	if err != nil {
		return storage.Record{}, err
	}
	if fault.Err != nil {
		return storage.Record{}, fault.Err
	}
	if fault.Value != nil {
		r = storage.NewRecord(append([]byte(nil), fault.Value...), r.Version)
	}
	return r, nil
}

// Put implements storage.Store.
func (f *Faulty) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	fault, err := f.before(ctx, "Put", key)
	if err != nil {
		return 0, err
	}
	v, err := f.store.Put(ctx, key, value, old)
	if err != nil {
		return 0, err
	}
	if fault.Err != nil {
		return 0, fault.Err
	}
	return v, nil
}

// Delete implements storage.Store.
func (f *Faulty) Delete(ctx context.Context, key string, old storage.Version) error {
	fault, err := f.before(ctx, "Delete", key)
	if err != nil {
		return err
	}
	if err := f.store.Delete(ctx, key, old); err != nil {
		return err
	}
	return fault.Err
}

// before does what happens before the call is passed on, and returns the error of a call that is not.
func (f *Faulty) before(ctx context.Context, op, key string) (Fault, error) {
	f.mu.Lock()
	f.calls[op]++
	n := f.calls[op]
	f.mu.Unlock()
	if f.hook == nil {
		return Fault{}, nil
	}
	fault := f.hook(op, key, n)
	if fault.Hang {
		fault.Wait = make(chan struct{}) // never closed
	}
	if fault.Wait != nil {
		select {
		case <-fault.Wait:
		case <-ctx.Done():
			return fault, fmt.Errorf("storagetest: %w", context.Cause(ctx))
		}
	}
	if fault.Err != nil && !fault.Applied {
		return fault, fault.Err
	}
	return fault, nil
}
