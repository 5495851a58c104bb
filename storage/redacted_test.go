package storage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

// TestRedacted prints everything that holds a secret, alone and in other structs, in every way.
func TestRedacted(t *testing.T) {
	secret := []byte("0123456789abcdefghijklmnopqrstuv")
	keys := ring(t, secret)
	memory := storage.NewMemory()
	put(t, memory, "k", string(secret), 0)
	record, err := memory.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"Keys": keys, "*Keys": *keys, "Memory": memory, "*Memory": *memory, "Record": record, "*Record": &record,
		"Sealed": sealedStore(t, memory, keys),
		"nested": struct {
			keys   *seal.Keys
			ring   seal.Keys
			store  storage.Store
			memory storage.Memory
			Record storage.Record
		}{keys, *keys, sealedStore(t, memory, keys), *memory, record},
		"pointer": struct{ memory *storage.Memory }{memory},
	}
	for name, v := range values {
		for _, text := range prints(t, v) {
			for _, form := range []string{string(secret[:8]), "48 49 50", "3031323334", "30 31 32", "MDEyMzQ1", "0x30, 0x31"} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
					t.Errorf("%s is printed as %q, want no secret in it", name, text)
				}
			}
		}
	}
	for want, v := range map[string]any{"REDACTED": keys, "storage.Memory": memory, "storage.Sealed": sealedStore(t, memory, keys)} {
		if got := fmt.Sprintf("%+v", v); got != want {
			t.Errorf("Sprintf(%%+v, %T) = %q, want %q", v, got, want)
		}
	}
}

// prints returns v in every form that fmt, JSON and slog give it.
func prints(t *testing.T, v any) []string {
	t.Helper()
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U"} {
		out = append(out, fmt.Sprintf(verb, v))
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Errorf("json.Marshal(%T) = %v, want no error", v, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	return append(out, string(data), log.String())
}
