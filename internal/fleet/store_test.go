//go:build unix

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/postgresstore"
	"github.com/authtrip/authtrip/storage/redisstore"
	"github.com/authtrip/authtrip/storage/sqlitestore"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// openStore opens the store that url names: "file:DIR", "sqlite:PATH", "postgres://…", "redis://…".
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

// everyStore names the kinds of stores.
var everyStore = []string{"file", "sqlite", "postgres", "redis"}

// newStore returns the URL of an empty store of a kind, and its server if it has one.
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

var errFault = errors.New("fleet: the store has failed at random")

// randomFaults returns a hook for storagetest.Faulty: every tenth call is slow, and every twentieth fails, half of those
// after it has been done.
func randomFaults(seed uint64) func(op, key string, n int) storagetest.Fault {
	var mu sync.Mutex // guards rnd
	rnd := rand.New(rand.NewPCG(seed, 0))
	return func(string, string, int) storagetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		var f storagetest.Fault
		if rnd.IntN(10) == 0 {
			wait := make(chan struct{})
			time.AfterFunc(time.Duration(rnd.IntN(100))*time.Millisecond, func() { close(wait) })
			f.Wait = wait
		}
		if rnd.IntN(20) == 0 {
			f.Err, f.Applied = errFault, rnd.IntN(2) == 0
		}
		return f
	}
}

// leaseStores names the stores of the tests that wait for leases to end.
func leaseStores() []string { return scale([]string{"file", "redis"}, everyStore) }

// serverStores names the stores that have a server.
var serverStores = []string{"postgres", "redis"}
