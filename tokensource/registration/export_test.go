package registration

import "time"

// Failures returns how many errors r remembers.
func (r *Registrar) Failures() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed)
}

// Live reports whether an announcement that ends at end counts at now.
func Live(end, now time.Time) bool {
	return record{Intent: &intent{End: end.UnixMilli()}}.live(now)
}

// Wait returns how long a registration has to wait that replaces one which was
// made at made.
func Wait(made, now time.Time) time.Duration {
	return record{Clients: []client{{Refused: true, Made: made.Unix()}}}.wait("", now)
}
