package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// tenants is the section on clients that share an engine.
func (r *report) tenants() error {
	t := &table{title: "**Tenants, each with a client of its own, in one engine**", head: []string{
		"tenants", "client and Keeper each, KiB", "Login and its handler each, KiB", "Transport each, KiB", "goroutines of all", "time to add one",
	}}
	for _, n := range []int{10, 1000, r.atMost(10_000)} {
		if err := addTenants(t, n); err != nil {
			return fmt.Errorf("%d tenants: %w", n, err)
		}
	}
	return r.show("tenants", t)
}

// addTenants measures a number of tenants that nobody uses.
func addTenants(t *table, n int) error {
	store, with := storage.NewMemory(), (*grant.Keeper)(nil)
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		return err
	}
	goroutines, before, start := runtime.NumGoroutine(), heap(), time.Now()
	keepers := make([]*grant.Keeper, n)
	for i := range keepers {
		client, err := oauth.New(provider.X(), oauth.Registration{
			ClientID: fmt.Sprint("tenant-", i), Credential: oauth.Secret("the-secret-of-a-tenant"),
			RedirectURL: fmt.Sprintf("https://app.example/%d/callback", i), Scopes: []string{"tweet.read", "users.read", "offline.access"},
		}, nil)
		if err != nil {
			return err
		}
		if keepers[i], err = grant.New(client, store, &grant.Options{With: with}); err != nil {
			return err
		}
		with = keepers[0]
		defer keepers[i].Close() //nolint:errcheck // its store is memory
	}
	took := time.Since(start)
	perKeeper, running := each(before, n), runtime.NumGoroutine()-goroutines

	before = heap()
	handlers := make([]any, 0, 2*n)
	for _, k := range keepers {
		login, err := middleware.New(k, keys, nil)
		if err != nil {
			return err
		}
		handlers = append(handlers, login, login.Handler())
	}
	perLogin := each(before, n)

	before = heap()
	transports := make([]*transport.Transport, n)
	for i, k := range keepers {
		if transports[i], err = transport.New(k, nil); err != nil {
			return err
		}
	}
	perTransport := each(before, n)
	runtime.KeepAlive(keepers)
	runtime.KeepAlive(handlers)
	runtime.KeepAlive(transports)
	t.add(thousands(int64(n)), ratio(perKeeper/1024, goalOf(n >= 10_000, 4)...), ratio(perLogin/1024), ratio(perTransport/1024),
		fmt.Sprint(running), nanos(float64(took)/float64(n)))
	return nil
}

// each returns what the heap has grown by for each of n, in bytes.
func each(before int64, n int) float64 { return float64(max(heap()-before, 0)) / float64(n) }
