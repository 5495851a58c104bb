package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/redisstore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// stores counts the prefixes of this run; a server of somebody else's has seen
// other runs.
var stores atomic.Int64

func newPrefix() string { return fmt.Sprintf("test:%d:%d:", os.Getpid(), stores.Add(1)) }

func TestSuite(t *testing.T) {
	server := servertest.Redis(t)
	runSuite(t, func(t *testing.T, prefix string) storage.Store { return open(t, server.URL, prefix) })
}

// TestSuiteClient runs the suite on a client of the caller's own, with default
// settings: each call takes a goroutine.
func TestSuiteClient(t *testing.T) {
	client := connect(t, servertest.Redis(t).URL)
	runSuite(t, func(t *testing.T, prefix string) storage.Store { return onClient(t, client, prefix) })
}

func TestSuiteSealed(t *testing.T) {
	server := servertest.Redis(t)
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	runSuite(t, func(t *testing.T, prefix string) storage.Store {
		sealed, err := storage.Sealed(open(t, server.URL, prefix), keys)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	})
}

func runSuite(t *testing.T, handle func(t *testing.T, prefix string) storage.Store) {
	var prefix string
	storagetest.Run(t, func(t *testing.T) storage.Store {
		prefix = newPrefix()
		return handle(t, prefix)
	}, &storagetest.Options{
		Reopen: func(t *testing.T) storage.Store { return handle(t, prefix) },
		Swaps:  2000,
	})
}

// open opens a store until the end of the test.
func open(t testing.TB, url, prefix string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(context.Background(), url, &redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatalf("Open() = %v, want no error", err)
	}
	closeAtEnd(t, s)
	return s
}

func onClient(t testing.TB, client redis.UniversalClient, prefix string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.New(client, &redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatalf("New() = %v, want no error", err)
	}
	closeAtEnd(t, s)
	return s
}

func closeAtEnd(t testing.TB, s *redisstore.Store) {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	})
}

// put stores value, which must succeed.
func put(t testing.TB, s storage.Store, key, value string, old storage.Version) storage.Version {
	t.Helper()
	v, err := s.Put(context.Background(), key, []byte(value), old)
	if err != nil {
		t.Fatalf("Put(%q, old %d) = %v, want no error", key, old, err)
	}
	return v
}

// want fails the test unless value is stored under key.
func want(t testing.TB, s storage.Store, key, value string) {
	t.Helper()
	if r, err := s.Get(context.Background(), key); err != nil || string(r.Value()) != value {
		t.Errorf("Get(%q) = %q, %v, want %q", key, r.Value(), err, value)
	}
}

// list returns the keys of s, sorted and joined.
func list(t testing.TB, s storage.Lister) string {
	t.Helper()
	var keys []string
	for key, err := range s.Keys(context.Background()) {
		if err != nil {
			t.Fatalf("Keys() = %v, want no error", err)
		}
		keys = append(keys, key)
	}
	return strings.Join(slices.Sorted(slices.Values(keys)), " ")
}
