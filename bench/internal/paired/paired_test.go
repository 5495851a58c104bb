package paired_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/authtrip/authtrip/bench/internal/paired"
)

// contender returns one whose batches are counted, and that fails from the
// given batch on.
func contender(name string, goroutines int, total *int, fail error) paired.Contender {
	return paired.Contender{Name: name, Goroutines: goroutines, Worker: func() (func(int) error, error) {
		return func(n int) error {
			if goroutines == 0 {
				*total += n
				for start := time.Now(); time.Since(start) < time.Microsecond; {
				}
			}
			return fail
		}, nil
	}}
}

func TestMeasure(t *testing.T) {
	var a, b int
	r, err := paired.Measure(paired.Options{Rounds: 5, Batch: time.Microsecond}, contender("a", 0, &a, nil), contender("b", 0, &b, nil))
	if err != nil || len(r["a"]) != 5 || len(r["b"]) != 5 || a < 5 || b < 5 {
		t.Errorf("Measure = %v, %v after %d and %d operations, want five rounds of both", r, err, a, b)
	}
}

func TestMeasureFails(t *testing.T) {
	broken := errors.New("wrong answer")
	for _, goroutines := range []int{0, 3} {
		var n int
		if _, err := paired.Measure(paired.Options{}, contender("bad", goroutines, &n, broken)); !errors.Is(err, broken) {
			t.Errorf("Measure with %d goroutines = %v, want %v", goroutines, err, broken)
		}
	}
}

// The ratio is taken within a round: a round in which everything was slow
// changes nothing.
func TestRatio(t *testing.T) {
	r := paired.Results{"a": {10, 20, 1000, 10}, "b": {20, 40, 2000, 10}, "base": {0, 0, 0, 5}}
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"Nanos(a)", r.Nanos("a"), 15},
		{"Ratio(a, b)", r.Ratio("a", "b"), 0.5},
		{"Ratio(b, a)", r.Ratio("b", "a"), 2},
		{"RatioAbove(base, a, b)", r.RatioAbove("base", "a", "b"), 0.5},
		{"Nanos(nobody)", r.Nanos("nobody"), 0},
	} {
		if math.Abs(test.got-test.want) > 1e-9 {
			t.Errorf("%s = %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestMemory(t *testing.T) {
	var kept []byte
	c := paired.Contender{Name: "kilobyte", Worker: func() (func(int) error, error) {
		return func(n int) error {
			for range n {
				kept = make([]byte, 1024)
			}
			return nil
		}, nil
	}}
	bytes, allocs, err := paired.Memory(c)
	if err != nil || bytes < 1024 || bytes > 1100 || allocs < 1 || allocs > 1.1 || len(kept) != 1024 {
		t.Errorf("Memory = %v B, %v allocations, %v, want 1024 and 1", bytes, allocs, err)
	}
}
