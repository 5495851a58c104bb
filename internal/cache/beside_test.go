package cache_test

import (
	"fmt"
	"testing"
	"time"
)

// Two Caches that share one memory do not know each other's subjects, also if
// all names have one hash (M8).
func TestOneNameInTwoSpaces(t *testing.T) {
	for name, keep := range bits {
		t.Run(name, func(t *testing.T) {
			one := newWorld(100)
			one.UseBits(keep)
			other := &world{Cache: one.Beside(), clock: one.clock}
			for i, subject := range []string{"u", fmt.Sprintf("%0600d", 1)} {
				one.read(subject, uint64(i+1))
				if got := token(other.Load(subject)); got != "none" {
					t.Errorf("Load(%.20q) beside the Cache that has it = %s, want none", subject, got)
				}
				s := other.Begin("key elsewhere of "+subject, subject).Publish(one.entry(subject, 7))
				if got, want := token(s), subject+"@7"; got != want {
					t.Errorf("Publish(%.20q) = %.30s, want %.30s", subject, got, want)
				}
				one.sees(t, subject, fmt.Sprintf("%s@%d", subject, i+1), fmt.Sprintf("%s@%d", subject, i+1))
				if p := other.Place(key(subject), subject); p != nil {
					t.Errorf("Place(%.20q) of a key that belongs to another space is not nil", subject)
				}
			}
		})
	}
}

// The Caches of one memory have one limit, one notification and one end of what
// nobody uses.
func TestSpacesShareOneMemory(t *testing.T) {
	w := newWorld(10)
	for i := range 30 {
		other := w.Beside()
		k := fmt.Sprintf("key of tenant %d", i)
		other.Begin(k, "u").Publish(w.entry("u", 1))
		if other.Fresh("u") == nil {
			t.Errorf("tenant %d: Fresh = nil after Publish, want a token", i)
		}
		w.Invalidate(k, 2)
		if other.Fresh("u") != nil {
			t.Errorf("tenant %d: Fresh after a notification = a token, want nil", i)
		}
	}
	if got := w.Len(); got > 10 {
		t.Errorf("Len() = %d after 30 tenants, want at most the limit 10", got)
	}
	w.clock.sleep(10*time.Minute + 31*time.Second)
	w.Tidy()
	if got := w.Len(); got != 0 {
		t.Errorf("Len() = %d after the idle time, want 0", got)
	}
}
