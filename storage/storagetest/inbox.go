package storagetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// inbox are the changes that are under way to one Watch.
type inbox struct {
	wake chan struct{} // holds one element after a change was added

	mu      sync.Mutex // guards changes; never held while calling out
	changes []arrival  // in the order of their times
}

// arrival is a change and when it arrives.
type arrival struct {
	change storage.Change
	at     time.Time
}

// watch runs a Watch of a process. The changes of store pass through the
// network.
func (n *Network) watch(ctx context.Context, process string, store storage.Watcher, changed func(storage.Change)) error {
	ctx, stop := context.WithCancelCause(ctx)
	in := &inbox{wake: make(chan struct{}, 1)}
	n.connect(in, process)
	defer n.disconnect(in)
	var below sync.WaitGroup
	below.Go(func() {
		stop(store.Watch(ctx, func(c storage.Change) {
			if err := n.pass(in, process, c); err != nil {
				stop(err)
			}
		}))
	})
	in.deliver(ctx, func(c storage.Change) {
		if !n.isCut(process) {
			changed(c)
		}
	})
	below.Wait()
	return ended(ctx)
}

// pass adds a change to an inbox, or loses it. It returns the error that the
// Watch ends with, if its fault has one.
func (n *Network) pass(in *inbox, process string, c storage.Change) error {
	_, fault := n.decide(Op{Process: process, Kind: Notify, Key: c.Key})
	switch {
	case fault.Err != nil:
		return fault.Err
	case !fault.Hang && !n.isCut(process):
		in.add(c, fault.Delay)
	}
	return nil
}

func (n *Network) connect(in *inbox, process string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watchers[in] = process
}

func (n *Network) disconnect(in *inbox) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.watchers, in)
}

// add adds a change that arrives after delay.
func (in *inbox) add(c storage.Change, delay time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	a := arrival{c, time.Now().Add(delay)}
	i := len(in.changes)
	for i > 0 && in.changes[i-1].at.After(a.at) {
		i--
	}
	in.changes = slices.Insert(in.changes, i, a)
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// deliver calls changed with each change when it arrives, until ctx ends.
func (in *inbox) deliver(ctx context.Context, changed func(storage.Change)) {
	for ctx.Err() == nil {
		c, wait, ok := in.next()
		if ok && wait <= 0 {
			changed(c)
			continue
		}
		in.await(ctx, wait, ok)
	}
}

// next removes and returns the first change if it has arrived. Otherwise it
// returns how long that change is still under way, and ok reports whether
// there is any.
func (in *inbox) next() (c storage.Change, wait time.Duration, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.changes) == 0 {
		return storage.Change{}, 0, false
	}
	first := in.changes[0]
	if wait := time.Until(first.at); wait > 0 {
		return storage.Change{}, wait, true
	}
	in.changes = in.changes[1:]
	return first.change, 0, true
}

// await waits until a change is added, until the first one arrives, or until
// ctx ends.
func (in *inbox) await(ctx context.Context, wait time.Duration, timed bool) {
	var arrived <-chan time.Time
	if timed {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		arrived = timer.C
	}
	select {
	case <-ctx.Done():
	case <-in.wake:
	case <-arrived:
	}
}
