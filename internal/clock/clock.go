// Package clock reads the two clocks of a process.
//
// The wall clock shows the time of day. Somebody can set it, and it goes on
// while the machine is suspended. The monotonic clock only goes forward, and
// stands still while the machine is suspended. A time limit that trusts one of
// them alone can be wrong by hours, so package grant asks both.
//
// A [Clock] is a parameter of the code that reads it. Tests and the simulation
// give each process clocks of its own. It is safe for concurrent use.
package clock

import "time"

// Clock is the pair of clocks of one process. Make one with [Machine] or [New].
type Clock struct {
	read   func() (time.Time, time.Duration) // nil: the machine's clocks
	origin time.Time                         // where the machine's monotonic clock begins
}

// Machine returns the clocks of this machine. The monotonic clock begins at
// zero.
func Machine() *Clock { return &Clock{origin: time.Now()} }

// New returns clocks that a test controls. Each call of read returns the wall
// clock and the monotonic clock at one moment. It must be safe for concurrent
// use.
func New(read func() (wall time.Time, mono time.Duration)) *Clock {
	return &Clock{read: read}
}

// Now returns both clocks, read at one moment. The wall clock comes without
// Go's monotonic part: a difference of two such times shows what the wall clock
// showed.
func (c *Clock) Now() (wall time.Time, mono time.Duration) {
	if c.read != nil {
		wall, mono = c.read()
		return wall.Round(0), mono
	}
	now := time.Now()
	return now.Round(0), now.Sub(c.origin)
}

// Moment returns both clocks, as Now does. Every request reads them in this
// way, because it takes little more time than time.Now does.
func (c *Clock) Moment() Moment {
	if c.read != nil {
		wall, mono := c.read()
		return Moment{Mono: mono, Wall: wall.UnixNano()}
	}
	now := time.Now()
	return Moment{Mono: now.Sub(c.origin), Wall: now.UnixNano()}
}

// Wall returns the wall clock, without Go's monotonic part.
func (c *Clock) Wall() time.Time {
	wall, _ := c.Now()
	return wall
}

// Mono returns the monotonic clock.
func (c *Clock) Mono() time.Duration {
	_, mono := c.Now()
	return mono
}
