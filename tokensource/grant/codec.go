package grant

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// recordFormat is the first byte of a stored record. Any change to the fields below takes a new number, and decode goes
// on reading the old ones.
const recordFormat = 1

var errBadRecord = errors.New("grant: the stored record is damaged")

// encode returns r as bytes: the format number, then every field in a fixed order, each with its length or as a varint.
func (r *record) encode() []byte {
	b := make([]byte, 1, 256+len(r.access)+len(r.refresh)+len(r.scope))
	b[0] = recordFormat
	for _, s := range r.strings() {
		b = binary.AppendUvarint(b, uint64(len(*s)))
		b = append(b, *s...)
	}
	for _, t := range r.times() {
		b = binary.AppendVarint(b, millis(*t))
	}
	refreshed := uint64(0)
	if r.refreshed {
		refreshed = 1
	}
	for _, n := range [...]uint64{refreshed, uint64(r.state), r.doubts, r.failures} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// decode is the inverse of encode. It refuses formats that it does not know, so that a record of a later version is
// neither misread nor overwritten.
func decode(b []byte) (*record, error) {
	if len(b) == 0 {
		return nil, errBadRecord
	}
	if b[0] != recordFormat {
		return nil, fmt.Errorf("grant: the stored record has format %d, and this version reads %d: upgrade it", b[0], recordFormat)
	}
	d := decoder{rest: b[1:]}
	r := new(record)
	for _, s := range r.strings() {
		*s = d.string()
	}
	for _, t := range r.times() {
		*t = fromMillis(d.varint())
	}
	r.refreshed = d.uvarint() == 1
	r.state = state(d.uvarint())
	r.doubts, r.failures = d.uvarint(), d.uvarint()
	if d.failed || len(d.rest) > 0 || r.state > stateRevoking {
		return nil, errBadRecord
	}
	return r, nil
}

// strings and times name the fields in the order in which they are stored.
func (r *record) strings() [11]*string {
	return [...]*string{
		&r.provider, &r.clientID, &r.subject, &r.epoch, &r.access, &r.tokenType, &r.refresh, &r.scope,
		(*string)(&r.reason), &r.code, &r.intent.id,
	}
}

func (r *record) times() [6]*time.Time {
	return [...]*time.Time{&r.authorized, &r.obtained, &r.expiry, &r.intent.since, &r.intent.until, &r.retryAt}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.failed = true
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.failed, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}
