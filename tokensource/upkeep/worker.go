package upkeep

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// Options adjusts a [Worker]. The zero value is the safe default.
type Options struct {
	// PerMinute is how many refreshes the worker makes in a minute at most, for
	// all grants together. A tenth of them, and at least two, may be in flight to
	// one token endpoint, so that a server that hangs delays no other. Zero means
	// 60, and 60,000 are the most.
	PerMinute int

	// Interval is the time between two looks at the names of all grants, and so
	// how late a grant may be refreshed or a warning may come. Zero means 10
	// minutes, and 24 hours are the most. A grant itself is read once a day, and
	// when something is due.
	Interval time.Duration

	// IdleLife is how long a grant lives without a refresh at servers whose facts
	// do not say so. Zero means that such grants are left alone. Ten years are the
	// most.
	IdleLife time.Duration

	// Find returns the Keeper of a grant that belongs to none of the Keepers of
	// [Start], such as that of a tenant, or nil. It is called for each grant that
	// is read. The Keeper must have the store of the others. Nil means that there
	// are no other Keepers.
	Find func(issuer, clientID string) *grant.Keeper

	// OnEvent is called with [EventEnding]. What else happens to a grant, its
	// Keeper reports. It must return quickly. Nil means that nobody is warned.
	OnEvent func(ctx context.Context, e tokensource.Event)
}

const (
	defaultPerMinute = 60
	defaultInterval  = 10 * time.Minute
	mostPerMinute    = 60_000
	longestInterval  = 24 * time.Hour
	longestIdleLife  = 10 * 365 * 24 * time.Hour
	lookAgain        = 24 * time.Hour   // at a grant for which nothing is due
	patience         = 30 * time.Second // for one refresh, which goes on without the worker
)

// Worker keeps grants alive and warns of their end. Make one with [Start]. It
// is safe for concurrent use.
type Worker struct {
	*turn
	o      Options
	stop   context.CancelFunc
	closed sync.WaitGroup // the goroutine, and the refreshes that it has begun

	sending sending

	// Only run and what it calls use the rest.

	seed  maphash.Seed
	looks map[uint64]look // by the hash of the storage key
	next  time.Duration   // the monotonic time of the next look at the names
	sent  time.Duration   // and of the last refresh
}

// Start begins to keep alive the grants of keepers that share one store, and to
// warn of their end. One process at a time works: the others take over when it
// stops or dies. Call [Worker.Close] before the Keepers are closed. Nil options
// mean all defaults.
//
// It returns an error without a Keeper, if the Keepers have several stores, and
// if the store is no [storage.Lister].
func Start(o *Options, keepers ...*grant.Keeper) (*Worker, error) {
	if o == nil {
		o = new(Options)
	}
	c, err := newCrew(o.Find, keepers)
	if err != nil {
		return nil, err
	}
	if err := o.check(c); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Worker{
		turn: &turn{crew: c, self: rand.Text()}, o: *o, stop: cancel,
		seed: maphash.MakeSeed(), looks: map[uint64]look{},
	}
	w.sent = -time.Minute
	if w.o.PerMinute == 0 {
		w.o.PerMinute = defaultPerMinute
	}
	if w.o.Interval == 0 {
		w.o.Interval = defaultInterval
	}
	w.closed.Go(func() { w.run(ctx) })
	return w, nil
}

// check returns an error that says what an option must be.
func (o *Options) check(c *crew) error {
	if o.Interval < 0 || o.PerMinute < 0 || o.IdleLife < 0 {
		return errors.New("upkeep: Interval, PerMinute and IdleLife cannot be negative: zero means the default")
	}
	if o.PerMinute > mostPerMinute || o.Interval > longestInterval || o.IdleLife > longestIdleLife {
		return fmt.Errorf("upkeep: PerMinute cannot be above %d, Interval not above %v, and IdleLife not above ten years", mostPerMinute, longestInterval)
	}
	if _, ok := c.store.Store.(storage.Lister); !ok {
		return fmt.Errorf("%w, which a Worker needs", errNoLister)
	}
	return nil
}

// Close stops the worker and waits for it. A refresh that has begun goes on in
// its Keeper. Another process may work at once. It may be called twice.
func (w *Worker) Close() error {
	w.stop()
	w.closed.Wait()
	return nil
}

// run works whenever this process has its turn.
func (w *Worker) run(ctx context.Context) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		w.leave(ctx)
	}()
	for {
		switch holds := w.take(ctx); {
		case !holds:
			clear(w.looks) // another process works, and notes when it has looked
		case w.clock.Mono() >= w.next:
			w.next = w.clock.Mono() + w.o.Interval
			if !w.pass(ctx) {
				w.next = 0
			}
		}
		if !sleep(ctx, min(renewal, w.o.Interval)) {
			return
		}
	}
}

// sleep waits. It returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
