package storage_test

import (
	"encoding/hex"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

// Every later version must read what this version stores, and processes of
// different versions may share a store. If a test in this file fails, the code
// must change back or become another format: the literals never change.

const (
	keyIDOfFormat1  = "a6cdebdab3ab99f5" // of the key 00, 01 … 1f
	sealedOfFormat1 = "01" + keyIDOfFormat1 + "952277241baff62f89233da9" + "025c728f06" + "a6fa00a527f1f6fb874cba080d5dde7a"
)

func TestSealedFormat(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	keys, memory := ring(t, key), storage.NewMemory()
	put(t, memory, "k", string(unhex(t, sealedOfFormat1)), 0)
	if r, err := sealedStore(t, memory, keys).Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() of a stored value = %q, %v, want value", r.Value(), err)
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
