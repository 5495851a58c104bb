package postgresstore_test

import (
	"context"
	"log/slog"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
	"github.com/authtrip/authtrip/storage/seal"
)

// Values are sealed above the store: the database sees ciphertext only.
func Example() {
	ctx := context.Background()
	store, err := postgresstore.Open(ctx, os.Getenv("DATABASE_URL"),
		&postgresstore.Options{CreateTable: true})
	if err != nil {
		slog.Error("store", "err", err)
		return
	}
	defer func() { _ = store.Close() }() // it returns nil
	keys, err := seal.ParseKeys(os.Getenv("APP_KEYS"))
	if err != nil {
		slog.Error("keys", "err", err)
		return
	}
	sealed, err := storage.Sealed(store, keys) // give it to grant.New
	if err != nil {
		slog.Error("seal", "err", err)
		return
	}
	_, err = sealed.Put(ctx, "user", []byte("value"), 0)
	slog.Info("put", "err", err)
}

// A program that has a pool shares it. Its own migrations create the table.
func ExampleNew() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		slog.Error("pool", "err", err)
		return
	}
	defer pool.Close()
	store, err := postgresstore.New(ctx, pool, &postgresstore.Options{Table: "app.grants"})
	if err != nil {
		slog.Error("store", "err", err)
		return
	}
	defer func() { _ = store.Close() }() // before the pool; it returns nil
}

// Print the SQL for a migration.
func ExampleSchema() {
	sql, err := postgresstore.Schema("app.grants")
	if err != nil {
		slog.Error("schema", "err", err)
		return
	}
	_, _ = os.Stdout.WriteString(sql)
	// Output:
	// CREATE TABLE IF NOT EXISTS "app"."grants" (
	// 	key text COLLATE "C" PRIMARY KEY,
	// 	version bigint NOT NULL,
	// 	value bytea NOT NULL
	// ) WITH (fillfactor = 65, toast_tuple_target = 4080)
}
