package grant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestNewRefuses(t *testing.T) {
	app := oauthtest.ConfidentialApp()
	client := func(scopes ...string) *oauth.Client {
		c, err := oauth.New(provider.X(), oauth.Registration{
			ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: scopes,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	plain, forgetful := client(testworld.Scopes...), client("tweet.read", "users.read")
	store := storage.NewMemory()
	tests := []struct {
		name   string
		client *oauth.Client
		store  storage.Store
		o      *grant.Options
		want   string
	}{
		{"no client", nil, store, nil, "New"},
		{"no store", plain, nil, nil, "storage.NewMemory"},
		{"a nil pointer to a store", plain, (*storage.Memory)(nil), nil, "storage.NewMemory"},
		{"no scope for refresh tokens", forgetful, store, nil, "add it, or set Options.WithoutRefresh"},
		{"negative spacing", plain, store, &grant.Options{RenewSpacing: -1}, "cannot be negative"},
		{"negative recheck", plain, store, &grant.Options{Recheck: -1}, "cannot be negative"},
		{"negative store timeout", plain, store, &grant.Options{StoreTimeout: -1}, "cannot be negative"},
		{"negative cache", plain, store, &grant.Options{CacheSize: -1}, "cannot be negative"},
		{"long recheck", plain, store, &grant.Options{Recheck: 24*time.Hour + 1}, "above 24h"},
		{"long store timeout", plain, store, &grant.Options{StoreTimeout: 24*time.Hour + 1}, "above 24h"},
		{"policy above", plain, store, &grant.Options{InDoubt: grant.ResendAlways + 1}, "no policy"},
		{"policy below", plain, store, &grant.Options{InDoubt: -1}, "no policy"},
	}
	for _, tt := range tests {
		_, err := grant.New(tt.client, tt.store, tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%s) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	g, err := grant.New(forgetful, store, &grant.Options{
		WithoutRefresh: true, RefreshBefore: -1, Recheck: 24 * time.Hour, StoreTimeout: 24 * time.Hour,
	})
	if err != nil {
		t.Fatalf("New(WithoutRefresh) = %v, want none", err)
	}
	if g.Client() != forgetful || g.Store() != store {
		t.Error("Client() and Store() are not what New was given")
	}
	if err := g.Close(); err != nil {
		t.Errorf("Close() = %v, want none", err)
	}
}
