package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	"github.com/authtrip/authtrip/storage"
)

// Get implements storage.Store. It returns an error that wraps
// storage.ErrCorrupt if Put did not write the row.
func (s *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Record{}, err
	}
	var version column
	var value []byte
	err := s.with(ctx, s.reading, func(ctx context.Context, h *handle) error {
		return h.get.QueryRowContext(ctx, key).Scan(&version, &value)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return storage.Record{}, storage.ErrNotFound
	}
	if err == nil && storage.CheckValue(value) != nil {
		err = storage.ErrCorrupt
	}
	if err != nil {
		return storage.Record{}, s.explain(ctx, "get", err)
	}
	return storage.NewRecord(value, storage.Version(version)), nil
}

// column is a version in the database: its bits as a signed number.
type column storage.Version

// Scan implements sql.Scanner. It refuses what Put never writes.
func (c *column) Scan(stored any) error {
	n, ok := stored.(int64)
	if !ok || n == 0 {
		return storage.ErrCorrupt
	}
	*c = column(n)
	return nil
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := storage.CheckKey(key); err != nil {
		return 0, err
	}
	if err := storage.CheckValue(value); err != nil {
		return 0, err
	}
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	version := storage.NewVersion()
	rows, err := s.change(ctx, func(ctx context.Context, h *handle) (sql.Result, error) {
		if old == 0 {
			return h.create.ExecContext(ctx, key, int64(version), value)
		}
		return h.swap.ExecContext(ctx, int64(version), value, key, int64(old))
	})
	if err != nil {
		return 0, s.explain(ctx, "put", err)
	}
	if rows == 0 {
		return 0, storage.ErrConflict
	}
	return version, nil
}

// Delete implements storage.Store. If Put did not write the row, it deletes
// nothing and returns an error that wraps storage.ErrCorrupt.
func (s *Store) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	rows, err := s.change(ctx, func(ctx context.Context, h *handle) (sql.Result, error) {
		return h.remove.ExecContext(ctx, key, int64(old))
	})
	if err != nil {
		return s.explain(ctx, "delete", err)
	}
	if rows > 0 {
		return nil
	}
	_, err = s.Get(ctx, key) // whatever is there now has another version: versions never return
	switch {
	case err == nil:
		return storage.ErrConflict
	case errors.Is(err, storage.ErrNotFound):
		return nil
	}
	return err
}

// change makes a statement that writes, and returns how many rows it changed.
func (s *Store) change(ctx context.Context, do func(context.Context, *handle) (sql.Result, error)) (rows int64, err error) {
	err = s.with(ctx, s.writing, func(ctx context.Context, h *handle) error {
		result, err := do(ctx, h)
		if err != nil {
			return err
		}
		rows, err = result.RowsAffected()
		return err
	})
	return rows, err
}

// page is how many keys are read at a time.
const page = 500

// Keys implements storage.Lister. It reads some hundred keys at a time, in
// their order. It holds no lock and no connection while it yields them. It
// leaves out rows whose key no Store accepts.
func (s *Store) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for last := ""; ; {
			keys, err := s.keys(ctx, last)
			if err != nil {
				yield("", s.explain(ctx, "keys", err))
				return
			}
			if len(keys) == 0 || !yieldAll(ctx, keys, yield) {
				return
			}
			last = keys[len(keys)-1]
		}
	}
}

// yieldAll yields keys and reports whether to go on.
func yieldAll(ctx context.Context, keys []string, yield func(string, error) bool) bool {
	for _, key := range keys {
		if storage.CheckKey(key) != nil {
			continue
		}
		if err := ended(ctx); err != nil {
			yield("", err)
			return false
		}
		if !yield(key, nil) {
			return false
		}
	}
	return true
}

// keys returns the first keys after last.
func (s *Store) keys(ctx context.Context, last string) (keys []string, err error) {
	err = s.with(ctx, s.reading, func(ctx context.Context, h *handle) error {
		keys = keys[:0]
		rows, err := h.list.QueryContext(ctx, last, page)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // only read
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return rows.Err()
	})
	return keys, err
}
