package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/postgresstore"
	"github.com/authtrip/authtrip/storage/seal"
)

// database is where the app keeps everything.
type database struct {
	users    users
	sessions scs.Store
	grants   storage.Store // sealed
	keys     *seal.Keys
	close    func()
}

// users are the users of the app. Their identifiers never change.
type users interface {
	// find returns the user with a name, and makes one if there is none.
	find(ctx context.Context, name string) (id string, err error)
	name(ctx context.Context, id string) (string, error)
}

var errName = errors.New("a name has 1 to 40 characters")

// checkName refuses what a table cannot hold.
func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > 40 || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
		return errName
	}
	return nil
}

// openDatabase opens a PostgreSQL database. An empty url keeps everything in
// memory.
func openDatabase(ctx context.Context, url, keys string) (*database, error) {
	if url == "" {
		own, err := seal.NewKeys(seal.NewKey())
		if err != nil {
			return nil, err
		}
		return &database{users: &memoryUsers{ids: map[string]string{}}, sessions: memstore.New(), grants: storage.NewMemory(), keys: own, close: func() {}}, nil
	}
	own, err := seal.ParseKeys(keys)
	if err != nil {
		return nil, fmt.Errorf("APP_KEYS: %w", err)
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, errors.New("the URL of the database cannot be used") // the reason may contain its password
	}
	d, err := inDatabase(ctx, pool, own)
	if err != nil {
		pool.Close()
	}
	return d, err
}

func inDatabase(ctx context.Context, pool *pgxpool.Pool, keys *seal.Keys) (*database, error) {
	for _, sql := range []string{
		`CREATE TABLE IF NOT EXISTS users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)`,
		`CREATE TABLE IF NOT EXISTS sessions (token text PRIMARY KEY, data bytea NOT NULL, expiry timestamptz NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expiry)`,
		`DELETE FROM sessions WHERE expiry < current_timestamp`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	plain, err := postgresstore.New(ctx, pool, &postgresstore.Options{CreateTable: true})
	if err != nil {
		return nil, err
	}
	sealed, err := storage.Sealed(plain, keys)
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	// The cleanup of the library races with its own end, so that expired sessions
	// are deleted at the start.
	sessions := pgxstore.NewWithCleanupInterval(pool, 0)
	return &database{users: &tableUsers{pool}, sessions: sessions, grants: sealed, keys: keys, close: func() {
		_ = plain.Close() // it returns nil
		pool.Close()
	}}, nil
}

// tableUsers are the users in the table "users".
type tableUsers struct{ pool *pgxpool.Pool }

func (u *tableUsers) find(ctx context.Context, name string) (id string, err error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	err = u.pool.QueryRow(ctx, `INSERT INTO users (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id::text`, name).Scan(&id)
	return id, err
}

func (u *tableUsers) name(ctx context.Context, id string) (name string, err error) {
	err = u.pool.QueryRow(ctx, `SELECT name FROM users WHERE id = $1::bigint`, id).Scan(&name)
	return name, err
}

// memoryUsers end with the process.
type memoryUsers struct {
	mu  sync.Mutex        // guards ids
	ids map[string]string // by name
}

func (u *memoryUsers) find(_ context.Context, name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids[name] == "" {
		u.ids[name] = strconv.Itoa(len(u.ids) + 1)
	}
	return u.ids[name], nil
}

func (u *memoryUsers) name(_ context.Context, id string) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, other := range u.ids {
		if other == id {
			return name, nil
		}
	}
	return "", errors.New("no such user")
}
