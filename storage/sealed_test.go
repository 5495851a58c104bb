package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestSealedHides(t *testing.T) {
	memory := storage.NewMemory()
	put(t, sealedStore(t, memory, newKeys(t)), "k", "a secret value", 0)
	if r, err := memory.Get(t.Context(), "k"); err != nil || bytes.Contains(r.Value(), []byte("secret")) {
		t.Errorf("the store below has %q, %v, want it sealed", r.Value(), err)
	}
}

// TestSealedRefusesSwappedRows copies the row of one user over that of another,
// as a person with access to the database could.
func TestSealedRefusesSwappedRows(t *testing.T) {
	memory, keys := storage.NewMemory(), newKeys(t)
	sealed := sealedStore(t, memory, keys)
	put(t, sealed, "alice", "of alice", 0)
	bob := put(t, sealed, "bob", "of bob", 0)
	row, err := memory.Get(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	put(t, memory, "bob", string(row.Value()), bob)
	if r, err := sealed.Get(t.Context(), "bob"); !errors.Is(err, seal.ErrTampered) || r.Value() != nil {
		t.Errorf("Get() of a swapped row = %q, %v, want %v", r.Value(), err, seal.ErrTampered)
	}
	box, err := keys.Seal(t.Context(), []byte("of alice"), []byte("carol"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, memory, "carol", string(box), 0)
	if _, err := sealed.Get(t.Context(), "carol"); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("Get() of what was sealed for another purpose = %v, want %v", err, seal.ErrTampered)
	}
}

// pointerAEAD is an AEAD of the program, whose methods need a pointer.
type pointerAEAD struct{ seal.AEAD }

func TestSealedRefusesArguments(t *testing.T) {
	keys, memory := newKeys(t), storage.NewMemory()
	tests := []struct {
		name  string
		store storage.Store
		aead  seal.AEAD
		want  string
	}{
		{"nil store", nil, keys, "nil Store"},
		{"a nil pointer to a store", (*storage.Memory)(nil), keys, "nil Store"},
		{"nil aead", memory, nil, "nil AEAD"},
		{"a nil pointer to an aead", memory, (*pointerAEAD)(nil), "nil AEAD"},
		{"keys that could not be parsed", memory, (*seal.Keys)(nil), "nil AEAD"},
		{"sealed twice", sealedStore(t, memory, keys), keys, "sealed already"},
	}
	for _, tt := range tests {
		if s, err := storage.Sealed(tt.store, tt.aead); s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Sealed(%s) = %v, %v, want an error with %q", tt.name, s, err, tt.want)
		}
	}
}

type (
	plain     struct{ storage.Store }
	onlyList  struct{ storage.Store }
	onlyWatch struct{ storage.Store }
)

func (s onlyList) Keys(ctx context.Context) iter.Seq2[string, error] {
	return s.Store.(*storage.Memory).Keys(ctx)
}

func (s onlyWatch) Watch(ctx context.Context, changed func(storage.Change)) error {
	return s.Store.(*storage.Memory).Watch(ctx, changed)
}

// TestSealedPowers asks a sealed store for the optional interfaces. It must
// have those of the store below, and no more.
func TestSealedPowers(t *testing.T) {
	memory := storage.NewMemory()
	tests := []struct {
		store       storage.Store
		list, watch bool
	}{
		{plain{memory}, false, false},
		{onlyList{memory}, true, false},
		{onlyWatch{memory}, false, true},
		{memory, true, true},
	}
	for _, tt := range tests {
		s := sealedStore(t, tt.store, newKeys(t))
		if _, ok := s.(storage.Lister); ok != tt.list {
			t.Errorf("Sealed(%T) is a Lister = %t, want %t", tt.store, ok, tt.list)
		}
		if _, ok := s.(storage.Watcher); ok != tt.watch {
			t.Errorf("Sealed(%T) is a Watcher = %t, want %t", tt.store, ok, tt.watch)
		}
	}
}

var errKMS = errors.New("the key service is down")

// remote is an AEAD like that of a key service. It can fail, it honours ctx,
// and it is no Rotator.
type remote struct {
	keys *seal.Keys
	down bool
}

func (r *remote) Seal(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil || r.down {
		return nil, errors.Join(err, errKMS)
	}
	return r.keys.Seal(ctx, plaintext, ad)
}

func (r *remote) Open(ctx context.Context, sealed, ad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil || r.down {
		return nil, errors.Join(err, errKMS)
	}
	return r.keys.Open(ctx, sealed, ad)
}

