package lease

import "time"

// Login stores the tokens of a new authorization. A Login that ended with
// StoreFailed may be repeated with the same ID.
type Login struct {
	Issuer, ClientID, Subject string

	ID        string    // random: names the authorization
	Epoch     string    // random: the epoch that it begins, if it begins one
	Exchanged time.Time // when the server answered the exchange
	Token     Token     // Token.ID is filled in
}

// Step returns the next effect.
func (o *Login) Step(c Rules, l *Local, ev Event) Effect { return Effect{Do: Return} }
