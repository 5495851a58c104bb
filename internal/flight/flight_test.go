package flight_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/flight"
)

// The error says whether a deadline has ended the wait, and why.
func TestGaveUp(t *testing.T) {
	why := errors.New("too slow")
	past := time.Now().Add(-time.Second)
	late, stop := context.WithDeadline(t.Context(), past)
	defer stop()
	lateForACause, stop2 := context.WithDeadlineCause(t.Context(), past, why)
	defer stop2()
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for name, tt := range map[string]struct {
		ctx     context.Context
		cause   error
		timeout bool
	}{
		"a deadline":              {late, context.DeadlineExceeded, true},
		"a deadline with a cause": {lateForACause, why, true},
		"cancelled":               {cancelled, why, false},
	} {
		err := flight.GaveUp(tt.ctx)
		timeout, ok := errors.AsType[net.Error](err)
		if !errors.Is(err, tt.cause) || !ok || timeout.Timeout() != tt.timeout {
			t.Errorf("%s: GaveUp() = %v, want the cause %v, timeout %v", name, err, tt.cause, tt.timeout)
		}
	}
}
