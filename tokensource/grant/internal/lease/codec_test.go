package lease_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant/internal/lease"
)

// fill sets every field of v to a value of its own. Times count from 1.
func fill(t *testing.T, v reflect.Value, n *int64) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		*n++
		v.Set(reflect.ValueOf(time.UnixMilli(*n)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.String:
		*n++
		v.SetString(strings.Repeat("x", int(*n)))
	case reflect.Uint64:
		*n++
		v.SetUint(uint64(*n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("a field of type %s is not filled in", v.Type())
	}
}

func full(t *testing.T) *lease.Record {
	r, n := new(lease.Record), int64(0)
	fill(t, reflect.ValueOf(r).Elem(), &n)
	r.Over = lease.Denied
	return r
}

// The codec keeps every field.
func TestRecordRoundTrip(t *testing.T) {
	for name, want := range map[string]*lease.Record{
		"full": full(t), "zero": {}, "tombstone": {Over: lease.NoGrant, Ended: time.UnixMilli(5)},
		"in doubt": {Over: lease.InDoubt}, "no refresh token": {Over: lease.NoRefreshToken},
	} {
		got, err := lease.Decode(want.Encode())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Decode(Encode) = %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// The first millisecond of 1970 is no zero time after a round trip: a token
// that has expired does not become one that never expires.
func TestRecordKeepsTheFirstMillisecond(t *testing.T) {
	for ms, want := range map[int64]int64{-1: -1, 0: 1, 1: 1} {
		r := &lease.Record{Token: lease.Token{Expiry: time.UnixMilli(ms)}}
		got, err := lease.Decode(r.Encode())
		if err != nil || !got.Token.Expiry.Equal(time.UnixMilli(want)) {
			t.Errorf("Decode(Encode(%d ms)) = %v, %v, want %d ms", ms, got, err, want)
		}
	}
}

// The stored form does not change by accident.
func TestRecordBytes(t *testing.T) {
	r := &lease.Record{
		Issuer: "i", Endpoint: "t", ClientID: "c", Subject: "s", Epoch: "e", Login: "l", Exchanged: time.UnixMilli(1), Asked: "k", User: "u", Serial: 2,
		Token: lease.Token{
			ID: "d", Access: "a", Type: "b", Refresh: "r", Scope: "o", Members: "m", Key: "y",
			Obtained: time.UnixMilli(2), Expiry: time.UnixMilli(3), Trade: time.UnixMilli(11), Refreshed: true,
		},
		Over: lease.Denied, Code: "x", Ended: time.UnixMilli(4),
		Intent: lease.Intent{Holder: "h", ID: "n", Since: time.UnixMilli(5), Until: time.UnixMilli(6)},
		Doubts: 3, Failures: 4, RetryAt: time.UnixMilli(7),
		Queue: []lease.Revocation{{Set: "q", Refresh: true, Token: "z", Since: time.UnixMilli(8), Attempts: 5, Next: time.UnixMilli(9)}},
	}
	const want = "05" + // format
		"0169" + "0174" + "0163" + "0173" + "0165" + "016c" + // issuer … login
		"0164" + "0161" + "0162" + "0172" + "016f" + // token
		"0772656675736564" + "0178" + "0168" + "016e" + "016b" + "0175" + "016d" + "0179" + // over, code, holder, intent, asked, user, members, key
		"02" + "04" + "06" + "08" + "0a" + "0c" + "0e" + "16" + // times
		"02" + "03" + "04" + "01" + // serial, doubts, failures, refreshed
		"01" + "0171" + "017a" + "01" + "10" + "12" + "05" // queue
	if got := hex.EncodeToString(r.Encode()); got != want {
		t.Errorf("Encode = %s, want %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := full(t).Encode()
	type refused struct {
		name   string
		bytes  []byte
		format bool // the error is ErrFormat
	}
	list := []refused{
		{"nothing", nil, false},
		{"an earlier format", append([]byte{4}, good[1:]...), true},
		{"a later format", append([]byte{6}, good[1:]...), true},
		{"a format without a record", []byte{9}, true},
		{"bytes after the record", append(bytes.Clone(good), 0), false},
		{"a reason that ends no grant", (&lease.Record{Over: lease.Spaced}).Encode(), false},
		{"a queue that is too long", (&lease.Record{Queue: make([]lease.Revocation, lease.MaxQueue+1)}).Encode(), false},
		{"a flag that is no flag", bytes.ReplaceAll(good, []byte{1}, []byte{2}), false},
	}
	for n := 1; n < len(good); n++ {
		list = append(list, refused{"a part of a record", good[:n], false})
	}
	for _, tt := range list {
		r, err := lease.Decode(tt.bytes)
		if r != nil || err == nil || errors.Is(err, lease.ErrFormat) != tt.format {
			t.Errorf("Decode(%s, %d bytes) = %v, %v", tt.name, len(tt.bytes), r, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add((&lease.Record{}).Encode())
	f.Add((&lease.Record{
		Subject: "s", Over: lease.InDoubt, Queue: []lease.Revocation{{Set: "q", Token: "t", Next: time.UnixMilli(9)}},
	}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := lease.Decode(b)
		if err != nil {
			return
		}
		again, err := lease.Decode(r.Encode())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("Decode(Encode(Decode(%x))) = %+v, %v, want %+v", b, again, err, r)
		}
	})
}
