package simulation_test

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// process is one process: an engine with its own clocks, its own way to the
// store and its own way to the server. A process that crashed is followed by
// another one in the same place.
type process struct {
	run     *run
	place   int    // 0, 1, …
	name    string // place and how often it was started, such as "p1.3"
	chance  chance
	keeper  *grant.Keeper
	watches bool // the store notifies it

	mu        sync.Mutex // guards the rest; never held across I/O
	state     string     // "runs", "stopped", "crashed"
	gate      chan struct{}
	dead      chan struct{} // closed by crash
	counts    map[string]int
	step      time.Duration        // by which the wall clock was set
	suspended time.Duration        // for how long the monotonic clock has stood still
	halted    time.Time            // when it was last stopped or went on
	isolated  time.Time            // until when it is cut off from the store
	disturbed map[string]time.Time // by storage key: until when operations were disturbed

	failing  []*user   // of these failures
	failures int       // answers of the token endpoint in a row that were failures
	failed   time.Time // the last of them
	pause    time.Time // no attempt before, after five failures in a row
}

var errCrashed = errors.New("the process has crashed")

func nameOf(p *process) string {
	if p == nil {
		return ""
	}
	return p.name
}

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
	now := time.Now()
	return now.Add(p.step), now.Sub(p.run.start) - p.suspended
}

// clock returns the clocks for the engine.
func (p *process) clock() *clock.Clock { return clock.New(p.now) }

// pass lets an operation through. It waits while the process is stopped. Then
// the operations that wait go on one after another, in the order that c
// chooses. After a crash it waits until the run ends: a call of a dead process
// never returns.
func (p *process) pass(c chance) error {
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
			time.Sleep(c.of("wakes").between(0, time.Millisecond))
		case <-p.run.over:
			return errCrashed
		}
	}
}

// stop holds every operation for a while. With suspend the monotonic clock
// stands still meanwhile.
func (p *process) stop(d time.Duration, suspend bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != "runs" || d <= 0 {
		return
	}
	p.state, p.gate, p.halted = "stopped", make(chan struct{}), time.Now()
	p.run.later(d, func() { p.wake(d, suspend) })
}

func (p *process) wake(d time.Duration, suspended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != "stopped" {
		return
	}
	p.state, p.halted = "runs", time.Now()
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

// haltedSince reports whether the process was stopped, suspended or crashed at
// a moment, or later.
func (p *process) haltedSince(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state != "runs" || !p.halted.Before(t)
}

// disturb remembers that an operation on a key is disturbed from now on, for as
// long as it lasts.
func (p *process) disturb(key string, lasts time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(lasts + 20*time.Millisecond); until.After(p.disturbed[key]) {
		p.disturbed[key] = until
	}
}

// isolate remembers that the process is cut off from the store. It reports
// false if it is so already.
func (p *process) isolate(d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.isolated) {
		return false
	}
	p.isolated = time.Now().Add(d + storeTime + 20*time.Millisecond)
	return true
}

// disturbedSince reports whether an operation of the process on the key of a
// grant, or on the index of due work, was disturbed at a moment or later.
func (p *process) disturbedSince(key string, t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.isolated.Before(t) || !p.disturbed[key].Before(t) || !p.disturbed[dueIndex].Before(t)
}

// setClock sets the wall clock.
func (p *process) setClock(step time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = step
}

// answered counts the failures of the token endpoint in a row. Only an answer
// that says so is a failure here, with the pause that it asks for. Failures of
// one user alone slow nobody else down (G17).
func (p *process) answered(u *user, failed bool, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !failed {
		p.failures, p.failing = 0, nil
		return
	}
	p.failures++
	p.failed = time.Now()
	if !slices.Contains(p.failing, u) {
		p.failing = append(p.failing, u)
	}
	if p.failures >= 5 && len(p.failing) > 1 {
		p.pause = p.failed.Add(max(pause, 500*time.Millisecond))
	}
}

// mustPause reports whether an attempt that begins at a moment breaks the pause
// after five failures in a row.
func (p *process) mustPause(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures >= 5 && len(p.failing) > 1 && t.After(p.failed) && t.Before(p.pause)
}
