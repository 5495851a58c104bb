package storage_test

import (
	"context"
	"testing"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

const secret = "0123456789abcdefghijklmnopqrstuv"

func TestNothingPrintsValues(t *testing.T) {
	memory := storage.NewMemory()
	put(t, memory, "k", secret, 0)
	record, err := memory.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	wantHidden(t, "Record", exposure.Of(record, secret))
	wantHidden(t, "Memory", exposure.Of(*memory, secret))
	wantHidden(t, "*Memory", exposure.Of(memory, secret))
}

// plainKMS is an AEAD whose struct shows its key.
type plainKMS struct {
	key  string
	ring *seal.Keys
}

func (k plainKMS) Seal(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	return k.ring.Seal(ctx, plaintext, ad)
}

func (k plainKMS) Open(ctx context.Context, sealed, ad []byte) ([]byte, error) {
	return k.ring.Open(ctx, sealed, ad)
}

func TestNothingPrintsKeysOfASealedStore(t *testing.T) {
	keys := ring(t, []byte(secret))
	for _, aead := range []seal.AEAD{keys, plainKMS{secret, keys}} {
		for _, below := range []storage.Store{plain{storage.NewMemory()}, storage.NewMemory()} {
			s := sealedStore(t, below, aead)
			put(t, s, "k", secret, 0)
			if _, err := storage.Name(t.Context(), s, "user.", owner, "alice"); err != nil {
				t.Fatal(err)
			}
			wantHidden(t, "Sealed", exposure.Of(s, secret))
			nameKey := mustGet(t, s, storage.NameKey(owner)).Value()[1:]
			wantHidden(t, "Sealed with a name key", exposure.Of(s, string(nameKey)))
		}
	}
}

func mustGet(t testing.TB, s storage.Store, key string) storage.Record {
	t.Helper()
	r, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatalf("Get(%q) = %v, want no error", key, err)
	}
	return r
}

func wantHidden(t *testing.T, name string, ways []string) {
	t.Helper()
	for _, way := range ways {
		t.Errorf("%s shows a secret: %s", name, way)
	}
}

func TestRecordValue(t *testing.T) {
	value := []byte("value")
	r := storage.NewRecord(value, 7)
	if got := r.Value(); string(got) != "value" || &got[0] != &value[0] || r.Version != 7 {
		t.Errorf("NewRecord() = %q, version %d, want the slice value, version 7", got, r.Version)
	}
	if got := (storage.Record{}).Value(); got != nil {
		t.Errorf("Value() of the zero Record = %q, want nil", got)
	}
}