func TestSealedByRemote(t *testing.T) {
	kms := &remote{keys: newKeys(t)}
	s := sealedStore(t, storage.NewMemory(), kms)
	v := put(t, s, "k", "value", 0)
	kms.down = true
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, errKMS) || errors.Is(err, seal.ErrUnsealed) {
		t.Errorf("Get() = %v, want %v and not %v", err, errKMS, seal.ErrUnsealed)
	}
	if _, err := s.Put(t.Context(), "k", []byte("new"), v); !errors.Is(err, errKMS) {
		t.Errorf("Put() = %v, want %v", err, errKMS)
	}
	if done, err := storage.Reseal(t.Context(), s); !errors.Is(err, errKMS) || done.Rewritten != 0 {
		t.Errorf("Reseal() = %+v, %v, want %v", done, err, errKMS)
	}
	kms.down = false
	if r, err := s.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() = %q, %v, want value", r.Value(), err)
	}
	for range 2 {
		if done, err := storage.Reseal(t.Context(), s); err != nil || done.Seen != 1 || done.Rewritten != 1 {
			t.Errorf("Reseal() without a Rotator = %+v, %v, want 1 seen and rewritten", done, err)
		}
	}
}

func TestReseal(t *testing.T) {
	memory := storage.NewMemory()
	old, both, young := ring(t, key(1)), ring(t, key(2), key(1)), ring(t, key(2))
	for i := range 10 {
		put(t, sealedStore(t, memory, old), fmt.Sprintf("old%d", i), strconv.Itoa(i), 0)
	}
	put(t, sealedStore(t, memory, young), "young", "young", 0)
	s := sealedStore(t, memory, both)
	if done, err := storage.Reseal(t.Context(), s); err != nil || done.Seen != 11 || done.Rewritten != 10 || done.Unopened != nil {
		t.Errorf("Reseal() = %+v, %v, want 11 seen, 10 rewritten", done, err)
	}
	if done, err := storage.Reseal(t.Context(), s); err != nil || done.Seen != 11 || done.Rewritten != 0 {
		t.Errorf("Reseal() again = %+v, %v, want 11 seen, none rewritten", done, err)
	}
	for i := range 10 {
		if r, err := sealedStore(t, memory, young).Get(t.Context(), fmt.Sprintf("old%d", i)); err != nil || string(r.Value()) != strconv.Itoa(i) {
			t.Errorf("Get() without the old key = %q, %v, want %d", r.Value(), err, i)
		}
	}
}

// TestResealUnopened has records that Reseal cannot open. It must count them,
// name them, and leave them unchanged.
func TestResealUnopened(t *testing.T) {
	memory := storage.NewMemory()
	put(t, sealedStore(t, memory, ring(t, key(9))), "lost", "value", 0)
	put(t, memory, "plain", "never sealed", 0)
	put(t, sealedStore(t, memory, ring(t, key(1))), "old", "value", 0)
	before := contents(t, memory)
	done, err := storage.Reseal(t.Context(), sealedStore(t, memory, ring(t, key(2), key(1))))
	sort.Strings(done.Unopened)
	if !errors.Is(err, seal.ErrUnsealed) || done.Seen != 3 || done.Rewritten != 1 || fmt.Sprint(done.Unopened) != "[lost plain]" {
		t.Errorf("Reseal() = %+v, %v, want 3 seen, 1 rewritten, lost and plain unopened, %v", done, err, seal.ErrUnsealed)
	}
	after := contents(t, memory)
	for _, key := range []string{"lost", "plain"} {
		if before[key] != after[key] {
			t.Errorf("Reseal() changed %q, which it cannot open", key)
		}
	}
}

// TestResealDamaged has a record that is damaged according to the store. Reseal
// must still do the rest.
func TestResealDamaged(t *testing.T) {
	memory := storage.NewMemory()
	for i := range 10 {
		put(t, sealedStore(t, memory, ring(t, key(1))), fmt.Sprintf("k%d", i), "value", 0)
	}
	faulty := storagetest.NewFaulty(memory, func(op, key string, _ int) storagetest.Fault {
		if op == "Get" && key == "k4" {
			return storagetest.Fault{Err: fmt.Errorf("half of it is gone: %w", storage.ErrCorrupt)}
		}
		return storagetest.Fault{}
	})
	done, err := storage.Reseal(t.Context(), sealedStore(t, listed{faulty, memory}, ring(t, key(2), key(1))))
	if !errors.Is(err, seal.ErrUnsealed) || done.Seen != 10 || done.Rewritten != 9 || fmt.Sprint(done.Unopened) != "[k4]" {
		t.Errorf("Reseal() = %+v, %v, want 10 seen, 9 rewritten, k4 unopened, %v", done, err, seal.ErrUnsealed)
	}
}

func contents(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for key, err := range s.(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		all[key] = fmt.Sprintf("%d %s", r.Version, r.Value())
	}
	return all
}

// listed is a store that fails on demand and lists its keys.
type listed struct {
	*storagetest.Faulty
	storage.Lister
}

