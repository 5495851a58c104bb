package lease

// Logout ends a grant and revokes its tokens. Its zero value is ready.
type Logout struct{}

// Step returns the next effect.
func (o *Logout) Step(c Rules, l *Local, ev Event) Effect { return Effect{Do: Return} }
