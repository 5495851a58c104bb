package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

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
