package postgresstore

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/authtrip/authtrip/storage"
)

// statements are what is sent to the server, for one table.
type statements struct {
	get, create, swap, remove, has, keys string

	hex bool // get returns the value in hexadecimal digits
}

// statementsOf returns the statements for a table and a mode of the driver. In
// two modes the server sends values as text. What the text of a bytea looks
// like depends on the setting bytea_output, and the driver reads only one form.
// So the statement itself chooses the form.
func statementsOf(t table, mode pgx.QueryExecMode) statements {
	from := " FROM " + t.String() + " WHERE key "
	value, text := "value", mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol
	if text {
		value = "encode(value, 'hex')"
	}
	return statements{
		hex:    text,
		get:    "SELECT version, " + value + from + "= $1",
		create: "INSERT INTO " + t.String() + " (key, version, value) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING",
		swap:   "UPDATE " + t.String() + " SET version = $2, value = $3 WHERE key = $1 AND version = $4",
		remove: "DELETE" + from + "= $1 AND version = $2",
		has:    "SELECT 1" + from + "= $1",
		keys:   "SELECT key" + from + "> $1 ORDER BY key LIMIT $2",
	}
}

// listed is how many keys Keys reads at a time.
const listed = 1000

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Record{}, err
	}
	var version int64
	var value []byte
	err := s.call(ctx, opGet, func(conn *pgx.Conn) (err error) {
		version, value, err = s.sql.read(conn.QueryRow(ctx, s.sql.get, key))
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return storage.Record{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Record{}, err
	}
	return storage.NewRecord(value, storage.Version(version)), nil
}

// read reads what get returns.
func (s *statements) read(row pgx.Row) (version int64, value []byte, err error) {
	if !s.hex {
		err = row.Scan(&version, &value)
		return version, value, err
	}
	var digits string
	if err = row.Scan(&version, &digits); err == nil {
		value, err = hex.DecodeString(digits)
	}
	return version, value, err
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
	sql, args := s.sql.create, []any{key, int64(version), value}
	if old != 0 {
		sql, args = s.sql.swap, append(args, int64(old))
	}
	rows, err := s.write(ctx, opPut, storage.Change{Key: key, Version: version}, sql, args...)
	if err != nil {
		return 0, err
	}
	if rows == 0 {
		return 0, storage.ErrConflict
	}
	return version, nil
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	rows, err := s.write(ctx, opDelete, storage.Change{Key: key}, s.sql.remove, key, int64(old))
	if err != nil || rows > 0 {
		return err
	}
	// No such version. A second statement finds out why, whatever happens between
	// the two. One statement that did both would look at the state from before it
	// waited for the lock of another transaction.
	var one int
	err = s.call(ctx, opGet, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, s.sql.has, key).Scan(&one) })
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return storage.ErrConflict
}

// write runs a statement that makes a change, and returns how many rows it
// changed. Other processes are notified of the change. They are also notified
// of a change that may have happened.
func (s *Store) write(ctx context.Context, op string, c storage.Change, sql string, args ...any) (rows int64, err error) {
	err = s.call(ctx, op, func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, args...)
		rows = tag.RowsAffected()
		happened := rows > 0 || err != nil && !takenBack(err) && !isUnapplied(err)
		if happened && storage.Notifies(ctx) {
			s.notifier.add(c)
		}
		return err
	})
	return rows, err
}

// Keys implements storage.Lister. It reads a thousand keys at a time, and holds
// no connection while it yields them. It leaves out rows whose key no Store
// accepts.
func (s *Store) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for {
			keys, err := s.keysAfter(ctx, last)
			for _, key := range keys {
				if ctx.Err() != nil {
					err = explain(ctx, opList, ctx.Err())
					break
				}
				if storage.CheckKey(key) != nil {
					continue
				}
				if !yield(key, nil) {
					return
				}
			}
			if err != nil {
				yield("", err)
				return
			}
			if len(keys) < listed {
				return
			}
			last = keys[len(keys)-1]
		}
	}
}

func (s *Store) keysAfter(ctx context.Context, last string) (keys []string, err error) {
	err = s.call(ctx, opList, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, s.sql.keys, last, listed)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}
