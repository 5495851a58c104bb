package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

// Open a database file, and seal what it keeps.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	ctx := context.Background()

	store, err := sqlitestore.Open(ctx, filepath.Join(dir, "grants.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()                      //nolint:errcheck // an example
	keys, err := seal.NewKeys(seal.NewKey()) // a service reads its keys: seal.ParseKeys
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := storage.Sealed(store, keys)
	if err != nil {
		log.Fatal(err)
	}

	version, err := sealed.Put(ctx, "brand-account", []byte("first"), 0)
	if err != nil {
		log.Fatal(err)
	}
	_, err = sealed.Put(ctx, "brand-account", []byte("second"), version)
	fmt.Println("swap:", err)
	_, err = sealed.Put(ctx, "brand-account", []byte("late"), version)
	fmt.Println("late swap is a conflict:", errors.Is(err, storage.ErrConflict))
	record, err := sealed.Get(ctx, "brand-account")
	fmt.Printf("%s %v\n", record.Value(), err)
	// Output:
	// swap: <nil>
	// late swap is a conflict: true
	// second <nil>
}

// Keep the table in the application's own database, created by its migrations.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	ctx := context.Background()

	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // an example
	migration, err := sqlitestore.Schema("grants")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, migration); err != nil {
		log.Fatal(err)
	}

	store, err := sqlitestore.New(ctx, db, &sqlitestore.Options{Table: "grants"})
	if err != nil {
		log.Fatal(err)
	}
	for key, err := range store.Keys(ctx) {
		fmt.Println(key, err)
	}
	fmt.Println("closed:", store.Close())
	// Output: closed: <nil>
}
