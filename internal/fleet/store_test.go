//go:build linux

package fleet_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/postgresstore"
	"github.com/authtrip/authtrip/storage/redisstore"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

// everyStore names the kinds of stores. Those of serverStores have a server.
var (
	everyStore   = []string{"file", "sqlite", "postgres", "redis"}
	serverStores = []string{"postgres", "redis"}
)

// onEvery runs a test on each kind of store, all of them in parallel.
func onEvery(t *testing.T, kinds []string, test func(t *testing.T, kind string)) {
	long(t)
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// newStore returns the URL of an empty store of a kind, and its server if it
// has one.
func newStore(t *testing.T, kind string) (string, *servertest.Server) {
	t.Helper()
	switch kind {
	case "file":
		return "file:" + t.TempDir(), nil
	case "sqlite":
		return "sqlite:" + filepath.Join(t.TempDir(), "grants.db"), nil
	case "postgres":
		db := servertest.Postgres(t)
		return db.URL, db
	case "redis":
		db := servertest.Redis(t)
		return db.URL, db
	}
	t.Fatalf("no such store: %s", kind)
	return "", nil
}

// openStore opens the store that url names: "file:DIR", "sqlite:PATH",
// "postgres://…" or "redis://…". It also returns the store's Close method.
func openStore(ctx context.Context, url string) (storage.Store, func() error, error) {
	kind, rest, _ := strings.Cut(url, ":")
	switch kind {
	case "file":
		return opened(filestore.Open(rest, nil))
	case "sqlite":
		return opened(sqlitestore.Open(ctx, rest, nil))
	case "postgres":
		return opened(postgresstore.Open(ctx, url, &postgresstore.Options{CreateTable: true}))
	case "redis":
		return opened(redisstore.Open(ctx, url, nil))
	}
	return nil, nil, fmt.Errorf("no such store: %s", kind)
}

func opened[S interface {
	storage.Store
	Close() error
}](s S, err error) (storage.Store, func() error, error) {
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}
