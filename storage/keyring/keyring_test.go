package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	gokeyring "github.com/zalando/go-keyring"

	"github.com/authtrip/authtrip/storage/keyring"
	"github.com/authtrip/authtrip/storage/seal"
)

func TestKeysInAKeychain(t *testing.T) {
	gokeyring.MockInit()
	k := keyring.New()
	if _, err := k.Key(t.Context(), "notes"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "notes") {
		t.Errorf("Key(none) = %v, want fs.ErrNotExist", err)
	}
	if err := k.Forget(t.Context(), "notes"); err != nil {
		t.Errorf("Forget(none) = %v, want nil", err)
	}
	for range 2 {
		key := seal.NewKey()
		if err := k.Keep(t.Context(), "notes", key); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Key(t.Context(), "notes"); err != nil || !bytes.Equal(got, key) {
			t.Errorf("Key() = %x, %v, want the key that was kept", got, err)
		}
	}
	if err := k.Forget(t.Context(), "notes"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Key(t.Context(), "notes"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Key(forgotten) = %v, want fs.ErrNotExist", err)
	}
}

// What the user has put there by hand is not shown.
func TestAnEntryThatIsNoKey(t *testing.T) {
	gokeyring.MockInit()
	if err := gokeyring.Set("notes", "authtrip", "my password!"); err != nil {
		t.Fatal(err)
	}
	_, err := keyring.New().Key(t.Context(), "notes")
	if err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "!") {
		t.Errorf("Key(not base64) = %v, want an error without the entry", err)
	}
}

func TestFailuresOfTheKeychain(t *testing.T) {
	locked, gone := errors.New("locked"), errors.New("gone")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	gokeyring.MockInitWithError(locked)
	t.Cleanup(gokeyring.MockInit)
	k := keyring.New()
	for want, ctx := range map[error]context.Context{locked: t.Context(), gone: ended} {
		_, key := k.Key(ctx, "notes")
		for op, err := range map[string]error{"Key": key, "Keep": k.Keep(ctx, "notes", seal.NewKey()), "Forget": k.Forget(ctx, "notes")} {
			if !errors.Is(err, want) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s = %v, want %v", op, err, want)
			}
		}
	}
	if err := k.Available(ended); !errors.Is(err, gone) {
		t.Errorf("Available(ended context) = %v, want its cause", err)
	}
}
