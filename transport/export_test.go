package transport

// Pauses returns how many pauses between renewals t remembers.
func Pauses(t *Transport) int { return int(t.core().futile.n.Load()) }
