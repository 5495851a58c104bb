package storage

import (
	"context"
	"sync"
)

// maxNews is how many keys are remembered for a slow watcher, before it is told that any key may have changed.
const maxNews = 1024

// news is what one watcher has still to be told. Who adds to it never waits for the watcher.
type news struct {
	wake chan struct{} // holds one element while keys is not empty

	mu   sync.Mutex // guards keys; never held while calling out
	keys map[string]Version
}

// newNews returns the news of a watcher that begins: any key may have changed.
func newNews() *news {
	n := &news{wake: make(chan struct{}, 1), keys: map[string]Version{}}
	n.add(Change{})
	return n
}

// add notes a change.
func (n *news) add(c Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, any := n.keys[""]; any {
		return
	}
	if len(n.keys) == maxNews {
		c = Change{}
	}
	if c.Key == "" {
		clear(n.keys)
	}
	n.keys[c.Key] = c.Version
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// pass calls changed with what is added until ctx ends, and returns why.
func (n *news) pass(ctx context.Context, changed func(Change)) error {
	for {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-n.wake:
		}
		for key, version := range n.take() {
			changed(Change{key, version})
		}
	}
}

func (n *news) take() map[string]Version {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := n.keys
	n.keys = map[string]Version{}
	return keys
}
