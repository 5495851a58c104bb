package attempts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/attempts"
)

func TestAllow(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &attempts.Log{Max: 2, Window: 10 * time.Minute}
	for i, tt := range []struct {
		thing string
		after time.Duration
		want  bool
	}{
		{"a", 0, true},
		{"a", time.Minute, true},
		{"a", 2 * time.Minute, false},
		{"b", 2 * time.Minute, true},
		{"a", 10 * time.Minute, true}, // the first one is too long ago
		{"a", 10 * time.Minute, false},
		{"a", 11 * time.Minute, true}, // a refusal does not count
		{"a", time.Hour, true},
	} {
		if got := l.Allow(tt.thing, begun.Add(tt.after)); got != tt.want {
			t.Errorf("%d: Allow(%s) after %v = %t, want %t", i, tt.thing, tt.after, got, tt.want)
		}
	}
}

func TestTenThousandThings(t *testing.T) {
	l, now := &attempts.Log{Max: 1, Window: time.Minute}, time.Now()
	for i := range 10_000 {
		if !l.Allow(fmt.Sprint(i), now) {
			t.Fatalf("Allow(%d) = false, want true", i)
		}
	}
	if n := l.Len(); n > 4096 {
		t.Errorf("%d things are remembered, want 4096 at most", n)
	}
	if l.Allow("9999", now) {
		t.Error("Allow(9999) = true once more, want false")
	}
}
