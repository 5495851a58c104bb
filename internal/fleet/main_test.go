//go:build linux

package fleet_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
)

// workerEnv is the variable with the setup of a process that is to be a worker.
const workerEnv = "AUTHTRIP_FLEET_WORKER"

// TestMain makes this process a worker, or the browser of a command, if it was
// started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "http") {
		nativeapptest.Main(m)
	}
	if s := os.Getenv(workerEnv); s != "" {
		if err := work(s); err != nil {
			fmt.Fprintln(os.Stderr, "fleet: worker:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	// The parallel tests wait for leases to end more than for processors. At
	// full scale, each of them starts hundreds of processes.
	if err := flag.Set("test.parallel", scale("24", "6")); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
	code := m.Run()
	if n := running.Load(); n > 0 {
		fmt.Fprintf(os.Stderr, "fleet: %d processes are left\n", n)
		code = 1
	}
	os.Exit(code)
}

// scale returns the reduced value, or the full one if full scale was asked for.
func scale[T any](reduced, full T) T {
	if os.Getenv("AUTHTRIP_FLEET") == "full" {
		return full
	}
	return reduced
}

// long skips a test that takes many seconds if only short ones were asked for.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
}
