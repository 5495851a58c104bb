package keyring_test

import (
	"context"
	"fmt"
	"log"
	"os"

	gokeyring "github.com/zalando/go-keyring"

	"github.com/authtrip/authtrip/storage/keyring"
	"github.com/authtrip/authtrip/storage/userstore"
)

// A program keeps its records in files, and their key in the keychain if there
// is one.
func Example() {
	gokeyring.MockInit() // for this example: a keychain in memory
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	folder, err := userstore.Open(ctx, "notes", &userstore.Options{Dir: dir, Keys: keyring.New()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = folder.Close() }()
	_, err = folder.Store().Put(ctx, "record", []byte("a secret"), 0)
	fmt.Println(err)
	// Output: <nil>
}
