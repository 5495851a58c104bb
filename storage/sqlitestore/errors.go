package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/authtrip/authtrip/storage"
)

// explain adds the operation, the database and an advice to an error. If ctx
// has ended, it returns the cause of that, which a driver that was interrupted
// does not name.
func (s *Store) explain(ctx context.Context, op string, err error) error {
	switch {
	case errors.Is(err, errClosed):
		return err
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, storage.ErrCorrupt):
		return fmt.Errorf("sqlitestore: %s in table %s of %s: %w; restore a backup, or delete the row and lose the record", op, s.queries.table, s.where, err)
	}
	if cause := noFiles(err); cause != nil {
		return fmt.Errorf("sqlitestore: %s in %s: raise the limit of open files: %w: %w", op, s.where, cause, err)
	}
	if primary(err) == sqlite3.SQLITE_CORRUPT {
		err = fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
	}
	if advice := s.adviceFor(err); advice != "" {
		return fmt.Errorf("sqlitestore: %s in %s: %s: %w", op, s.where, advice, err)
	}
	return fmt.Errorf("sqlitestore: %s in %s: %w", op, s.where, err)
}

// noFiles returns why err means that no more files can be opened, or nil.
func noFiles(err error) error {
	switch primary(err) {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY:
		return exhausted()
	}
	if isExhaustion(err) {
		return err
	}
	return nil
}

// adviceFor returns what to do about err.
func (s *Store) adviceFor(err error) string {
	if errors.Is(err, errGone) { // its own text says what to do
		return ""
	}
	switch primary(err) {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA:
		return fmt.Sprintf("is there a table %s, as Schema has it? create it with Options.CreateTable or run Schema", s.queries.table)
	case sqlite3.SQLITE_NOTADB:
		return "this is no SQLite database: name another file"
	case sqlite3.SQLITE_CORRUPT:
		return "the database is damaged: restore a backup"
	case sqlite3.SQLITE_FULL:
		return "free some space on the disk; the old value is kept"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return "let this user read and write the file and its directory, also the files ending in -wal and -shm"
	case sqlite3.SQLITE_PROTOCOL:
		return "is another process stopped that has the database open? otherwise use a local disk, not a network file system"
	case sqlite3.SQLITE_NOLFS:
		return "use a local disk, not a network file system"
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "let this user write in the directory"
	case errors.Is(err, fs.ErrNotExist):
		return "is the name right? otherwise create the directory first"
	}
	return ""
}
