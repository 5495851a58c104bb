package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
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

// awaits reports whether a token stands in the queue, whatever was attempted.
func (r *Record) awaits(token revocation) bool {
	return slices.ContainsFunc(r.Queue, func(q revocation) bool { return q.Set == token.Set && q.Refresh == token.Refresh })
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

// recordFormat is the first byte of a stored record. Any change of the fields
// or of their order needs another number.
const recordFormat = 5

var (
	// errFormat is the error of a record in another format, as after a
	// deployment that was rolled back.
	errFormat = errors.New("lease: the stored record has another format: " +
		"a later version of this program may have written it; upgrade this one, and keep the record")

	errDamaged = errors.New("lease: the stored record is damaged")
)

// Encode returns r as bytes: the format, then every field in a fixed order.
// Texts have a length before them. Times are milliseconds since 1970; the
// zero time is 0, and the first millisecond of 1970 counts as the second one.
func (r *Record) Encode() []byte {
	e := encoder(make([]byte, 1, 256+len(r.Token.Access)+len(r.Token.Refresh)+len(r.Token.Scope)))
	e[0] = recordFormat
	e.fields(r)
	e.uint(uint64(len(r.Queue)))
	for i := range r.Queue {
		e.entry(&r.Queue[i])
	}
	return e
}

// Decode is the inverse of [Record.Encode]. It returns an error for bytes that
// are no record, and for a record in another format. That error says what to
// do: the record must be kept, because a later version of this program may be
// able to read it.
func Decode(b []byte) (*Record, error) {
	if len(b) == 0 {
		return nil, errDamaged
	}
	if b[0] != recordFormat {
		return nil, fmt.Errorf("%w (format %d, expected %d)", errFormat, b[0], recordFormat)
	}
	d := decoder{rest: b[1:]}
	r := new(Record)
	d.fields(r)
	n := d.uint()
	if n > maxQueue {
		return nil, errDamaged
	}
	if n > 0 {
		r.Queue = make([]revocation, n)
	}
	for i := range r.Queue {
		d.entry(&r.Queue[i])
	}
	if d.failed || len(d.rest) > 0 || !final(r.Over) {
		return nil, errDamaged
	}
	return r, nil
}

// final reports whether a record may be over for the given reason, or is alive.
func final(over string) bool {
	return over == "" || over == NoGrant || over == Denied || over == InDoubt || over == NoRefreshToken
}

// texts, times and counts name the fields in the order in which they are
// stored.
func (r *Record) texts() [19]*string {
	return [...]*string{
		&r.Issuer, &r.Endpoint, &r.ClientID, &r.Subject, &r.Epoch, &r.Login,
		&r.Token.ID, &r.Token.Access, &r.Token.Type, &r.Token.Refresh, &r.Token.Scope,
		&r.Over, &r.Code, &r.Intent.Holder, &r.Intent.ID, &r.Asked, &r.User, &r.Token.Members, &r.Token.Key,
	}
}

func (r *Record) times() [8]*time.Time {
	return [...]*time.Time{
		&r.Exchanged, &r.Token.Obtained, &r.Token.Expiry, &r.Ended, &r.Intent.Since, &r.Intent.Until, &r.RetryAt, &r.Token.Trade,
	}
}

func (r *Record) counts() [3]*uint64 {
	return [...]*uint64{&r.Serial, &r.Doubts, &r.Failures}
}

type encoder []byte

func (e *encoder) fields(r *Record) {
	for _, s := range r.texts() {
		e.text(*s)
	}
	for _, t := range r.times() {
		e.time(*t)
	}
	for _, n := range r.counts() {
		e.uint(*n)
	}
	e.flag(r.Token.Refreshed)
}

func (e *encoder) entry(q *revocation) {
	e.text(q.Set)
	e.text(q.Token)
	e.flag(q.Refresh)
	e.time(q.Since)
	e.time(q.Next)
	e.uint(q.Attempts)
}

func (e *encoder) uint(n uint64) { *e = binary.AppendUvarint(*e, n) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) time(t time.Time) {
	ms := int64(0)
	if !t.IsZero() {
		ms = t.UnixMilli()
		if ms == 0 {
			ms = 1 // a token that has expired must not become one that never does
		}
	}
	*e = binary.AppendVarint(*e, ms)
}

func (e *encoder) flag(set bool) {
	b := byte(0)
	if set {
		b = 1
	}
	*e = append(*e, b)
}

type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fields(r *Record) {
	for _, s := range r.texts() {
		*s = d.text()
	}
	for _, t := range r.times() {
		*t = d.time()
	}
	for _, n := range r.counts() {
		*n = d.uint()
	}
	r.Token.Refreshed = d.flag()
}

func (d *decoder) entry(q *revocation) {
	q.Set, q.Token, q.Refresh = d.text(), d.text(), d.flag()
	q.Since, q.Next, q.Attempts = d.time(), d.time(), d.uint()
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.skip(0)
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) time() time.Time {
	ms, n := binary.Varint(d.rest)
	d.skip(n)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (d *decoder) flag() bool {
	if len(d.rest) == 0 || d.rest[0] > 1 {
		d.skip(0)
		return false
	}
	set := d.rest[0] == 1
	d.rest = d.rest[1:]
	return set
}

// skip drops n bytes. An n that is not positive means that a value could not
// be read.
func (d *decoder) skip(n int) {
	if n <= 0 {
		d.failed, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}
