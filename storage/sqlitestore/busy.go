package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// How long to wait before asking again for a lock that another process has:
// less than a write takes, then about as long.
const (
	pollFirst = 100 * time.Microsecond
	pollMost  = 1 * time.Millisecond
)

// with calls try with a handle that nobody else has meanwhile, again and again
// while the database is locked.
func (s *Store) with(ctx context.Context, pool chan *handle, try func(context.Context, *handle) error) error {
	h, err := s.take(ctx, pool)
	if err != nil {
		return err
	}
	defer func() { pool <- h }()
	return s.retry(ctx, func(ctx context.Context) error { return try(ctx, h) })
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
// On a database of ours try gets a context that does not end. A statement on
// one row needs no interruption, and for a context that can end the driver
// starts a goroutine for each. On the caller's database a statement may have to
// wait for a connection, or in its busy_timeout.
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

// locked reports whether somebody else has a lock that the statement needs. The
// statement has then done nothing.
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
