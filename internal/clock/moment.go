package clock

import (
	"math"
	"time"
)

// Moment is a time on both clocks. The zero Moment has always passed.
type Moment struct {
	Mono time.Duration // by the monotonic clock
	Wall int64         // in nanoseconds since 1970
}

// Never is a Moment that never passes.
var Never = Moment{math.MaxInt64, math.MaxInt64}

// Passed reports whether one of the clocks has reached m.
func (m Moment) Passed(now Moment) bool { return now.Mono >= m.Mono || now.Wall >= m.Wall }

// Add returns the Moment d after m.
func (m Moment) Add(d time.Duration) Moment { return Moment{m.Mono + d, m.Wall + int64(d)} }

// At returns the Moment at which the wall clock will show t, if m is the
// present and nobody sets the clock. For the zero Time it returns Never.
func (m Moment) At(t time.Time) Moment {
	switch year := t.Year(); {
	case t.IsZero(), year > 2200: // UnixNano ends in 2262
		return Never
	case year < 1970:
		return Moment{}
	}
	return m.Add(time.Duration(t.UnixNano() - m.Wall))
}
