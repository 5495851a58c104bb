package lease

// Renewal obtains an access token other than Rejected.
type Renewal struct {
	Rejected string // the access token that an API rejected; empty if it has expired
	Ahead    bool   // Rejected is still good: a refresh ahead of its expiry is wanted
}

// Step returns the next effect.
func (o *Renewal) Step(c Rules, l *Local, ev Event) Effect { return Effect{Do: Return} }
