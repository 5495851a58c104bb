package pacing

import "time"

// Moment is a time on both clocks (G18).
type Moment struct {
	Wall time.Time
	Mono time.Duration // since a fixed moment in the life of the process
}

func (m Moment) add(d time.Duration) Moment { return Moment{m.Wall.Add(d), m.Mono + d} }

// left returns the time from now to m, by whichever clock reaches m first.
func (m Moment) left(now Moment) time.Duration {
	return min(m.Wall.Sub(now.Wall), m.Mono-now.Mono)
}
