package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

func limits() []part {
	return []part{
		{"GoodKeys", testGoodKeys},
		{"BadKeys", testBadKeys},
		{"Values", testValues},
		{"ValueTooLarge", testTooLarge},
	}
}

func testGoodKeys(t *testing.T, s *suite) {
	store := s.open(t)
	const every = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	for _, key := range []string{"a", "A", ".", "-", "0", every, strings.Repeat("K", storage.MaxKey), strings.Repeat(".", storage.MaxKey)} {
		v := put(t, store, key, "value", 0)
		want(t, store, key, "value", v)
	}
}

// badKeys are keys that every store refuses.
func badKeys() []string {
	return []string{"", strings.Repeat("k", storage.MaxKey+1), "a b", "a/b", "../a", `a\b`, "a:b", "a|b", "a\x00b", "a\n", "é", "a%41", "*"}
}

func testBadKeys(t *testing.T, s *suite) {
	store := s.open(t)
	ctx := context.Background()
	for _, key := range badKeys() {
		_, err := store.Get(ctx, key)
		wantRefusal(t, fmt.Sprintf("Get(%q)", key), err)
		_, err = store.Put(ctx, key, []byte("value"), 0)
		wantRefusal(t, fmt.Sprintf("Put(%q)", key), err)
		wantRefusal(t, fmt.Sprintf("Delete(%q)", key), store.Delete(ctx, key, 0))
	}
}

// wantRefusal fails the test unless err is an error that is neither ErrNotFound
// nor ErrConflict.
func wantRefusal(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
		t.Errorf("%s = %v, want an error that is neither ErrNotFound nor ErrConflict", call, err)
	}
}

func testValues(t *testing.T, s *suite) {
	store := s.open(t)
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	tests := map[string]string{
		"empty":      "",
		"zero":       "\x00",
		"binary":     string(all[:]),
		"not-utf8":   "\xff\xfe\x80",
		"end-zeros":  "value\x00\x00",
		"end-spaces": "value  \r\n",
		"quotes":     `'";--\`,
		"4095":       strings.Repeat("x", 4095),
		"4096":       strings.Repeat("x", 4096),
		"1MiB":       string(bytes.Repeat(all[:], storage.MaxValue/len(all))),
	}
	for key, value := range tests {
		v := put(t, store, key, value, 0)
		want(t, store, key, value, v)
		v = put(t, store, key, "", v)
		want(t, store, key, "", v)
		v = put(t, store, key, value, v)
		want(t, store, key, value, v)
	}
	v, err := store.Put(context.Background(), "nil", nil, 0)
	if err != nil {
		t.Fatalf("Put(nil) = %v, want no error", err)
	}
	want(t, store, "nil", "", v)
}

func testTooLarge(t *testing.T, s *suite) {
	store := s.open(t)
	const tooLarge = storage.MaxValue + 8<<10 // a store may have some room for the sealing of the largest value
	_, err := store.Put(context.Background(), "k", make([]byte, tooLarge), 0)
	wantRefusal(t, fmt.Sprintf("Put(%d bytes)", tooLarge), err)
	wantNone(t, store, "k")
	v := put(t, store, "k", "small", 0)
	_, err = store.Put(context.Background(), "k", make([]byte, tooLarge), v)
	wantRefusal(t, fmt.Sprintf("Put(%d bytes)", tooLarge), err)
	want(t, store, "k", "small", v)
}
