package lease

import (
	"slices"
	"time"
)

// Record is one grant as it is stored. A Record never changes: an operation
// that needs another one makes a copy.
//
// Login and Serial name a token set. Rules compare these names and Token.ID.
// They never compare the clocks of two hosts to order two writes, and never
// the texts of tokens (G6).
type Record struct {
	Issuer, Endpoint, ClientID, Subject string // Endpoint is the token endpoint

	Epoch     string    // random: from a login to the logout or the death of the grant
	Login     string    // random: the authorization from which the tokens descend
	Exchanged time.Time // when the server answered the exchange of that login
	Asked     string    // the scopes that this login asked for
	User      string    // as the ID token of this login names the user; empty without one
	Serial    uint64    // counts the token sets of that login
	Token     Token

	// Over says why the grant has ended. It is empty while the grant is alive.
	// NoGrant marks a tombstone: the user has logged out. All other values
	// mean that the grant is dead. A record that is over holds no tokens
	// outside its queue (G7).
	Over  string
	Code  string    // the error code of the server, if it refused the grant
	Ended time.Time // when the user logged out

	Intent   intent
	Doubts   uint64    // redemptions announced while an earlier one had no known outcome
	Failures uint64    // attempts in a row that failed and redeemed nothing
	RetryAt  time.Time // no attempt before; zero means now

	Queue []revocation // tokens to be revoked; never changed in place
}

// Token is one set of tokens.
type Token struct {
	ID        string // names the set: the ID of the login or of the intent that obtained it
	Access    string
	Type      string
	Refresh   string
	Scope     string
	Members   string    // what else is kept of the server's answers
	Key       string    // the key to which the set is bound, or its name; empty if it is bound to none
	Obtained  time.Time // when the request was sent (G18)
	Expiry    time.Time // when Access expires; zero if that is not known
	Trade     time.Time // from when Access itself can be traded for the next one; zero if it cannot
	Refreshed bool      // the set came from a refresh, not from an authorization
}

// revocation is one token that is to be revoked.
type revocation struct {
	Set      string // [Token].ID of its set
	Refresh  bool   // it is the refresh token of the set
	Token    string
	Since    time.Time
	Attempts uint64    // attempts that were announced
	Next     time.Time // no attempt before
}

// usable reports whether the access token may be handed out: the grant is
// alive, the token has not expired by the wall clock, and it is not the one
// that was rejected (G2).
func (r *Record) usable(now Clock, rejected string) bool {
	return r.Over == "" && r.Token.Access != "" && r.Token.Access != rejected && !r.expired(now)
}

// credential returns what a renewal redeems: the refresh token or, where the
// access token itself is traded, the access token while it can be. It is empty
// if there is none.
func (r *Record) credential(now Clock) string {
	t := r.Token
	if t.Refresh == "" && !t.Trade.IsZero() && !now.Wall.Before(t.Trade) && !r.expired(now) {
		return t.Access
	}
	return t.Refresh
}

func (r *Record) expired(now Clock) bool {
	return !r.Token.Expiry.IsZero() && !now.Wall.Before(r.Token.Expiry)
}

// sameSet reports whether r and other hold, or held, the same token set.
func (r *Record) sameSet(other *Record) bool {
	return r.Login == other.Login && r.Serial == other.Serial
}

// took returns r with a new token set. Doubts and failures belong to the old
// set.
func (r *Record) took(serial uint64, t Token) *Record {
	next := *r
	next.Serial, next.Token = serial, t
	next.Over, next.Code, next.Ended = "", "", time.Time{}
	next.Intent, next.Doubts, next.Failures, next.RetryAt = intent{}, 0, 0, time.Time{}
	// A token that is in use must not be revoked as part of an older set.
	next.Queue = without(r.Queue, func(q revocation) bool { return q.Token == t.Refresh || q.Token == t.Access })
	return &next
}

// over returns r after the grant has ended for the given reason. Its tokens
// leave the record (G7).
func (r *Record) over(reason, code string) *Record {
	next := *r
	next.Over, next.Code = reason, code
	next.Token.Access, next.Token.Refresh, next.Token.Members, next.Token.Key = "", "", "", ""
	next.Intent, next.Doubts, next.Failures, next.RetryAt = intent{}, 0, 0, time.Time{}
	return &next
}

// maxQueue bounds a queue (G10): sixteen token sets.
const maxQueue = 32

// enqueue returns the queue of r with the tokens of a set that are not in it
// yet. The refresh token comes first, because its revocation often ends the
// access token as well. A token that r has in use is left out: some servers
// issue the same token to two logins. The oldest entries of a queue that is too
// long fall out of it.
func (r *Record) enqueue(t Token, since, next time.Time) []revocation {
	if r.queued(t.ID) {
		return r.Queue
	}
	q := slices.Clip(r.Queue)
	for _, e := range [...]revocation{{Refresh: true, Token: t.Refresh}, {Token: t.Access}} {
		if e.Token != "" && e.Token != r.Token.Refresh && e.Token != r.Token.Access {
			e.Set, e.Since, e.Next = t.ID, since, next
			q = append(q, e)
		}
	}
	return q[max(0, len(q)-maxQueue):]
}

// queued reports whether a token of the set stands in the queue.
func (r *Record) queued(set string) bool {
	return slices.ContainsFunc(r.Queue, func(q revocation) bool { return q.Set == set })
}

// forfeited reports whether the record is dead because of a doubt alone, and
// no process has begun to revoke the tokens of the set. Then they may still be
// succeeded by the tokens of a late holder (G4).
func (r *Record) forfeited(set string) bool {
	return r.Over == InDoubt && slices.ContainsFunc(r.Queue, func(q revocation) bool {
		return q.Set == set && q.Refresh && q.Attempts == 0
	})
}

// Due returns when the record needs a [Chore]: the next revocation, or the
// deletion of a tombstone that has nothing to revoke. It returns the zero time
// if it needs none, and for a nil record.
func (c Rules) Due(r *Record) time.Time {
	if r == nil {
		return time.Time{}
	}
	var due time.Time
	for _, q := range r.Queue {
		if due.IsZero() || q.Next.Before(due) {
			due = q.Next
		}
	}
	if due.IsZero() && r.Over == NoGrant {
		return r.Ended.Add(c.Keep)
	}
	return due
}

// without returns the queue without the entries that drop selects. It never
// changes q.
func without(q []revocation, drop func(revocation) bool) []revocation {
	if !slices.ContainsFunc(q, drop) {
		return q
	}
	if rest := slices.DeleteFunc(slices.Clone(q), drop); len(rest) > 0 {
		return rest
	}
	return nil
}
