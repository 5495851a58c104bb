package due_test

import (
	"slices"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/clock"
	"github.com/authtrip/authtrip/internal/due"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

func indexOn(t *testing.T, memory storage.Store, keys seal.AEAD) *due.Index {
	t.Helper()
	sealed, err := storage.Sealed(memory, keys)
	if err != nil {
		t.Fatal(err)
	}
	return &due.Index{Store: &timed.Store{Store: sealed, Timeout: time.Second}, Clock: clock.Machine()}
}

// Apps that seal one store with different keys have an index each. Processes
// with the same keys have one.
func TestAppsWithDifferentSealKeys(t *testing.T) {
	memory := storage.NewMemory()
	keys := func() seal.AEAD {
		k, err := seal.NewKeys(seal.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	one, other := keys(), keys()
	owners := map[string]due.Owner{"one": due.OwnerOf("one"), "other": due.OwnerOf("other")}
	for name, x := range map[string]*due.Index{"one": indexOn(t, memory, one), "other": indexOn(t, memory, other)} {
		if err := x.Enlist(t.Context(), due.Entry{Key: "grant.a", Owner: owners[name], At: time.Now()}); err != nil {
			t.Fatalf("Enlist() of %s = %v, want no error", name, err)
		}
	}
	for name, x := range map[string]*due.Index{"one": indexOn(t, memory, one), "other": indexOn(t, memory, other)} {
		for of, owner := range owners {
			want := []string{"grant.a"}
			if of != name {
				want = nil
			}
			if got, err := x.Keys(t.Context(), owner, "grant."); err != nil || !slices.Equal(got, want) {
				t.Errorf("Keys() of %s for %s = %q, %v, want %q", of, name, got, err, want)
			}
		}
	}
	for range 20 { // more apps than there can be indexes
		if err := indexOn(t, memory, keys()).Enlist(t.Context(), due.Entry{Key: "grant.a", At: time.Now()}); err != nil {
			t.Errorf("Enlist() of one more app = %v, want no error", err)
		}
	}
}

func TestWithout(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	part := due.Part{{Key: "a", Owner: 1, At: at(1)}, {Key: "b", Owner: 2, At: at(1)}, {Key: "c", Owner: 2, At: at(9)}}
	known := func(o due.Owner) bool { return o == 1 }
	if got, old := part.Without(known, at(5)); !old || !slices.Equal(got, due.Part{part[0], part[2]}) {
		t.Errorf("Without(owner 1 is known, before 5) = %v, %t, want a and c, true", got, old)
	}
	if got, old := part.Without(known, at(1)); old || !slices.Equal(got, part) {
		t.Errorf("Without(owner 1 is known, before 1) = %v, %t, want all, false", got, old)
	}
	again, err := due.Decode(due.Encode(part))
	if err != nil || !slices.Equal(again, part) {
		t.Errorf("Decode(Encode(part)) = %v, %v, want the part", again, err)
	}
}
