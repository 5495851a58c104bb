package simulation_test

import (
	"context"
	"slices"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	grantPrefix = "grant." // of the storage keys of grants
	leaseTime   = 30 * time.Second
	staleBound  = 31 * time.Second // how long a process may not know of a logout elsewhere
)

var scopes = []string{"read", "offline"}

// fakeProvider is the server of every run.
var fakeProvider = &provider.Provider{
	Name:             "fake",
	AuthorizationURL: "https://auth.example/authorize",
	TokenURL:         "https://auth.example/token",
	RevocationURL:    "https://auth.example/revoke",
	APIOrigins:       []string{"https://api.example"},
	RefreshScope:     "offline",
}

func registration() oauth.Registration {
	app := oauthtest.PublicApp()
	return oauth.Registration{ClientID: app.ClientID, RedirectURL: app.RedirectURLs[0], Scopes: scopes}
}

// sortedKeys returns the keys of a store in one order, whatever the order in
// which the store lists them.
func sortedKeys(ctx context.Context, store storage.Lister) []string {
	var keys []string
	for key, err := range store.Keys(ctx) {
		if err == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
