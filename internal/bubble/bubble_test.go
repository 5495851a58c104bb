package bubble_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/internal/bubble"
)

func TestGoroutines(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	go func() { <-stop }() // outside: not to be counted
	synctest.Test(t, func(*testing.T) {
		before := bubble.Goroutines()
		leave := make(chan struct{})
		for range 3 {
			go func() { <-leave }()
		}
		synctest.Wait()
		runtime.GC()
		if got := bubble.Goroutines() - before; got != 3 {
			t.Errorf("Goroutines() = %d more after three were started, want 3", got)
		}
		close(leave)
		synctest.Wait()
		if got := bubble.Goroutines() - before; got != 0 {
			t.Errorf("Goroutines() = %d more after they ended, want 0", got)
		}
	})
}
