package postgresstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
)

// TestRowsStayOnTheirPage rewrites records of many sizes. Their new versions
// must find room beside the old ones, and in the table itself. Otherwise every
// write would write to indexes too.
func TestRowsStayOnTheirPage(t *testing.T) {
	pool, table := newPool(t, nil), newTable(t)
	s := newStore(t, pool, table)
	for _, size := range []int{500, 1000, 1500, 2000, 2500, 2800, 3000, 3500, 3900} {
		exec(t, pool, "TRUNCATE "+table)
		versions := make([]storage.Version, 12)
		rewrite := func() {
			for i, v := range versions {
				versions[i] = put(t, s, fmt.Sprint(i), string(random(size)), v)
			}
		}
		rewrite()
		before := pages(t, pool, table)
		for range 8 {
			rewrite()
		}
		if after := pages(t, pool, table); after > before+2 { // a read at the wrong moment delays the cleaning of a page
			t.Errorf("12 records of %d bytes, rewritten: %d pages, want %d as before", size, after, before)
		}
	}
}

// pages returns the number of the table's pages, and fails the test if values
// stand elsewhere.
func pages(t *testing.T, pool *pgxpool.Pool, table string) (n int) {
	t.Helper()
	var outside int
	const sql = "SELECT pg_relation_size(oid) / 8192, pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = $1::text::regclass"
	if err := pool.QueryRow(context.Background(), sql, table).Scan(&n, &outside); err != nil {
		t.Fatal(err)
	}
	if outside != 0 {
		t.Errorf("values take %d bytes outside of the table, want none", outside)
	}
	return n
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// TestKeysAreListedInBatches lists more keys than are read at a time, on the
// only connection there is, and uses the store in the loop.
func TestKeysAreListedInBatches(t *testing.T) {
	pool, table := newPool(t, func(c *pgxpool.Config) { c.MaxConns = 1 }), newTable(t)
	s := newStore(t, pool, table)
	for _, n := range []int{999, 1000, 1001, 2500} {
		exec(t, pool, "TRUNCATE "+table)
		exec(t, pool, "INSERT INTO "+table+" SELECT 'k' || i, 1, '' FROM generate_series(1, $1::int) AS i", n)
		seen := map[string]bool{}
		for key, err := range s.Keys(context.Background()) {
			if err != nil || seen[key] || !strings.HasPrefix(key, "k") {
				t.Fatalf("Keys() = %q, %v, want every key once", key, err)
			}
			seen[key] = true
			if len(seen)%500 == 0 {
				put(t, s, key, "rewritten", 1)
			}
		}
		if len(seen) != n {
			t.Errorf("Keys() yields %d keys, want %d", len(seen), n)
		}
	}
}
