package due_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
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

// damaged is a store in which some records cannot be read, and each read takes
// a while.
type damaged struct {
	storage.Store
	errs map[string]error
	read time.Duration
}

func (s damaged) Get(ctx context.Context, key string) (storage.Record, error) {
	time.Sleep(s.read)
	if err := s.errs[key]; err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

// One part of 256 that nobody can read does not keep Keys from the others. A
// store that fails does.
func TestKeys_WhenOnePartCannotBeRead(t *testing.T) {
	down := errors.New("connection refused")
	for name, tt := range map[string]struct{ part, want error }{
		"damaged":               {storage.ErrCorrupt, nil},
		"of a key that is gone": {seal.ErrUnsealed, nil},
		"of a later version":    {due.ErrLater, due.ErrLater},
		"the store is down":     {down, down},
	} {
		memory := storage.NewMemory()
		x := &due.Index{Store: &timed.Store{Store: memory, Timeout: time.Second}, Clock: clock.Machine()}
		if err := x.Enlist(t.Context(), due.Entry{Key: "login.a", Owner: 1, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		errs := map[string]error{}
		bad := (due.Of("login.a") + 1) % due.Parts
		for number := range 16 {
			errs[due.PartName(bad, number)] = tt.part
		}
		x.Store.Store = damaged{Store: memory, errs: errs}
		keys, err := x.Keys(t.Context(), 1, "login.")
		if !errors.Is(err, tt.want) || tt.want == nil && !slices.Equal(keys, []string{"login.a"}) {
			t.Errorf("Keys() with a part that is %s = %q, %v, want login.a, or %v", name, keys, err, tt.want)
		}
	}
}

// A caller has 25 seconds for a disconnect. Reading one part after the other
// would take 26.
func TestKeys_WhenTheStoreNeedsAHundredMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &due.Index{Clock: clock.Machine(), Store: &timed.Store{
			Store: damaged{Store: storage.NewMemory(), read: 100 * time.Millisecond}, Timeout: time.Second,
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := x.Keys(ctx, 1, "login."); err != nil {
			t.Errorf("Keys() within 5 s = %v, want nil", err)
		}
	})
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
