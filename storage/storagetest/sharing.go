package storagetest

import (
	"testing"

	"github.com/authtrip/authtrip/storage"
)

// sharing tests two handles on the same data. The races and Watcher use two
// handles too.
func sharing() []part {
	return []part{
		{"HandlesSeeEachOther", testSeeEachOther},
		{"OutlivesItsHandle", testOutlives},
	}
}

func testSeeEachOther(t *testing.T, s *suite) {
	first, second := s.handles(t)
	wantNone(t, second, "k")
	v1 := put(t, first, "k", "by the first", 0)
	want(t, second, "k", "by the first", v1)
	wantPut(t, second, "k", 0, storage.ErrConflict)
	v2 := put(t, second, "k", "by the second", v1)
	want(t, first, "k", "by the second", v2)
	wantPut(t, first, "k", v1, storage.ErrConflict)
	wantDelete(t, first, "k", v1, storage.ErrConflict)
	wantDelete(t, first, "k", v2, nil)
	wantNone(t, second, "k")
	v3 := put(t, second, "k", "created anew", 0)
	if v3 == v1 || v3 == v2 {
		t.Errorf("Put() = version %d, which the key had before", v3)
	}
	wantPut(t, first, "k", v2, storage.ErrConflict)
	want(t, first, "k", "created anew", v3)
}

// testOutlives closes the first handle, as a process does that ends, and reads
// the data through later handles. A version must not return then either: a
// process that was stopped meanwhile must not be able to write.
func testOutlives(t *testing.T, s *suite) {
	first := s.open(t)
	kept := put(t, first, "kept", "value", 0)
	v1 := put(t, first, "k", "value", 0)
	wantDelete(t, first, "k", v1, nil)
	closeStore(t, first)
	second := s.reopen(t)
	want(t, second, "kept", "value", kept)
	wantNone(t, second, "k")
	v2 := put(t, second, "k", "value", 0)
	if v2 == v1 {
		t.Errorf("Put() after reopening = version %d, which the key had before", v2)
	}
	closeStore(t, second)
	third := s.reopen(t)
	wantPut(t, third, "k", v1, storage.ErrConflict)
	want(t, third, "k", "value", v2)
}
