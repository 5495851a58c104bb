package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
)

// keysVariable names the environment variable with the keys.
const keysVariable = "AUTHTRIP_KEYS"

// backend is what every kind of store can do.
type backend interface {
	storage.Store
	storage.Lister
	Close() error
}

// vault is an open store, whose values are as they are stored, and the keys to
// look into them.
type vault struct {
	backend
	keys *seal.Keys // nil without keys in the environment
}

// mode says what happens if there is no store under a name.
type mode int

const (
	mustExist  mode = iota // it is an error: a mistyped name must not make an empty store
	mayCreate              // it is made
	mayPretend             // an empty one in memory takes its place
)

// errNoStore means that there is no store under a name.
var errNoStore = errors.New("there is no such store")

// with opens the store that name names, calls do, and closes it.
func with(ctx context.Context, name string, m mode, do func(*vault) error) (err error) {
	keys, err := keysFromEnvironment()
	if err != nil {
		return err
	}
	b, err := open(ctx, name, m)
	if errors.Is(err, errNoStore) && m == mayPretend {
		b, err = pretended{storage.NewMemory()}, nil
	}
	if err != nil {
		return err
	}
	defer func() {
		if e := b.Close(); err == nil {
			err = e
		}
	}()
	return do(&vault{b, keys})
}

// pretended is an empty store that leaves nothing behind.
type pretended struct{ *storage.Memory }

// Close does nothing.
func (pretended) Close() error { return nil }

func keysFromEnvironment() (*seal.Keys, error) {
	text := os.Getenv(keysVariable)
	if text == "" {
		return nil, nil
	}
	keys, err := seal.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keysVariable, err)
	}
	return keys, nil
}

// keyCount is how many keys the environment holds.
func keyCount() int { return 1 + strings.Count(os.Getenv(keysVariable), ",") }

// open opens the store that name names. Its errors do not repeat name, which
// may hold a password.
func open(ctx context.Context, name string, m mode) (backend, error) {
	scheme, rest, ok := strings.Cut(name, ":")
	if ok && scheme == "env" {
		if name = os.Getenv(rest); name == "" {
			return nil, errors.New("the environment variable that STORE names is not set")
		}
		scheme, rest, ok = strings.Cut(name, ":")
	}
	driver, known := drivers()[scheme]
	if !ok || !known {
		return nil, usageError("STORE is no store that grantctl knows, such as file:DIR: -h lists them")
	}
	return driver(ctx, name, rest, m)
}

// driver opens one kind of store: name is all of the URL, and rest what stands
// after the scheme.
type driver func(ctx context.Context, name, rest string, m mode) (backend, error)

func drivers() map[string]driver {
	return map[string]driver{
		"file":       openFile,
		"sqlite":     openSQLite,
		"postgres":   openPostgres,
		"postgresql": openPostgres,
		"redis":      openRedis,
		"rediss":     openRedis,
	}
}
