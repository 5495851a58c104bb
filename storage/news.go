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
	keys map[string]struct{}
}

// newNews returns the news of a watcher that begins: any key may have changed.
func newNews() *news {
	n := &news{wake: make(chan struct{}, 1), keys: map[string]struct{}{}}
	n.add("")
	return n
}

// add notes that key has changed, or any key if it is empty.
func (n *news) add(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, any := n.keys[""]; any {
		return
	}
	if len(n.keys) == maxNews {
		key = ""
	}
	if key == "" {
		clear(n.keys)
	}
	n.keys[key] = struct{}{}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// pass calls changed with what is added until ctx ends, and returns why.
func (n *news) pass(ctx context.Context, changed func(key string)) error {
	for {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-n.wake:
		}
		for key := range n.take() {
			changed(key)
		}
	}
}

func (n *news) take() map[string]struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := n.keys
	n.keys = map[string]struct{}{}
	return keys
}
