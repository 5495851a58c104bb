package storage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

// TestMemorySlowWatcher changes more keys than a slow watcher can have pending.
// The watcher must receive a zero Change, and writers must not wait for it.
func TestMemorySlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storage.NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		gate, arrived := make(chan struct{}), []string{}
		ended := make(chan error, 1)
		go func() {
			ended <- m.Watch(ctx, func(c storage.Change) {
				arrived = append(arrived, c.Key)
				<-gate
			})
		}()
		synctest.Wait() // the watcher waits in its first call
		for i := range 5000 {
			put(t, m, fmt.Sprintf("k%d", i), "value", 0)
		}
		close(gate)
		synctest.Wait()
		put(t, m, "last", "value", 0)
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch() = %v, want %v", err, context.Canceled)
		}
		if got := strings.Join(arrived, ","); got != ",,last" {
			t.Errorf("changed was called with %.100q, want two empty keys and then last", got)
		}
	})
}

func TestCheckKeyHidesKey(t *testing.T) {
	const secret = "a token/which is no key"
	if err := storage.CheckKey(secret); !errors.Is(err, storage.ErrBadKey) || strings.Contains(err.Error(), "token") {
		t.Errorf("CheckKey(%q) = %v, want %v without the key", secret, err, storage.ErrBadKey)
	}
	if err := storage.CheckValue(make([]byte, storage.MaxValue)); err != nil {
		t.Errorf("CheckValue(MaxValue bytes) = %v, want no error", err)
	}
	if err := storage.CheckValue(make([]byte, storage.MaxValue+5<<10)); !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("CheckValue(5 KiB more) = %v, want %v", err, storage.ErrTooLarge)
	}
}

func Example() {
	ctx := context.Background()
	keys, err := seal.NewKeys(seal.NewKey()) // ParseKeys(os.Getenv("APP_KEYS")) if values outlive the process
	if err != nil {
		slog.Error("keys", "err", err)
		return
	}
	store, err := storage.Sealed(storage.NewMemory(), keys)
	if err != nil {
		slog.Error("store", "err", err)
		return
	}
	created, err := store.Put(ctx, "user", []byte("first"), 0)
	fmt.Println("create:", err)
	_, err = store.Put(ctx, "user", []byte("second"), created)
	fmt.Println("swap:", err)
	_, err = store.Put(ctx, "user", []byte("third"), created) // by a process that has not read the second
	fmt.Println("stale:", err)
	r, err := store.Get(ctx, "user")
	fmt.Println("get:", string(r.Value()), err)
	// Output:
	// create: <nil>
	// swap: <nil>
	// stale: storage: version conflict
	// get: second <nil>
}

// Replace a key: let the new key seal and the old key open, deploy that
// everywhere, then seal every record again.
func ExampleReseal() {
	ctx := context.Background()
	rows := storage.NewMemory()
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	before, _ := seal.NewKeys(oldKey)
	store, _ := storage.Sealed(rows, before)
	_, _ = store.Put(ctx, "user", []byte("value"), 0)

	both, _ := seal.NewKeys(newKey, oldKey)
	store, _ = storage.Sealed(rows, both)
	done, err := storage.Reseal(ctx, store)
	fmt.Println(done.Rewritten, "rewritten,", err)

	after, _ := seal.NewKeys(newKey)
	store, _ = storage.Sealed(rows, after)
	r, err := store.Get(ctx, "user")
	fmt.Println(string(r.Value()), err)
	// Output:
	// 1 rewritten, <nil>
	// value <nil>
}
