package simulation_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// process is one process: an engine with its own clocks, its own way to the
// store and its own way to the server. A process that crashed is followed by
// another one in the same place.
type process struct {
	run    *run
	place  int    // 0, 1, …
	name   string // place and how often it was started, such as "p1.3"
	chance chance
	keeper *grant.Keeper

	mu        sync.Mutex // guards the rest; never held across I/O
	state     string     // "runs", "stopped", "crashed"
	gate      chan struct{}
	dead      chan struct{} // closed by crash
	counts    map[string]int
	step      time.Duration // by which the wall clock was set
	suspended time.Duration // for how long the monotonic clock has stood still
	troubled  time.Time     // when it was last stopped, suspended or cut off
}

var errCrashed = errors.New("the process has crashed")

// next counts the operations of one kind.
func (p *process) next(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[kind]++
	return p.counts[kind]
}

// now reads the clocks of the process.
func (p *process) now() (wall time.Time, mono time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Since(p.run.start)
	return time.Now().Add(p.step), since - p.suspended
}

// clock returns the clocks for the engine.
func (p *process) clock() *clock.Clock { return clock.New(p.now) }

// pass lets an operation through. It waits while the process is stopped. After a
// crash it waits until the run ends: a call of a dead process never returns.
func (p *process) pass() error {
	for {
		p.mu.Lock()
		state, gate := p.state, p.gate
		p.mu.Unlock()
		switch state {
		case "runs":
			return nil
		case "crashed":
			<-p.run.over
			return errCrashed
		}
		select {
		case <-gate:
		case <-p.run.over:
			return errCrashed
		}
	}
}

// stop holds every operation until wake. With suspend the monotonic clock stands
// still meanwhile.
func (p *process) stop(d time.Duration, suspend bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != "runs" {
		return
	}
	p.state, p.gate, p.troubled = "stopped", make(chan struct{}), time.Now()
	p.run.later(d, func() { p.wake(d, suspend) })
}

func (p *process) wake(d time.Duration, suspended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != "stopped" {
		return
	}
	p.state, p.troubled = "runs", time.Now()
	if suspended {
		p.suspended += d
	}
	close(p.gate)
}

// crash ends the process at once: none of its calls returns any more.
func (p *process) crash() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == "crashed" {
		return false
	}
	if p.state == "stopped" {
		defer close(p.gate)
	}
	p.state = "crashed"
	close(p.dead)
	return true
}

// do runs what a user asks of the process, and reports whether it returned. A
// call of a process that crashes never returns; the user gives up at once.
func (p *process) do(f func()) bool {
	if p.is("crashed") {
		return false
	}
	done := make(chan struct{})
	p.run.abandoned.Go(func() {
		f()
		close(done)
	})
	select {
	case <-done:
		return !p.is("crashed")
	case <-p.dead:
		return false
	}
}

func (p *process) is(state string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == state
}

// trouble remembers that the process was cut off from something just now.
func (p *process) trouble() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubled = time.Now()
}

// wasTroubled reports whether the process had trouble of its own since a moment.
func (p *process) wasTroubled(since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state != "runs" || !p.troubled.Before(since)
}

// setClock sets the wall clock.
func (p *process) setClock(step time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = step
}

// gated is the way of a process to the store: the network with its faults, and
// behind it the gate of a process that can be stopped.
type gated struct {
	p     *process
	inner storage.Store
}

func (g gated) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := g.p.begin(ctx, "get", key); err != nil {
		return storage.Record{}, err
	}
	r, err := g.inner.Get(ctx, key)
	g.p.run.judge.read(g.p, err)
	return r, g.end(err)
}

func (g gated) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := g.p.begin(ctx, "put", key); err != nil {
		return 0, err
	}
	version, err := g.inner.Put(ctx, key, value, old)
	g.p.run.judge.wrote(g.p, key, value, err)
	return version, g.end(err)
}

func (g gated) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := g.p.begin(ctx, "delete", key); err != nil {
		return err
	}
	return g.end(g.inner.Delete(ctx, key, old))
}

// Watch passes on what the store says, for a process that runs.
func (g gated) Watch(ctx context.Context, changed func(storage.Change)) error {
	w, ok := g.inner.(storage.Watcher)
	if !ok {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return w.Watch(ctx, func(c storage.Change) {
		if g.p.is("runs") {
			changed(c)
		}
	})
}

func (g gated) end(err error) error {
	if passed := g.p.pass(); passed != nil {
		return passed
	}
	return err
}

// begin is the moment before an operation: here a process crashes or stops.
func (p *process) begin(ctx context.Context, kind, key string) error {
	c := p.chance.of(kind, key).nth(p.next(kind + " " + key))
	p.run.maybeEnd(p, c)
	if err := p.pass(); err != nil {
		return err
	}
	return ctx.Err()
}
