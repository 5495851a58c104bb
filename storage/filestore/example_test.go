package filestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
)

// A store for the processes of one machine, sealed with a key that they share.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example

	files, err := filestore.Open(filepath.Join(dir, "grants"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()                      //nolint:errcheck // an example
	keys, err := seal.NewKeys(seal.NewKey()) // a service reads its keys: seal.ParseKeys
	if err != nil {
		log.Fatal(err)
	}
	store, err := storage.Sealed(files, keys)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	_, err = store.Put(ctx, "brand-account", []byte("a secret"), 0)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := store.Get(ctx, "brand-account")
	fmt.Println("through Sealed:", string(opened.Value()), err)
	stored, err := files.Get(ctx, "brand-account")
	fmt.Println("in the file:", len(stored.Value()), "bytes", err)
	// Output:
	// through Sealed: a secret <nil>
	// in the file: 45 bytes <nil>
}
