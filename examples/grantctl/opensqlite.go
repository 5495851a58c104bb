package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

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
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && m != mayCreate {
		return nil, fmt.Errorf("%s: %w", printable(path), errNoStore)
	}
	return sqlitestore.Open(ctx, path, &sqlitestore.Options{Table: table})
}
