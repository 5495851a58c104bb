package storage

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store in memory. It is for tests, and for programs whose grants
// need not outlive the process. It is a [Lister] and a [Watcher], and safe for
// concurrent use. A copy of a Memory is the same store.
type Memory struct {
	*memory // a pointer, so that nothing prints the values
}

type memory struct {
	mu       sync.RWMutex // guards all below; never held while calling out
	rows     map[string]*row
	last     Version // of all keys, so that no version returns
	watchers map[*pending]struct{}
}

// row is the value under a key. It never changes.
type row struct {
	value   []byte
	version Version
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{&memory{rows: map[string]*row{}, watchers: map[*pending]struct{}{}}}
}

// Get implements [Store].
func (m *memory) Get(ctx context.Context, key string) (Record, error) {
	if err := CheckCall(ctx, key); err != nil {
		return Record{}, err
	}
	m.mu.RLock()
	r, ok := m.rows[key]
	m.mu.RUnlock()
	if !ok {
		return Record{}, ErrNotFound
	}
	return NewRecord(bytes.Clone(r.value), r.version), nil
}

// Put implements [Store].
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
	if r, ok := m.rows[key]; ok {
		stored = r.version
	}
	if stored != old {
		return 0, ErrConflict
	}
	m.last++
	m.rows[key] = &row{value, m.last}
	if Notifies(ctx) {
		m.notify(Change{key, m.last})
	}
	return m.last, nil
}

// Delete implements [Store].
func (m *memory) Delete(ctx context.Context, key string, old Version) error {
	if err := CheckCall(ctx, key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[key]
	switch {
	case !ok:
		return nil
	case r.version != old:
		return ErrConflict
	}
	delete(m.rows, key)
	m.notify(Change{Key: key})
	return nil
}

// Keys implements [Lister]. It yields, in the order of their names, the keys
// that exist when the iteration begins.
func (m *memory) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		m.mu.RLock()
		keys := slices.Sorted(maps.Keys(m.rows))
		m.mu.RUnlock()
		YieldKeys(ctx, keys, yield)
	}
}

// Watch implements [Watcher].
func (m *memory) Watch(ctx context.Context, changed func(Change)) error {
	p := newPending()
	m.mu.Lock()
	m.watchers[p] = struct{}{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, p)
		m.mu.Unlock()
	}()
	return p.deliver(ctx, changed)
}

// notify adds a change for all watchers. The caller holds mu.
func (m *memory) notify(c Change) {
	for p := range m.watchers {
		p.add(c)
	}
}
