package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
)

func TestMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := clock.Machine()
		time.Sleep(time.Minute)
		wall, mono := c.Now()
		if !wall.Equal(begun.Add(time.Minute)) || mono != time.Minute {
			t.Errorf("Now() = %v, %v after a minute, want %v, 1m", wall, mono, begun.Add(time.Minute))
		}
		if c.Wall() != wall || c.Mono() != mono {
			t.Errorf("Wall(), Mono() = %v, %v, want what Now returns", c.Wall(), c.Mono())
		}
		if want := (clock.Moment{Mono: mono, Wall: wall.UnixNano()}); c.Moment() != want {
			t.Errorf("Moment() = %v, want %v", c.Moment(), want)
		}
	})
}

// Outside a bubble, time.Now carries a monotonic reading. The wall clock must
// not: a difference of two such times would ignore that somebody set the clock.
func TestWallHasNoMonotonicPart(t *testing.T) {
	clocks := map[string]*clock.Clock{
		"the machine's": clock.Machine(),
		"a test's":      clock.New(func() (time.Time, time.Duration) { return time.Now(), 0 }),
	}
	for name, c := range clocks {
		if wall := c.Wall(); wall != wall.Round(0) {
			t.Errorf("%s: Wall() = %v, want no monotonic part", name, wall)
		}
	}
}

func TestNew(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	c := clock.New(func() (time.Time, time.Duration) { return at, time.Hour })
	if wall, mono := c.Now(); !wall.Equal(at) || mono != time.Hour {
		t.Errorf("Now() = %v, %v, want %v, 1h", wall, mono, at)
	}
	if want := (clock.Moment{Mono: time.Hour, Wall: at.UnixNano()}); c.Moment() != want {
		t.Errorf("Moment() = %v, want %v", c.Moment(), want)
	}
}
