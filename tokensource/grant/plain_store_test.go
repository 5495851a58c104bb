package grant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// TestPlainStoreNeedsAChoice gives New stores that outlive the process. It must
// refuse those that are not sealed, unless the program says so.
func TestPlainStoreNeedsAChoice(t *testing.T) {
	w := newWorld(t)
	file, err := filestore.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := storage.Sealed(file, keys)
	if err != nil {
		t.Fatal(err)
	}
	type wrapped struct{ storage.Store }
	for _, tt := range []struct {
		name    string
		store   storage.Store
		o       *grant.Options
		refused bool
	}{
		{"files", file, nil, true},
		{"files behind a wrapper", wrapped{file}, nil, true},
		{"a wrapper above the seal", wrapped{sealed}, nil, true},
		{"files, other options", file, &grant.Options{CacheSize: 5}, true},
		{"files, by choice", file, &grant.Options{InsecurePlainStore: true}, false},
		{"sealed files", sealed, nil, false},
		{"memory", storage.NewMemory(), nil, false},
	} {
		g, err := grant.New(w.Client, tt.store, tt.o)
		if refused := errors.Is(err, storage.ErrPlain) && strings.Contains(err.Error(), "InsecurePlainStore"); refused != tt.refused || refused == (err == nil) {
			t.Errorf("New(%s) = %v, want refused %t", tt.name, err, tt.refused)
		}
		if err == nil {
			_ = g.Close()
		}
	}
}

// TestATooLargeGrantIsNotTemporary has a store that takes no value of that size
// or no such key. A caller that tries again would try for ever.
func TestATooLargeGrantIsNotTemporary(t *testing.T) {
	for _, cause := range []error{storage.ErrTooLarge, storage.ErrBadKey} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			g := w.Process(nil)
			w.Store.On(func(_ context.Context, op string) error {
				if op == "put" {
					return fmt.Errorf("too much: %w", cause)
				}
				return nil
			})
			_, err := g.Save(t.Context(), w.User, w.issue())
			if !errors.Is(err, cause) || errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("Save() = %v, want %v and not %v", err, cause, tokensource.ErrTemporary)
			}
			w.Store.On(testworld.Failing("put"))
			if _, err := g.Save(t.Context(), w.User, w.issue()); !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("Save() = %v, want %v", err, tokensource.ErrTemporary)
			}
			w.Store.On(nil)
		})
	}
}
