package storage

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// maxPending is how many keys wait for a slow watcher. With one more, a single
// zero Change replaces them.
const maxPending = 1024

// pending are the changes that one watcher has not received yet. A writer that
// adds a change never waits for the watcher.
type pending struct {
	wake chan struct{} // holds one element while keys is not empty

	mu   sync.Mutex // guards keys; never held while calling out
	keys map[string]Version
}

// newPending returns the changes for a watcher that begins: one zero Change.
func newPending() *pending {
	p := &pending{wake: make(chan struct{}, 1), keys: map[string]Version{}}
	p.add(Change{})
	return p
}

// add adds a change.
func (p *pending) add(c Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, all := p.keys[""]; all {
		return
	}
	if len(p.keys) == maxPending {
		c = Change{}
	}
	if c.Key == "" {
		clear(p.keys)
	}
	p.keys[c.Key] = c.Version
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// deliver calls changed with each change until ctx ends, and returns the
// reason. Keys that wait together are delivered in the order of their names,
// so that a simulation repeats.
func (p *pending) deliver(ctx context.Context, changed func(Change)) error {
	for {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-p.wake:
		}
		for _, c := range p.take() {
			changed(c)
		}
	}
}

// take removes and returns the changes.
func (p *pending) take() []Change {
	p.mu.Lock()
	defer p.mu.Unlock()
	changes := make([]Change, 0, len(p.keys))
	for _, key := range slices.Sorted(maps.Keys(p.keys)) {
		changes = append(changes, Change{key, p.keys[key]})
	}
	clear(p.keys)
	return changes
}
