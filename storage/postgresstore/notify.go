package postgresstore

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxNews is how many keys wait to be told, before it is told instead that any key may have changed.
	maxNews = 1024

	// notifyEvery is the shortest time between two notifications. The first after a while goes out at once; those of a
	// store that is written to all the time go together, or they would cost it as much as its writes.
	notifyEvery = 5 * time.Millisecond

	// notifyTime is how long the server may take to accept a notification, and closeTime how long Close waits for the last.
	notifyTime = 30 * time.Second
	closeTime  = 5 * time.Second
)

// notify tells the keys of an array on a channel; several transactions' worth in one.
const notify = "SELECT pg_notify($1, key) FROM unnest($2::text[]) AS key"

// notifier tells other processes which keys have changed, by NOTIFY.
//
// It does so after the write and not within: a transaction that notifies holds a lock of the whole database while it
// commits, so that all such commits would wait for each other's write to disk. A transaction of notifications alone writes
// nothing that it would wait for.
type notifier struct {
	pool    *pgxpool.Pool
	channel string
	wake    chan struct{} // holds one element when keys is not empty
	closing chan struct{}
	ended   chan struct{}
	cancel  context.CancelFunc

	mu   sync.Mutex // guards keys; never held across I/O
	keys map[string]struct{}
}

func startNotifier(pool *pgxpool.Pool, channel string) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &notifier{
		pool: pool, channel: channel, cancel: cancel, keys: map[string]struct{}{},
		wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	go n.run(ctx)
	return n
}

// add notes that key has changed, or any key if it is empty.
func (n *notifier) add(key string) {
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

func (n *notifier) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := slices.Collect(maps.Keys(n.keys))
	clear(n.keys)
	return keys
}

// run tells what is added, until close.
func (n *notifier) run(ctx context.Context) {
	defer close(n.ended)
	for failures := 0; ; {
		select {
		case <-n.wake:
		case <-n.closing:
			_ = n.send(ctx) // there is no later attempt
			return
		}
		if n.send(ctx) == nil {
			failures = 0
		} else {
			failures++
			pause(ctx, n.closing, failures)
		}
		wait(ctx, n.closing, notifyEvery)
	}
}

// send tells what is there to tell. What it could not, it keeps.
func (n *notifier) send(ctx context.Context) error {
	keys := n.take()
	if len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	_, err := n.pool.Exec(ctx, notify, n.channel, keys)
	if err != nil {
		for _, key := range keys {
			n.add(key)
		}
	}
	return err
}

// close tells what is left to tell, if that takes no longer than closeTime.
func (n *notifier) close() {
	close(n.closing)
	select {
	case <-n.ended:
	case <-time.After(closeTime):
	}
	n.cancel()
	<-n.ended
}
