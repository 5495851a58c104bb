package postgresstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schema creates the table.
//
// COLLATE "C" keeps the index small in work and free of the operating system's
// collations, whose updates corrupt indexes.
//
// A record is rewritten every time that its grant is refreshed, and PostgreSQL
// writes a new version of the row each time. If that fits on the same page and
// no indexed column changes (the key never does), the update is "heap-only": no
// index is touched, and the page is cleaned of old versions without VACUUM.
// Both settings serve that:
//   - toast_tuple_target 4080 keeps rows on their page up to half a page,
//     instead of the 2 KB beyond which PostgreSQL tries to compress a value
//     (sealed ones cannot be) and then moves it to another table with an index
//     of its own.
//   - fillfactor 65 leaves 35% of a page free at first. A row of up to 35%
//     finds room there; a larger one never gets company, so that a page always
//     has room for one more version of any of its rows of up to half a page.
const schema = `CREATE TABLE IF NOT EXISTS %s (
	key text COLLATE "C" PRIMARY KEY,
	version bigint NOT NULL,
	value bytea NOT NULL
) WITH (fillfactor = 65, toast_tuple_target = 4080)`

// schemaLock is the advisory lock under which the table is created: two CREATE
// TABLE IF NOT EXISTS at once may fail.
const schemaLock = 0x61757468_74726970 // "authtrip"

// Schema returns the SQL that creates the table for Options.Table. CreateTable
// runs the same SQL. Use it in migrations of your own. If the table has a
// schema, that schema must exist.
func Schema(table string) (string, error) {
	t, err := parseTable(table)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(schema, t), nil
}

// ready returns nil once the table is there.
func ready(ctx context.Context, pool *pgxpool.Pool, t table, create bool) error {
	err := check(ctx, pool, t)
	if err == nil || !hasCode(err, undefinedTable) {
		return err
	}
	if !create {
		return fmt.Errorf("there is no table %s: set Options.CreateTable, or run what Schema returns: %w", t, err)
	}
	if err := createTable(ctx, pool, t); err != nil {
		return fmt.Errorf("create table %s: %w", t, err)
	}
	return check(ctx, pool, t)
}

// check reads no row of the table. It fails if the table cannot be read.
func check(ctx context.Context, pool *pgxpool.Pool, t table) error {
	_, err := pool.Exec(ctx, "SELECT key, version, value FROM "+t.String()+" LIMIT 0")
	if hasCode(err, undefinedColumn) {
		return fmt.Errorf("table %s is not one of this package: name another one in Options.Table: %w", t, err)
	}
	return err
}

func createTable(ctx context.Context, pool *pgxpool.Pool, t table) error {
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(schema, t))
		return err
	})
}
