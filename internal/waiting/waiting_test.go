package waiting_test

import (
	"context"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/waiting"
)

func TestReport(t *testing.T) {
	var lasted, left time.Duration
	told := waiting.With(t.Context(), func(a, b time.Duration) { lasted, left = a, b })
	work, cancel := context.WithTimeout(context.WithoutCancel(told), time.Minute)
	defer cancel()
	waiting.Report(t.Context(), time.Hour, time.Hour) // a context without a function
	waiting.Report(work, time.Second, time.Minute)
	if lasted != time.Second || left != time.Minute {
		t.Errorf("Report(1s, 1m) = %v, %v", lasted, left)
	}
}
