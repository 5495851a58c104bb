package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Pauses before the store asks again for a lock that another process has. The
// first is shorter than a write takes, and the longest is about as long.
const (
	pollFirst = 100 * time.Microsecond
	pollMost  = 1 * time.Millisecond
)

// with calls try with a handle that no other call uses, repeatedly while the
// database is locked. Afterwards it checks that the database is still the one
// at its path.
func (s *Store) with(ctx context.Context, pool chan *handle, try func(context.Context, *handle) error) error {
	h, err := s.take(ctx, pool)
	if err != nil {
		return err
	}
	defer func() { pool <- h }()
	err = s.retry(ctx, func(ctx context.Context) error { return try(ctx, h) })
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		if gone := s.present(pool); gone != nil {
			return gone
		}
	}
	return err
}

// take waits for a handle until ctx ends or the store is closed.
func (s *Store) take(ctx context.Context, pool chan *handle) (*handle, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	select {
	case h := <-pool:
		return h, nil
	case <-ctx.Done():
		return nil, ended(ctx)
	case <-s.done:
		return nil, errClosed
	}
}

// retry calls try until the database is not locked, ctx ends or the store is
// closed. It polls: SQLite's own wait (busy_timeout) sleeps up to 100 ms at a
// time, and would not end with ctx here.
//
// On a database that Open opened, try gets a context that does not end. A
// statement on one row needs no interruption, and for a context that can end
// the driver starts a goroutine. On the caller's database a statement may have
// to wait for a connection, or in its busy_timeout.
func (s *Store) retry(ctx context.Context, try func(context.Context) error) error {
	each := ctx
	if s.own {
		each = context.WithoutCancel(ctx)
	}
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		err := try(each)
		if !locked(err) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ended(ctx)
		case <-s.done:
			timer.Stop()
			return errClosed
		}
	}
}

// locked reports whether another connection has a lock that the statement
// needs. The statement has then done nothing.
func locked(err error) bool {
	code := primary(err)
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// primary returns the result code of SQLite without its extension, or 0 if err
// is no error of SQLite.
func primary(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// ended returns nil, or the error of a method whose ctx has ended.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("sqlitestore: %w", context.Cause(ctx))
}
