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
