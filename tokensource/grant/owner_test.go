package grant_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// keeperOf returns a Keeper for an app at a server of its own, and with a
// grant for each of the given users.
func keeperOf(t *testing.T, store storage.Store, p provider.Provider, clientID string, users ...string) *grant.Keeper {
	t.Helper()
	p.Name, p.AuthorizationURL = "one-name", "https://login.example/authorize"
	client, err := oauth.New(&p, oauth.Registration{ClientID: clientID, RedirectURL: "https://app.example/callback"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := grant.New(client, store, &grant.Options{DueInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	for _, user := range users {
		tok := &oauth2.Token{AccessToken: "at-of-" + user + "-from-" + p.TokenURL, TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)}
		if _, err := k.Save(t.Context(), user, tok); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// A user may have at one server the identifier that another user has at
// another server (M8). A request of user 7 at one of them acts for nobody
// at the other one, though a grant of a user 7 is stored there.
func TestASubjectOfAnotherKeeperHasNoGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		x := provider.Provider{TokenURL: "https://x.example/token"}
		home := keeperOf(t, store, x, "app", "7")
		for name, other := range map[string]*grant.Keeper{
			"another server":            keeperOf(t, store, provider.Provider{TokenURL: "https://acme.example/token"}, "app", "7"),
			"another realm":             keeperOf(t, store, provider.Provider{Issuer: "https://x.example/realms/b", TokenURL: x.TokenURL}, "app", "7"),
			"another app at one server": keeperOf(t, store, x, "another-app", "7"),
		} {
			ctx := home.WithSubject(t.Context(), "7")
			if subject, ok := other.Subject(ctx); ok {
				t.Errorf("%s: Subject() = %q, want none", name, subject)
			}
			_, err := other.Token(ctx)
			testworld.WantIs(t, err, tokensource.ErrNoSubject)
			_, err = other.Renew(ctx, &oauth2.Token{AccessToken: "t"})
			testworld.WantIs(t, err, tokensource.ErrNoSubject)
			if tok, value, err := other.ReadyFor(other).Authorization(ctx); err == nil {
				t.Errorf("%s: Authorization() = %v, %q, want an error", name, tok, value)
			}
			wantStacked(t, other.WithSubject(ctx, "7"), home, other)
		}
	})
}

// wantStacked fails the test unless each Keeper finds its own grant under ctx.
func wantStacked(t *testing.T, ctx context.Context, keepers ...*grant.Keeper) {
	t.Helper()
	for _, k := range keepers {
		tok, err := k.Token(ctx)
		if want := "at-of-7-from-" + k.Client().Provider().TokenURL; err != nil || tok.AccessToken != want {
			t.Errorf("Token() with two subjects = %v, %v, want %s", tok, err, want)
		}
	}
}

// Processes of one app share the subjects of a context, as they share grants.
func TestKeepersOfOneClientShareSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, p := storage.NewMemory(), provider.Provider{TokenURL: "https://x.example/token"}
		here, there := keeperOf(t, store, p, "app", "7"), keeperOf(t, store, p, "app")
		wantStacked(t, here.WithSubject(t.Context(), "7"), here, there)
	})
}
