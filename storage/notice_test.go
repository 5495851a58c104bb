package storage_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/storage"
)

func TestNotifies(t *testing.T) {
	if got := storage.Notifies(t.Context()); !got {
		t.Error("Notifies() of a usual context = false, want true")
	}
	quiet := storage.WithoutNotice(t.Context())
	inner, cancel := context.WithCancel(quiet)
	defer cancel()
	if storage.Notifies(quiet) || storage.Notifies(inner) {
		t.Error("Notifies() of a context of WithoutNotice, or of one that was made of it = true, want false")
	}
}

// A Memory reports no Put WithoutNotice, and the Put after it, also below a
// seal.
func TestMemoryIsSilentOfAPutWithoutNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storage.NewMemory()
		var told []storage.Change
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = memory.Watch(ctx, func(c storage.Change) { told = append(told, c) }) }()
		store, err := storage.Sealed(memory, newKeys(t))
		if err != nil {
			t.Fatal(err)
		}
		put := func(ctx context.Context, old storage.Version) storage.Version {
			v, err := store.Put(ctx, "k", []byte("value"), old)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return v
		}
		first := put(storage.WithoutNotice(ctx), 0)
		second := put(ctx, put(storage.WithoutNotice(ctx), first))
		if want := []storage.Change{{}, {Key: "k", Version: second}}; !slices.Equal(told, want) {
			t.Errorf("Watch() tells of %v, want %v", told, want)
		}
	})
}
