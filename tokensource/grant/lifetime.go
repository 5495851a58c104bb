package grant

import (
	"context"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// lifetime counts the work of a Keeper, or of several in the background, and
// ends it.
type lifetime struct {
	mu     sync.Mutex     // guards closed and atEnd; never held across I/O
	closed bool           // no new work begins
	atEnd  []func()       // stop calls them
	work   sync.WaitGroup // what stop waits for
	done   chan struct{}  // closed by stop
}

func newLifetime() *lifetime { return &lifetime{done: make(chan struct{})} }

func (l *lifetime) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// begin counts a piece of work that Close must wait for. It returns false after
// Close was called. The caller must call work.Done at the end of the work.
func (l *lifetime) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Add(1)
	}
	return !l.closed
}

// stop lets no new work begin, and waits for the rest.
func (l *lifetime) stop() {
	for _, f := range l.end() {
		f()
	}
	l.work.Wait()
}

// end lets no new work begin. It returns what is to be called at the end.
func (l *lifetime) end() []func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	list := l.atEnd
	l.atEnd = nil
	return list
}

// onEnd makes stop call f. It returns false after stop was called.
func (l *lifetime) onEnd(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.atEnd = append(l.atEnd, f)
	}
	return !l.closed
}

// untilClose returns a context that ends with Close.
func (l *lifetime) untilClose() (context.Context, context.CancelFunc) {
	return l.untilCloseOr(context.Background())
}

// untilCloseOr returns a context that ends with Close or with ctx.
func (l *lifetime) untilCloseOr(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-l.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// sleep waits until d has passed. It returns false if ctx or the lifetime ended
// first.
func (l *lifetime) sleep(ctx context.Context, d time.Duration) bool {
	return l.sleepUntil(ctx, d, nil, 0)
}

// sleepUntil is sleep that also ends when s is told another version than known.
func (l *lifetime) sleepUntil(ctx context.Context, d time.Duration, s *subscription, known storage.Version) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var changed <-chan struct{}
	if s != nil {
		changed = s.changed
	}
	for {
		select {
		case <-timer.C:
			return ctx.Err() == nil && !l.isClosed()
		case <-changed:
			if s.other(known) {
				return ctx.Err() == nil && !l.isClosed()
			}
		case <-ctx.Done():
			return false
		case <-l.done:
			return false
		}
	}
}
