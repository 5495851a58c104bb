package postgresstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
)

const (
	// maxPending is how many changed keys wait for a notification. If there are
	// more, one notification says that any key may have changed.
	maxPending = 1024

	// notifyEvery is the shortest time between two notifications. The first one
	// after a pause leaves at once. A store with many writes sends its
	// notifications together. Otherwise they would cost as much as the writes.
	notifyEvery = 25 * time.Millisecond

	// notifyTime is how long the server may take to accept a notification, and
	// closeTime how long Close waits for the last.
	notifyTime = 30 * time.Second
	closeTime  = 5 * time.Second
)

// notify sends the texts of an array on a channel, in one transaction.
const notify = "SELECT pg_notify($1, text) FROM unnest($2::text[]) AS text"

// A notification has the texts of one or more changes, with a separator between
// them. Each process that listens has work with each notification, and little
// more with a longer one. PostgreSQL takes less than 8000 bytes.
const (
	separator   = "\n"
	maxNotified = 7999
)

// notifications returns the texts that notify of changes.
func notifications(changes []storage.Change) (texts []string) {
	var b strings.Builder
	for _, c := range changes {
		text := c.String()
		if b.Len() > 0 && b.Len()+len(separator)+len(text) > maxNotified {
			texts = append(texts, b.String())
			b.Reset()
		}
		if b.Len() > 0 {
			b.WriteString(separator)
		}
		b.WriteString(text)
	}
	return append(texts, b.String())
}

// notified calls changed with each change that a notification reports. Anybody
// may notify. What is no change counts as one of any record.
func notified(text string, changed func(storage.Change)) {
	for change := range strings.SplitSeq(text, separator) {
		changed(storage.ParseChange(change))
	}
}

// notifier notifies other processes of changes, by NOTIFY.
//
// It does so after the write, and not within its transaction. A transaction
// that notifies holds a lock of the whole database while it commits. So all
// such commits would wait for each other's write to disk. A transaction of
// notifications alone writes nothing that it would wait for.
type notifier struct {
	pool    *pgxpool.Pool
	channel string
	wake    chan struct{} // holds one element when keys is not empty
	closing chan struct{}
	ended   chan struct{}
	cancel  context.CancelFunc

	mu   sync.Mutex // guards keys; never held across I/O
	keys map[string]storage.Version
}

func startNotifier(pool *pgxpool.Pool, channel string) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &notifier{
		pool: pool, channel: channel, cancel: cancel, keys: map[string]storage.Version{},
		wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	go n.run(ctx)
	return n
}

// add remembers a change. Two changes of one key become one change with an
// unknown version, because they may be added in another order than that of
// their commits.
func (n *notifier) add(c storage.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, any := n.keys[""]; any {
		return
	}
	if _, twice := n.keys[c.Key]; twice {
		c.Version = 0
	}
	if len(n.keys) == maxPending {
		c = storage.Change{}
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

func (n *notifier) take() []storage.Change {
	n.mu.Lock()
	defer n.mu.Unlock()
	changes := make([]storage.Change, 0, len(n.keys))
	for key, version := range n.keys {
		changes = append(changes, storage.Change{Key: key, Version: version})
	}
	clear(n.keys)
	return changes
}

// run sends what is added, until close.
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

// send sends the notifications that are due. It keeps them if that fails.
func (n *notifier) send(ctx context.Context) error {
	changes := n.take()
	if len(changes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	_, err := n.pool.Exec(ctx, notify, n.channel, notifications(changes))
	if err != nil {
		for _, c := range changes {
			n.add(c)
		}
	}
	return err
}

// close sends the notifications that are due, if that takes no longer than
// closeTime.
func (n *notifier) close() {
	close(n.closing)
	select {
	case <-n.ended:
	case <-time.After(closeTime):
	}
	n.cancel()
	<-n.ended
}
