package main

import (
	"context"

	"github.com/authtrip/authtrip/storage/postgresstore"
)

// openPostgres opens a table of a PostgreSQL database.
func openPostgres(ctx context.Context, name, _ string, m mode) (backend, error) {
	url, table, err := take(name, "table")
	if err != nil {
		return nil, err
	}
	return postgresstore.Open(ctx, url, &postgresstore.Options{Table: table, CreateTable: m == mayCreate})
}
