package storage_test

import (
	"encoding/hex"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

// What is stored must be read by every later version, and processes of different versions may share a store. So the
// literals in this file never change: where a test fails, the code must change back, or become another format.

const (
	keyIDOfFormat1  = "93213a15eaba4a21" // of the key 00, 01 … 1f
	sealedOfFormat1 = "01" + keyIDOfFormat1 + "a4251c2e94c518dfbc808748" + "0af6696bd4" + "2ca1a4761972c7b3d06c043e4db66e0a"
)

func TestSealedFormat(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	keys, memory := ring(t, key), storage.NewMemory()
	put(t, memory, "k", string(unhex(t, sealedOfFormat1)), 0)
	if r, err := sealedStore(t, memory, keys).Get(t.Context(), "k"); err != nil || string(r.Value) != "value" {
		t.Errorf("Get() of a stored value = %q, %v, want value", r.Value, err)
	}
	box, err := keys.Seal(t.Context(), []byte("value"), nil) // the rest of it is random
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(box[:9]), "01"+keyIDOfFormat1; got != want || len(box) != len(sealedOfFormat1)/2 {
		t.Errorf("Seal() = %s and %d bytes more, want %s and %d", got, len(box)-9, want, len(sealedOfFormat1)/2-9)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