// TestResealResumes lets Reseal fail in the middle. Its result must say what
// was done, and the next call must do only the rest.
func TestResealResumes(t *testing.T) {
	memory, disk := storage.NewMemory(), errors.New("disk on fire")
	for i := range 10 {
		put(t, sealedStore(t, memory, ring(t, key(1))), fmt.Sprintf("k%d", i), "value", 0)
	}
	both := ring(t, key(2), key(1))
	faulty := storagetest.NewFaulty(memory, func(op, _ string, n int) storagetest.Fault {
		if op == "Put" && n == 4 {
			return storagetest.Fault{Err: disk}
		}
		return storagetest.Fault{}
	})
	s := sealedStore(t, listed{faulty, memory}, both)
	if done, err := storage.Reseal(t.Context(), s); !errors.Is(err, disk) || done.Seen != 3 || done.Rewritten != 3 {
		t.Errorf("Reseal() = %+v, %v, want 3 seen and rewritten, %v", done, err, disk)
	}
	if done, err := storage.Reseal(t.Context(), s); err != nil || done.Seen != 10 || done.Rewritten != 7 {
		t.Errorf("Reseal() again = %+v, %v, want 10 seen, 7 rewritten", done, err)
	}
}

// TestResealBesideTraffic calls Reseal while every record is incremented all
// the time. No increment may be lost, and at the end no record may need the old
// key.
func TestResealBesideTraffic(t *testing.T) {
	memory := storage.NewMemory()
	const records, writers, each = 20, 4, 200
	for i := range records {
		put(t, sealedStore(t, memory, ring(t, key(1))), fmt.Sprintf("k%d", i), "0", 0)
	}
	both := sealedStore(t, memory, ring(t, key(2), key(1)))
	var traffic sync.WaitGroup
	for range writers {
		traffic.Go(func() {
			for i := range each {
				if err := increment(both, fmt.Sprintf("k%d", i%records)); err != nil {
					t.Errorf("increment = %v, want no error", err)
				}
			}
		})
	}
	if _, err := storage.Reseal(t.Context(), both); err != nil {
		t.Errorf("Reseal() = %v, want no error", err)
	}
	traffic.Wait()
	young := sealedStore(t, memory, ring(t, key(2)))
	for i := range records {
		r, err := young.Get(t.Context(), fmt.Sprintf("k%d", i))
		if want := strconv.Itoa(writers * each / records); err != nil || string(r.Value()) != want {
			t.Errorf("Get(k%d) without the old key = %q, %v, want %s", i, r.Value(), err, want)
		}
	}
}

// increment adds one to the number under key by compare-and-swap, and repeats
// after a conflict.
func increment(s storage.Store, key string) error {
	for {
		r, err := s.Get(context.Background(), key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		n, err := strconv.Atoi("0" + string(r.Value()))
		if err != nil {
			return err
		}
		_, err = s.Put(context.Background(), key, []byte(strconv.Itoa(n+1)), r.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

// meddler is a key ring that calls meddle between the read and the write of a
// record.
type meddler struct {
	*seal.Keys
	meddle func()
}

func (m *meddler) Seal(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	m.meddle()
	return m.Keys.Seal(ctx, plaintext, ad)
}

// TestResealMeetsWriters lets another process write one record and delete
// another between the read and the write of Reseal.
func TestResealMeetsWriters(t *testing.T) {
	memory := storage.NewMemory()
	old := sealedStore(t, memory, ring(t, key(1)))
	v := put(t, old, "k", "before", 0)
	gone := put(t, old, "gone", "value", 0)
	once := sync.OnceFunc(func() {
		put(t, old, "k", "meanwhile", v)
		if err := old.Delete(context.Background(), "gone", gone); err != nil {
			t.Errorf("Delete() = %v, want no error", err)
		}
	})
	s := sealedStore(t, memory, &meddler{ring(t, key(2), key(1)), once})
	done, err := storage.Reseal(t.Context(), s)
	if err != nil || done.Seen != 1 || done.Rewritten != 1 {
		t.Errorf("Reseal() = %+v, %v, want 1 seen and rewritten", done, err)
	}
	young := sealedStore(t, memory, ring(t, key(2)))
	if r, err := young.Get(t.Context(), "k"); err != nil || string(r.Value()) != "meanwhile" {
		t.Errorf("Get() = %q, %v, want what was written meanwhile", r.Value(), err)
	}
	if _, err := young.Get(t.Context(), "gone"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get() of what was deleted meanwhile = %v, want %v", err, storage.ErrNotFound)
	}
}

func TestResealRefuses(t *testing.T) {
	memory := storage.NewMemory()
	if _, err := storage.Reseal(t.Context(), memory); err == nil || !strings.Contains(err.Error(), "not sealed") {
		t.Errorf("Reseal(not sealed) = %v, want an error that says so", err)
	}
	if _, err := storage.Reseal(t.Context(), sealedStore(t, plain{memory}, newKeys(t))); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Reseal(no Lister) = %v, want %v", err, errors.ErrUnsupported)
	}
	s := sealedStore(t, memory, newKeys(t))
	put(t, s, "k", "value", 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errKMS)
	if _, err := storage.Reseal(ctx, s); !errors.Is(err, errKMS) {
		t.Errorf("Reseal(ended ctx) = %v, want its cause", err)
	}
}
