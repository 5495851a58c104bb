package postgresstore_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func TestOwnPool(t *testing.T) {
	var table string
	open := func(t *testing.T) storage.Store {
		table = newTable(t)
		return openStore(t, table)
	}
	reopen := func(t *testing.T) storage.Store { return openStore(t, table) }
	storagetest.Run(t, open, &storagetest.Options{Reopen: reopen, Swaps: 1000})
}

func TestSharedPool(t *testing.T) { runPool(t, 500, nil) }

func TestSimpleProtocol(t *testing.T) {
	runPool(t, 200, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol })
}

func TestExecMode(t *testing.T) {
	runPool(t, 200, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec })
}

// TestSerializable makes the server roll back statements that collide.
func TestSerializable(t *testing.T) {
	runPool(t, 200, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
	})
}

// runPool runs the suite on one pool that all handles share.
func runPool(t *testing.T, swaps int, configure func(*pgxpool.Config)) {
	pool := newPool(t, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["synchronous_commit"] = "off" // TestOwnPool waits for the disk
		if configure != nil {
			configure(c)
		}
	})
	var table string
	open := func(t *testing.T) storage.Store {
		table = newTable(t)
		return newStore(t, pool, table)
	}
	reopen := func(t *testing.T) storage.Store { return newStore(t, pool, table) }
	storagetest.Run(t, open, &storagetest.Options{Reopen: reopen, Swaps: swaps})
}

func TestSealed(t *testing.T) {
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	pool := newPool(t, nil)
	var table string
	seal := func(t *testing.T) storage.Store {
		sealed, err := storage.Sealed(newStore(t, pool, table), keys)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	open := func(t *testing.T) storage.Store {
		table = newTable(t)
		return seal(t)
	}
	storagetest.Run(t, open, &storagetest.Options{Reopen: seal, Swaps: 500})
}
