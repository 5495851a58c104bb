package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

func basics() []part {
	return []part{
		{"NotFound", testNotFound},
		{"Create", testCreate},
		{"Swap", testSwap},
		{"Stale", testStale},
		{"Delete", testDelete},
		{"VersionsNeverReturn", testVersionsNeverReturn},
		{"SameValueNewVersion", testSameValue},
		{"KeysAreIndependent", testIndependent},
		{"CopiedIn", testCopiedIn},
		{"CopiedOut", testCopiedOut},
	}
}

func testNotFound(t *testing.T, s *suite) {
	store := s.open(t)
	wantNone(t, store, "absent")
	wantPut(t, store, "absent", 1, storage.ErrConflict)
	wantNone(t, store, "absent")
}

func testCreate(t *testing.T, s *suite) {
	store := s.open(t)
	v := put(t, store, "k", "first", 0)
	want(t, store, "k", "first", v)
	wantPut(t, store, "k", 0, storage.ErrConflict)
	want(t, store, "k", "first", v)
}

func testSwap(t *testing.T, s *suite) {
	store := s.open(t)
	v1 := put(t, store, "k", "first", 0)
	v2 := put(t, store, "k", "second", v1)
	if v2 == v1 {
		t.Errorf("Put over version %d = version %d, want a new one", v1, v2)
	}
	want(t, store, "k", "second", v2)
}

func testStale(t *testing.T, s *suite) {
	store := s.open(t)
	v1 := put(t, store, "k", "first", 0)
	v2 := put(t, store, "k", "second", v1)
	wantPut(t, store, "k", v1, storage.ErrConflict)
	wantPut(t, store, "k", v1+v2+1, storage.ErrConflict)
	wantDelete(t, store, "k", v1, storage.ErrConflict)
	want(t, store, "k", "second", v2)
}

func testDelete(t *testing.T, s *suite) {
	store := s.open(t)
	wantDelete(t, store, "k", 0, nil)
	wantDelete(t, store, "k", 1, nil)
	v := put(t, store, "k", "value", 0)
	wantDelete(t, store, "k", 0, storage.ErrConflict)
	want(t, store, "k", "value", v)
	wantDelete(t, store, "k", v, nil)
	wantNone(t, store, "k")
	wantDelete(t, store, "k", v, nil)
	wantPut(t, store, "k", v, storage.ErrConflict)
	wantNone(t, store, "k")
}

// testVersionsNeverReturn plays a process that was stopped during deletes and
// new creates. It must never be able to write.
func testVersionsNeverReturn(t *testing.T, s *suite) {
	store := s.open(t)
	seen := map[storage.Version]bool{}
	note := func(v storage.Version) {
		if seen[v] {
			t.Fatalf("Put() = version %d, which the key had before", v)
		}
		seen[v] = true
	}
	first := put(t, store, "k", "0", 0)
	note(first)
	last := first
	for round := range 50 {
		wantDelete(t, store, "k", last, nil)
		last = put(t, store, "k", "created", 0)
		note(last)
		wantPut(t, store, "k", first, storage.ErrConflict)
		wantDelete(t, store, "k", first, storage.ErrConflict)
		if round%2 == 0 {
			last = put(t, store, "k", "swapped", last)
			note(last)
		}
	}
}

func testSameValue(t *testing.T, s *suite) {
	store := s.open(t)
	v1 := put(t, store, "k", "same", 0)
	v2 := put(t, store, "k", "same", v1)
	if v2 == v1 {
		t.Errorf("Put of the same value = version %d again, want a new one", v2)
	}
	wantPut(t, store, "k", v1, storage.ErrConflict)
}

func testIndependent(t *testing.T, s *suite) {
	store := s.open(t)
	versions := map[string]storage.Version{}
	keys := []string{"user", "User", "USER", "uSER", "user.", ".user", "-user", "_user", "..", "con", "nul.txt", "temp", "lock"}
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("user%d", i))
	}
	for _, key := range keys {
		versions[key] = put(t, store, key, "of "+key, 0)
	}
	for _, key := range keys {
		want(t, store, key, "of "+key, versions[key])
	}
	wantDelete(t, store, "user", versions["user"], nil)
	wantNone(t, store, "user")
	want(t, store, "User", "of User", versions["User"])
}

func testCopiedIn(t *testing.T, s *suite) {
	store := s.open(t)
	value := []byte("value")
	v, err := store.Put(context.Background(), "k", value, 0)
	if err != nil {
		t.Fatalf("Put() = %v, want no error", err)
	}
	if string(value) != "value" {
		t.Errorf("Put changed the caller's slice to %q", value)
	}
	copy(value, "other")
	want(t, store, "k", "value", v)
}

func testCopiedOut(t *testing.T, s *suite) {
	store := s.open(t)
	v := put(t, store, "k", "value", 0)
	r, err := store.Get(context.Background(), "k")
	if err != nil {
		t.Fatalf("Get() = %v, want no error", err)
	}
	copy(r.Value(), "other")
	_ = append(r.Value(), "more"...)
	want(t, store, "k", "value", v)
	if err := store.Delete(context.Background(), "k", v); err != nil && !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Delete() = %v, want no error", err)
	}
}
