package transport_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/transport"
)

func inBubble(t *testing.T, f func(*testing.T)) { t.Helper(); synctest.Test(t, f) }

// Ten thousand requests hold one dead token: one renewal, no failure, no
// goroutine left. The answers come at once or spread out, so that many a 401
// arrives when the renewal is long over.
func TestT3_Storm(t *testing.T) {
	const n = 10_000
	for name, spread := range map[string]time.Duration{"flat": 0, "late": 80 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				synctest.Wait()
				before := bubble.Goroutines()
				storm(t, n, spread)
				synctest.Wait()
				if after := bubble.Goroutines(); after > before {
					t.Errorf("goroutines after the storm = %d, want the %d of before", after, before)
				}
			})
		})
	}
}

func storm(t *testing.T, n int, spread time.Duration) {
	var arrived, failed atomic.Int64
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		status := http.StatusOK
		if req.Header.Get("Authorization") == "Bearer tok-1" {
			time.Sleep(20*time.Millisecond + spread*time.Duration(arrived.Add(1))/time.Duration(n))
			status = http.StatusUnauthorized
		}
		return response(req, status, nil, ""), nil
	})
	src := newSource()
	src.took = 50 * time.Millisecond
	rt := newTransport(t, src, base, transport.Options{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			resp, err := rt.RoundTrip(newRequest(t, "GET", api, nil))
			if err != nil || resp.StatusCode != http.StatusOK {
				failed.Add(1)
				return
			}
			resp.Body.Close()
		})
	}
	wg.Wait()
	if got := src.renewals.Load(); got != 1 || failed.Load() != 0 {
		t.Errorf("storm of %d: %d renewals and %d failures, want 1 and 0", n, got, failed.Load())
	}
	if got := src.asked.Load(); got != int64(n) {
		t.Errorf("storm of %d: Renew was called %d times, want once per 401", n, got)
	}
}
