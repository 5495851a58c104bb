package lease

import "time"

// Record is one grant as it is stored. A Record never changes: whoever needs
// another one makes a copy.
type Record struct {
	Issuer, ClientID, Subject string

	Epoch     string    // random: from a login to the logout or the death of the grant
	Login     string    // random: the authorization that the tokens descend from
	Exchanged time.Time // when the server answered the exchange of that login
	Serial    uint64    // counts the token sets of that login
	Token     Token

	Over  Reason    // why the grant has ended: NoGrant after a logout, otherwise it is dead; empty while it is alive
	Code  string    // the error code of the server, if it refused the grant
	Ended time.Time // when the user logged out

	Intent   Intent
	Doubts   uint64    // how often the refresh token was sent again after a lost answer
	Failures uint64    // attempts in a row that failed and redeemed nothing
	RetryAt  time.Time // no attempt before; zero means now

	Queue []Revocation // tokens to be revoked; never changed in place
}

// Token is one set of tokens.
type Token struct {
	ID        string // random: names the set
	Access    string
	Type      string
	Refresh   string
	Scope     string
	Obtained  time.Time // when the request was sent
	Expiry    time.Time // when Access expires; zero if that is not known
	Refreshed bool      // the set came from a refresh, not from an authorization
}

// Revocation is one token that is to be revoked.
type Revocation struct {
	Set      string // Token.ID of the set
	Refresh  bool   // it is the refresh token of the set
	Token    string
	Since    time.Time
	Attempts uint64
	Next     time.Time // the next attempt
}

// Usable reports whether the access token may be handed out: the grant is
// alive, the token has not expired by the wall clock, and it is not the one
// that was rejected (G2).
func (r *Record) Usable(now Clock, rejected string) bool {
	return r.Over == "" && r.Token.Access != "" && r.Token.Access != rejected && !r.expired(now)
}

func (r *Record) expired(now Clock) bool {
	return !r.Token.Expiry.IsZero() && !now.Wall.Before(r.Token.Expiry)
}

// RefreshAt returns when to refresh ahead of expiry. It returns the zero time
// if the grant cannot be refreshed or its expiry is not known.
func (r *Record) RefreshAt(before time.Duration, jitter uint64) time.Time { return time.Time{} }
