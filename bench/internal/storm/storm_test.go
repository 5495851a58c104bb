package storm_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/bench/internal/storm"
)

// What each contender does is what the tables say of it: exact counts, whatever
// the machine.
func TestStorms(t *testing.T) {
	const n = 200
	for _, w := range storm.Wraps {
		for _, shape := range storm.Shapes {
			for _, overHTTP := range []bool{false, true} {
				got, err := storm.Run(w.Wrap, shape, n, overHTTP)
				if err != nil {
					t.Fatal(err)
				}
				calls, failed := 1, 0
				if w.Name == storm.AsShipped {
					calls, failed = 0, n
				}
				if got.Calls != calls || got.Failed != failed || got.Revoked || got.Accepted != n-failed {
					t.Errorf("%s, %s, over HTTP %t: %+v, want %d calls and %d failures", w.Name, shape.Name, overHTTP, got, calls, failed)
				}
			}
		}
	}
}

func TestWait(t *testing.T) {
	for _, w := range storm.Wraps {
		took, err := storm.Wait(w.Wrap, 10*time.Millisecond)
		if err != nil || took <= 0 {
			t.Errorf("%s: Wait = %v, %v, want some time and no error", w.Name, took, err)
		}
	}
}
