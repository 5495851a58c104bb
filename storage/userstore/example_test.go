package userstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/authtrip/authtrip/storage/userstore"
)

// A command keeps a record that another run of it reads.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "") // a command leaves Options.Dir empty
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for range 2 {
		folder, err := userstore.Open(ctx, "notes", &userstore.Options{Dir: dir})
		if err != nil {
			log.Fatal(err)
		}
		_, err = folder.Store().Put(ctx, "greeting", []byte("hello"), 0)
		fmt.Println(err)
		if err := folder.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// <nil>
	// storage: version conflict
}

// A machine gets a keychain later, or is about to lose it. The key moves, and
// the user stays logged in.
func ExampleFolder_MoveKey() {
	var keychain userstore.KeySource // keyring.New of module storage/keyring
	move := func(ctx context.Context) error {
		folder, err := userstore.Open(ctx, "notes", &userstore.Options{Keys: keychain})
		if err != nil {
			return err
		}
		defer func() { _ = folder.Close() }()
		if err := folder.MoveKey(ctx, keychain); err != nil { // nil moves the key into the file
			return err
		}
		fmt.Println(folder.Key())
		return nil
	}
	_ = move
}
