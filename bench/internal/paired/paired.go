// Package paired compares contenders by alternating them in short batches
// inside one process. It uses only the ratio of two contenders within one
// round, and the median over all rounds. So other load on the machine affects
// all contenders in the same way.
package paired

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Contender is one thing to measure.
type Contender struct {
	Name string

	// Goroutines is how many of them share each batch. Zero means one.
	Goroutines int

	// Worker returns what one goroutine runs: n operations, and an error if any of
	// them did not do what it should.
	Worker func() (func(n int) error, error)
}

// Options say how long to measure. The zero value is a quick look.
type Options struct {
	Rounds int           // zero means 20
	Batch  time.Duration // of one contender in one round; zero means 1 ms

	// Least is how many operations each goroutine does in a batch at least, unless
	// one takes 10 µs or more: then starting the goroutine does not count. Zero
	// means 200. A lower number measures the start of goroutines too.
	Least int
}

// Results are the times of all contenders, in nanoseconds per operation, by
// round.
type Results map[string][]float64

// Measure runs the contenders in turn, the order changing from round to round.
// It returns the first error of a batch.
func Measure(o Options, contenders ...Contender) (Results, error) {
	if o.Rounds == 0 {
		o.Rounds = 20
	}
	if o.Batch == 0 {
		o.Batch = time.Millisecond
	}
	if o.Least == 0 {
		o.Least = 200
	}
	runners := make([]*runner, len(contenders))
	for i, c := range contenders {
		r, err := newRunner(c, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		runners[i] = r
	}
	runtime.GC()
	results := Results{}
	for round := range o.Rounds {
		for i := range runners {
			r := runners[(i+round)%len(runners)]
			took, err := r.batch(r.size)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			results[r.name] = append(results[r.name], float64(took)/float64(r.size))
		}
		if round%2 == 1 {
			slices.Reverse(runners)
		}
	}
	return results, nil
}

// Nanos returns the median time of one operation.
func (r Results) Nanos(name string) float64 { return median(r[name]) }

// Ratio returns the median over the rounds of a's time divided by b's.
func (r Results) Ratio(a, b string) float64 {
	ratios := make([]float64, len(r[a]))
	for i := range ratios {
		ratios[i] = r[a][i] / r[b][i]
	}
	return median(ratios)
}

// RatioAbove is Ratio after the time of base has been taken off both.
func (r Results) RatioAbove(base, a, b string) float64 {
	ratios := make([]float64, len(r[a]))
	for i := range ratios {
		ratios[i] = (r[a][i] - r[base][i]) / (r[b][i] - r[base][i])
	}
	return median(ratios)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

// runner is a contender that is ready to go.
type runner struct {
	name    string
	workers []func(n int) error
	size    int // operations in a batch, of all workers together
}

// long is an operation beside which the start of a goroutine does not count.
const long = 10 * time.Microsecond

func newRunner(c Contender, o Options) (*runner, error) {
	r := &runner{name: c.Name, size: max(1, c.Goroutines)}
	for range max(1, c.Goroutines) {
		w, err := c.Worker()
		if err != nil {
			return nil, err
		}
		r.workers = append(r.workers, w)
	}
	for {
		took, err := r.best(3)
		switch {
		case err != nil:
			return nil, err
		case took >= o.Batch && r.share(took, o.Least):
			return r, nil
		case took < o.Batch/10, took >= o.Batch:
			r.size *= 4
		default:
			r.size = int(float64(r.size)*float64(o.Batch)/float64(took)) + 1
		}
	}
}

// share reports whether each goroutine's share of a batch that took so long is
// large enough.
func (r *runner) share(took time.Duration, least int) bool {
	return len(r.workers) == 1 || r.size >= least*len(r.workers) || took/time.Duration(r.size) >= long
}

// best returns the shortest time of several batches. In that batch, the machine
// did the least other work.
func (r *runner) best(tries int) (time.Duration, error) {
	best := time.Duration(math.MaxInt64)
	for range tries {
		took, err := r.batch(r.size)
		if err != nil {
			return 0, err
		}
		best = min(best, took)
	}
	return best, nil
}

// batch shares n operations among the workers and returns how long they took
// together.
func (r *runner) batch(n int) (time.Duration, error) {
	if len(r.workers) == 1 {
		start := time.Now()
		err := r.workers[0](n)
		return time.Since(start), err
	}
	errs := make([]error, len(r.workers))
	var wg sync.WaitGroup
	start := time.Now()
	for i, w := range r.workers {
		share := n / len(r.workers)
		if i < n%len(r.workers) {
			share++
		}
		wg.Go(func() { errs[i] = w(share) })
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}

// Memory returns the bytes and allocations of one operation of c, measured by
// itself.
func Memory(c Contender) (bytes, allocs float64, err error) {
	w, err := c.Worker()
	if err == nil {
		err = w(100) // whatever is made once
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	const n = 2000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = w(n)
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / n, float64(after.Mallocs-before.Mallocs) / n, err
}
