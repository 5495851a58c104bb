package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/authtrip/authtrip/bench/internal/plot"
	"github.com/authtrip/authtrip/bench/internal/storm"
)

// tally is what the storms of one contender came to.
type tally struct {
	took                   []time.Duration
	calls, failed, revoked int // the worst of all
}

func (t *tally) add(o storm.Outcome) {
	t.took = append(t.took, o.Took)
	t.calls, t.failed = max(t.calls, o.Calls), max(t.failed, o.Failed)
	if o.Revoked {
		t.revoked++
	}
}

// storms is the section on refresh storms.
func (r *report) storms() error {
	t := &table{title: "**Refresh storms**", head: []string{
		"requests at once, 401s, over", "", "token calls", "failed", "logins lost", "time", "÷ ideal",
	}}
	for _, n := range r.scale.storms {
		for _, shape := range storm.Shapes {
			for _, overHTTP := range []bool{false, true} {
				if err := r.stormRows(t, n, shape, overHTTP); err != nil {
					return err
				}
			}
		}
	}
	waits, err := r.waits()
	if err != nil {
		return err
	}
	if err := r.show("storms", t, waits); err != nil {
		return err
	}
	return r.stormPlot()
}

// play runs the storms of all contenders in turn. Another one begins each time,
// so that none profits from what the one before it left behind.
func (r *report) play(n int, shape storm.Shape, overHTTP bool, repeats int) (map[string]*tally, error) {
	tallies := map[string]*tally{}
	for repeat := range repeats {
		for i := range storm.Wraps {
			w := storm.Wraps[(i+repeat)%len(storm.Wraps)]
			outcome, err := storm.Run(w.Wrap, shape, n, overHTTP)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			if outcome.Accepted != n-outcome.Failed {
				return nil, fmt.Errorf("%s: the API accepted %d of %d requests, of which %d failed", w.Name, outcome.Accepted, n, outcome.Failed)
			}
			if tallies[w.Name] == nil {
				tallies[w.Name] = new(tally)
			}
			tallies[w.Name].add(outcome)
		}
	}
	return tallies, nil
}

func (r *report) stormRows(t *table, n int, shape storm.Shape, overHTTP bool) error {
	tallies, err := r.play(n, shape, overHTTP, r.scale.repeats)
	if err != nil {
		return err
	}
	over := "memory"
	if overHTTP {
		over = "loopback"
	}
	for _, w := range storm.Wraps {
		got, ideal := tallies[w.Name], tallies[storm.Ideal]
		quotient := "–" // without a renewal there is nothing to compare
		if w.Name != storm.AsShipped {
			ratios := make([]float64, len(got.took))
			for i := range ratios {
				ratios[i] = float64(got.took[i]) / float64(ideal.took[i])
			}
			quotient = ratio(middle(ratios), goalOf(w.Name == storm.Authtrip, 1.10)...)
		}
		t.add(fmt.Sprintf("%s, %s, %s", thousands(int64(n)), shape.Name, over), w.Name, fmt.Sprint(got.calls), thousands(int64(got.failed)),
			fmt.Sprint(got.revoked), nanos(float64(middle(got.took))), quotient)
	}
	return nil
}

func goalOf(has bool, goal float64) []float64 {
	if has {
		return []float64{goal}
	}
	return nil
}

func middle[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// waits is about a request whose deadline passes while somebody else refreshes.
func (r *report) waits() (*table, error) {
	t := &table{title: "**A deadline of 10 ms during another request's refresh of 200 ms**", head: []string{"", "returns after, ms"}}
	for _, w := range storm.Wraps {
		var all []time.Duration
		for range r.scale.repeats {
			took, err := storm.Wait(w.Wrap, 10*time.Millisecond)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			all = append(all, took)
		}
		t.add(w.Name, ratio(float64(middle(all))/1e6, goalOf(w.Name == storm.Authtrip, 15)...))
	}
	return t, nil
}

// stormPlot draws the time of a storm against the number of requests.
func (r *report) stormPlot() error {
	chart := plot.Chart{
		Title: "Refresh storm in memory, all 401s after 20 ms", X: "requests at once", Y: "ms until all are answered", LogX: true,
	}
	lines := map[string]*plot.Line{}
	for n := 1; n <= r.scale.storms[len(r.scale.storms)-1]; n *= 10 {
		tallies, err := r.play(n, storm.Shapes[0], false, min(3, r.scale.repeats))
		if err != nil {
			return err
		}
		for name, got := range tallies {
			if lines[name] == nil {
				lines[name] = &plot.Line{Name: name, Strong: name == storm.Authtrip}
			}
			lines[name].Points = append(lines[name].Points, plot.Point{X: float64(n), Y: float64(middle(got.took)) / 1e6})
		}
	}
	for _, w := range storm.Wraps {
		line := *lines[w.Name]
		if w.Name == storm.AsShipped {
			line.Name += " (all fail)"
		}
		chart.Lines = append(chart.Lines, line)
	}
	return r.draw("storms.svg", chart.SVG())
}
