//go:build unix

package fleet_test

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
)

// workerEnv holds the setup of a process that is to be a worker.
const workerEnv = "AUTHTRIP_FLEET_WORKER"

// running counts the processes that have been started and not yet ended, and the goroutines that listen to them.
var running atomic.Int64

// TestMain makes of this process a worker, if it was started to be one.
func TestMain(m *testing.M) {
	if s := os.Getenv(workerEnv); s != "" {
		if err := work(s); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	// The parallel tests wait for leases to end more than for cores. More of them at once would keep the fake busy for so long
	// that its answers come too late, which is another test.
	if err := flag.Set("test.parallel", scale("4", "2")); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
	code := m.Run()
	if n := running.Load(); n > 0 {
		fmt.Fprintf(os.Stderr, "fleet: %d processes and listeners are left\n", n)
		code = 1
	}
	os.Exit(code)
}

// scale returns how much of something there is to be: reduced, or full if that was asked for.
func scale[T any](reduced, full T) T {
	if os.Getenv("AUTHTRIP_FLEET") == "full" {
		return full
	}
	return reduced
}

// long skips a test that takes many seconds, if only short ones were asked for.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
}
