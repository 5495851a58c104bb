package storage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store in memory, for tests and for programs whose grants need not outlive them. It is a Lister and a
// Watcher, and safe for concurrent use.
type Memory struct {
	*memory // behind a pointer, so that a copy is the same store
}

type memory struct {
	mu       sync.RWMutex       // guards all below; never held while calling out
	records  map[string]*Record // by pointer: fmt shows the address of one inside a struct that it prints without Format
	last     Version            // of all keys: so no version returns, whatever is deleted
	watchers map[*news]struct{}
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{&memory{records: map[string]*Record{}, watchers: map[*news]struct{}{}}}
}

// Get implements Store.
func (m *memory) Get(ctx context.Context, key string) (Record, error) {
	if err := CheckCall(ctx, key); err != nil {
		return Record{}, err
	}
	m.mu.RLock()
	r, ok := m.records[key]
	m.mu.RUnlock()
	if !ok {
		return Record{}, ErrNotFound
	}
	return Record{bytes.Clone(r.Value), r.Version}, nil // without the lock: a stored record is never changed
}

// Put implements Store.
func (m *memory) Put(ctx context.Context, key string, value []byte, old Version) (Version, error) {
	if err := CheckCall(ctx, key); err != nil {
		return 0, err
	}
	if err := CheckValue(value); err != nil {
		return 0, err
	}
	value = bytes.Clone(value)
	m.mu.Lock()
	defer m.mu.Unlock()
	var stored Version
	if r, ok := m.records[key]; ok {
		stored = r.Version
	}
	if stored != old {
		return 0, ErrConflict
	}
	m.last++
	m.records[key] = &Record{value, m.last}
	m.tell(Change{key, m.last})
	return m.last, nil
}

// Delete implements Store.
func (m *memory) Delete(ctx context.Context, key string, old Version) error {
	if err := CheckCall(ctx, key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[key]
	switch {
	case !ok:
		return nil
	case r.Version != old:
		return ErrConflict
	}
	delete(m.records, key)
	m.tell(Change{Key: key})
	return nil
}

// Keys implements Lister. It yields the keys that exist when the iteration begins.
func (m *memory) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		m.mu.RLock()
		keys := slices.Collect(maps.Keys(m.records))
		m.mu.RUnlock()
		YieldKeys(ctx, keys, yield)
	}
}

// Watch implements Watcher.
func (m *memory) Watch(ctx context.Context, changed func(Change)) error {
	n := newNews()
	m.mu.Lock()
	m.watchers[n] = struct{}{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, n)
		m.mu.Unlock()
	}()
	return n.pass(ctx, changed)
}

// tell leaves word of a change for all watchers. The caller holds mu.
func (m *memory) tell(c Change) {
	for n := range m.watchers {
		n.add(c)
	}
}

// Format prints the kind of store for every verb, and no values.
func (m *memory) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "storage.Memory") // fmt.State keeps no error to report
}
