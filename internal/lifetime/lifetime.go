// Package lifetime counts the work of something that is closed later, and ends
// it.
//
// A [Lifetime] begins with [New] and ends with [Lifetime.Stop], which waits for
// the work that was counted. Everything is safe for concurrent use. There are
// no errors.
package lifetime

import (
	"context"
	"sync"
	"time"
)

// Lifetime counts pieces of work until Stop. Make one with New.
type Lifetime struct {
	mu     sync.Mutex     // guards closed and atEnd; never held across I/O
	closed bool           // no new work begins
	atEnd  []func()       // Stop calls them
	work   sync.WaitGroup // what Stop waits for
	done   chan struct{}  // closed by Stop
}

// New returns a Lifetime that has begun.
func New() *Lifetime { return &Lifetime{done: make(chan struct{})} }

// Closed reports whether Stop was called.
func (l *Lifetime) Closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Begin counts a piece of work that Stop must wait for. It returns false after
// Stop was called. The caller must call End at the end of the work.
func (l *Lifetime) Begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Add(1)
	}
	return !l.closed
}

// End ends a piece of work that Begin has counted.
func (l *Lifetime) End() { l.work.Done() }

// Go runs f in the background. Stop waits for it. Its caller must know that
// Stop has not returned: it is called from work that was counted.
func (l *Lifetime) Go(f func()) { l.work.Go(f) }

// Stop lets no new work begin, calls what OnStop has registered, and waits for
// the rest. It may be called twice.
func (l *Lifetime) Stop() {
	for _, f := range l.close() {
		f()
	}
	l.work.Wait()
}

// close lets no new work begin. It returns what is to be called at the end.
func (l *Lifetime) close() []func() {
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

// OnStop makes Stop call f. It returns false after Stop was called.
func (l *Lifetime) OnStop(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.atEnd = append(l.atEnd, f)
	}
	return !l.closed
}

// Done is closed by Stop.
func (l *Lifetime) Done() <-chan struct{} { return l.done }

// Until returns a context that ends with Stop or with ctx.
func (l *Lifetime) Until(ctx context.Context) (context.Context, context.CancelFunc) {
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

// Sleep waits until d has passed. It returns false if ctx or the Lifetime ended
// first.
func (l *Lifetime) Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil && !l.Closed()
	case <-ctx.Done():
	case <-l.done:
	}
	return false
}
