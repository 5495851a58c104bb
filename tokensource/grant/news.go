package grant

import (
	"context"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/storage"
)

// news tells the flights that wait for a key, or are reading it, that it may have changed. Its zero value is ready.
type news struct {
	mu      sync.Mutex // guards waiting; never held across I/O
	waiting map[string]chan storage.Version
}

// await returns a channel for the version that key has had since: zero if it may be any. Ask for it before reading the
// key: then no change falls between the two. The one flight of a key calls drop at its end.
func (n *news) await(key string) <-chan storage.Version {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting = map[string]chan storage.Version{}
	}
	ch := make(chan storage.Version, 1)
	n.waiting[key] = ch
	return ch
}

// tell passes a change on to who waits for its key, or to everybody if the key is empty. It never blocks.
func (n *news) tell(c storage.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ch := n.waiting[c.Key]; ch != nil {
		leave(ch, c.Version)
	}
	if c.Key == "" {
		for _, ch := range n.waiting {
			leave(ch, 0)
		}
	}
}

// leave puts a version into ch. Together with one that is still there it becomes zero: which came first is not known. The
// caller is the only one who sends.
func leave(ch chan storage.Version, version storage.Version) {
	select {
	case <-ch:
		version = 0
	default:
	}
	ch <- version
}

// heard takes what was told of key and not yet looked at, if somebody waits for it.
func (n *news) heard(key string) (storage.Version, bool) {
	n.mu.Lock()
	ch := n.waiting[key]
	n.mu.Unlock()
	select {
	case version := <-ch:
		return version, true
	default:
		return 0, false
	}
}

// drop forgets a key that nobody waits for any more.
func (n *news) drop(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, key)
}

// watch listens to the store until Close, beginning anew when the watch breaks.
func (k *Keeper) watch(w storage.Watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-k.done
		cancel()
	}()
	for pause := time.Second; ; pause = min(2*pause, pacing.MaxBackoff) {
		_ = w.Watch(ctx, func(c storage.Change) { // polling goes on without it
			pause = time.Second
			k.watching.Store(true)
			k.reads.tell(c) // before suspect: what is shown between the two is suspected by one or the other
			k.news.tell(c)
			k.cache.suspect(c)
		})
		k.watching.Store(false)
		if !k.sleep(ctx, pause) {
			return
		}
	}
}

// sleep waits until d has passed, and reports false if ctx or the engine ended first.
func (k *Keeper) sleep(ctx context.Context, d time.Duration) bool {
	return k.sleepUntilNews(ctx, d, nil, 0)
}

// sleepUntilNews is sleep that ends when news tells of another version than the one that is known.
func (k *Keeper) sleepUntilNews(ctx context.Context, d time.Duration, news <-chan storage.Version, known storage.Version) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case version := <-news:
			if version == 0 || version != known {
				return true
			}
		case <-ctx.Done():
			return false
		case <-k.done:
			return false
		}
	}
}
