package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/authtrip/authtrip/storage/sqlitestore"
)

// openSQLite opens a table of a SQLite database file.
func openSQLite(ctx context.Context, _, rest string, m mode) (backend, error) {
	path, table, err := take(rest, "table")
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, usageError("sqlite: needs a file, as in sqlite:PATH")
	}
	s, err := sqlitestore.Open(ctx, path, &sqlitestore.Options{Table: table, MustExist: m != mayCreate})
	if errors.Is(err, fs.ErrNotExist) && m != mayCreate {
		return nil, fmt.Errorf("%s: %w", printable(path), errNoStore)
	}
	return s, err
}
