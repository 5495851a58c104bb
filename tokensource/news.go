package tokensource

import (
	"context"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// news tells who waits for a key that it may have changed. Its zero value is ready.
type news struct {
	mu      sync.Mutex // guards waiting; never held across I/O
	waiting map[string]chan struct{}
}

// await returns a channel that is closed at the next news of key. Ask for it before reading the key: then no change
// falls between the two.
func (n *news) await(key string) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting = map[string]chan struct{}{}
	}
	ch := n.waiting[key]
	if ch == nil {
		ch = make(chan struct{})
		n.waiting[key] = ch
	}
	return ch
}

// tell wakes those who wait for key, or everybody if key is empty.
func (n *news) tell(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, ch := range n.waiting {
		if key == "" || k == key {
			close(ch)
			delete(n.waiting, k)
		}
	}
}

// drop forgets a key that nobody waits for any more.
func (n *news) drop(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, key)
}

// watch listens to the store until Close, beginning anew when the watch breaks.
func (g *Grants) watch(w storage.Watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-g.done
		cancel()
	}()
	for pause := time.Second; ; pause = min(2*pause, maxBackoff) {
		_ = w.Watch(ctx, func(key string) { // polling goes on without it
			pause = time.Second
			g.watching.Store(true)
			g.cache.suspect(key)
			g.news.tell(key)
		})
		g.watching.Store(false)
		if !g.sleep(ctx, pause, nil) {
			return
		}
	}
}

// sleep waits until d has passed or woken is closed, and reports false if ctx or the engine ended first.
func (g *Grants) sleep(ctx context.Context, d time.Duration, woken <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-woken:
		return true
	case <-ctx.Done():
		return false
	case <-g.done:
		return false
	}
}
