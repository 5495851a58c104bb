// Package ahead says when a token is replaced before it expires.
//
// A token is replaced a short time before its end where there is a refresh
// token. Some servers have none, and trade an access token itself for the next
// one, in a window that ends with the token (Provider.Trade). All functions are
// pure, and nothing fails.
package ahead

import "time"

// Token is what must be known of a token.
type Token struct {
	Obtained, Expiry time.Time
	Trade            time.Time // from when it can itself be traded; zero if it cannot
	Refreshable      bool      // there is a refresh token
	Refreshed        bool      // it came from a refresh or a trade, and not from a login
}

// Refresh returns when to refresh t ahead of its expiry: about before, at most
// a tenth of its lifetime. The jitter spreads tokens that were issued together
// (G9); it must be the same at each call for one token. Refresh returns the
// zero time if t cannot be replaced or its expiry is not known. A negative
// before means never, except for a token that is traded.
func (t Token) Refresh(before time.Duration, jitter uint64) time.Time {
	switch {
	case t.Expiry.IsZero():
		return time.Time{}
	case !t.Refreshable:
		return t.trade(jitter)
	case before < 0:
		return time.Time{}
	}
	before = max(0, min(before, t.Expiry.Sub(t.Obtained)/10))
	return t.Expiry.Add(-before*3/4 - time.Duration(jitter%uint64(before/2+1)))
}

// trade returns when t is to be traded for the next token, or the zero time if
// it cannot be. The token of a login is traded at once, and any other one after
// half of its life: the other half is for attempts that fail.
func (t Token) trade(jitter uint64) time.Time {
	if t.Trade.IsZero() || !t.Refreshed && !t.Trade.After(t.Obtained) {
		return t.Trade
	}
	life := max(t.Expiry.Sub(t.Obtained), 0)
	half := t.Obtained.Add(life/2 - time.Duration(jitter%uint64(life/10+1)))
	if half.Before(t.Trade) {
		return t.Trade
	}
	return half
}

// TradeFrom returns from when a token can itself be traded, at a server that
// trades tokens of the given age. A token that ends within a day, or before
// that age, is that of a login: it can be traded at once. The zero time means
// never: nobody knows when the token ends.
func TradeFrom(obtained, expiry time.Time, age time.Duration) time.Time {
	const (
		short = 24 * time.Hour
		slack = time.Minute // the server counts from later on, and by its own clock
	)
	switch {
	case expiry.IsZero():
		return time.Time{}
	case expiry.Sub(obtained) <= max(age, short):
		return obtained
	}
	return obtained.Add(age + slack)
}
