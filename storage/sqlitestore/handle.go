package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// handle holds prepared statements. One call at a time uses them.
type handle struct {
	get, create, swap, remove, list *sql.Stmt
}

// open makes the database ready, and prepares the statements on connections
// that it keeps. To find a connection for each call, and the statement on it,
// would cost a fifth of a read.
func (s *Store) open(ctx context.Context, o *Options) error {
	conn, err := s.connect(ctx, o.InsecureNoSync)
	if err != nil {
		return err
	}
	if !o.MustExist {
		if err := s.switchToWAL(ctx, conn); err != nil {
			return err
		}
		if err := s.exec(ctx, conn, s.queries.schema); err != nil {
			return err
		}
	}
	writer, err := s.prepare(ctx, conn)
	if o.MustExist && primary(err) == sqlite3.SQLITE_ERROR {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return err
	}
	if err := s.exec(ctx, conn, s.queries.nothing); err != nil { // a file that cannot be written is reported here
		return err
	}
	s.lend(s.writing, writer)
	for range readers {
		conn, err := s.connect(ctx, o.InsecureNoSync)
		if err != nil {
			return err
		}
		reader, err := s.prepare(ctx, conn)
		if err != nil {
			return err
		}
		s.lend(s.reading, reader)
	}
	return s.remember()
}

// connect returns a new connection, which writes durably unless noSync is set.
func (s *Store) connect(ctx context.Context, noSync bool) (*sql.Conn, error) {
	var conn *sql.Conn
	err := s.retry(ctx, func(ctx context.Context) (err error) {
		conn, err = s.db.Conn(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.opened = append(s.opened, conn)
	pragmas := []string{"PRAGMA synchronous = FULL", "PRAGMA fullfsync = ON"} // macOS: a plain fsync leaves data in the disk's cache
	if noSync {
		pragmas = []string{"PRAGMA synchronous = NORMAL"}
	}
	for _, pragma := range pragmas {
		if err := s.exec(ctx, conn, pragma); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// switchToWAL gives the database a write-ahead log, permanently. Readers and
// the writer then do not wait for each other.
func (s *Store) switchToWAL(ctx context.Context, conn *sql.Conn) error {
	var mode string
	err := s.retry(ctx, func(ctx context.Context) error {
		return conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
	})
	if err != nil {
		return err
	}
	if !strings.EqualFold(mode, "wal") {
		return fmt.Errorf("the database stays in journal mode %q: WAL needs a local disk", mode)
	}
	return nil
}

// attach prepares the statements on the caller's database, which finds a
// connection for each call. All calls share them.
func (s *Store) attach(ctx context.Context, createTable bool) error {
	if createTable {
		if err := s.exec(ctx, s.db, s.queries.schema); err != nil {
			return err
		}
	}
	h, err := s.prepare(ctx, s.db)
	if err != nil {
		return err
	}
	s.lend(s.writing, h)
	for range readers {
		s.lend(s.reading, h)
	}
	return nil
}

// lend puts h into the pool that calls take it from. Close waits until it is
// back.
func (s *Store) lend(pool chan *handle, h *handle) {
	pool <- h
	s.lent++
}

// database is a *sql.DB or a *sql.Conn.
type database interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func (s *Store) exec(ctx context.Context, db database, query string) error {
	return s.retry(ctx, func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, query)
		return err
	})
}

func (s *Store) prepare(ctx context.Context, db database) (*handle, error) {
	h := new(handle)
	for query, stmt := range map[string]**sql.Stmt{
		s.queries.get:    &h.get,
		s.queries.create: &h.create,
		s.queries.swap:   &h.swap,
		s.queries.remove: &h.remove,
		s.queries.list:   &h.list,
	} {
		err := s.retry(ctx, func(ctx context.Context) (err error) {
			*stmt, err = db.PrepareContext(ctx, query) //nolint:sqlclosecheck // Close does, by way of opened
			return err
		})
		if err != nil {
			return nil, err
		}
		s.opened = append(s.opened, *stmt)
	}
	return h, nil
}
