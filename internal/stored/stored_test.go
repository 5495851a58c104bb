package stored_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/authtrip/authtrip/internal/stored"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

func TestFailed(t *testing.T) {
	if err := stored.Failed("store", nil); err != nil {
		t.Errorf("Failed(nil) = %v, want nil", err)
	}
	for cause, temporary := range map[error]bool{
		errors.New("the database is away"): true, storage.ErrConflict: true,
		storage.ErrCorrupt: false, storage.ErrBadKey: false, storage.ErrTooLarge: false, seal.ErrUnknownKey: false, seal.ErrTampered: false,
	} {
		err := stored.Failed("store", fmt.Errorf("get: %w", cause))
		if !errors.Is(err, cause) || errors.Is(err, tokensource.ErrTemporary) != temporary {
			t.Errorf("Failed(%v) = %v, temporary %t, want temporary %t", cause, err, errors.Is(err, tokensource.ErrTemporary), temporary)
		}
	}
}
