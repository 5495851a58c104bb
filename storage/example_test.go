package storage_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

// A store below its seal. Each write names the version that it replaces.
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

// Replace a key. Every process has the new key behind the old one by now. Let
// the new key seal and the old key open, deploy that everywhere, then seal
// every record again.
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

// The key of a record that belongs to a user shows no name.
func ExampleName() {
	ctx := context.Background()
	keys, _ := seal.NewKeys(seal.NewKey())
	store, _ := storage.Sealed(storage.NewMemory(), keys)
	alice, err := storage.Name(ctx, store, "user.", "https://issuer.example", "alice")
	fmt.Println(len(alice), err)
	again, err := storage.Name(ctx, store, "user.", "https://issuer.example", "alice")
	fmt.Println(again == alice, err)
	// Output:
	// 69 <nil>
	// true <nil>
}
