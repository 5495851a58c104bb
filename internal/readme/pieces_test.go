package readme_test

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// generic describes a server that is not X.
func generic() *provider.Provider {
	acme := &provider.Provider{
		Name:             "acme",
		AuthorizationURL: "https://login.acme.example/authorize",
		TokenURL:         "https://login.acme.example/token",
		RevocationURL:    "https://login.acme.example/revoke",
		APIOrigins:       []string{"https://api.acme.example"},
	}
	return acme
}

// atFake is X, or a fake of it.
func atFake() *provider.Provider {
	server := provider.X()
	if base := os.Getenv("X_SERVER"); base != "" { // http://127.0.0.1:9999, where the fake is
		server = server.InsecureAt(base)
	}
	return server
}

// decide says who can do something about an error.
func decide(err error) string {
	var advice string
	switch {
	case errors.Is(err, tokensource.ErrReauthorize): // ErrNoGrant too
		advice = "send the user through the login"
	case errors.Is(err, tokensource.ErrTemporary):
		advice = "try again later"
		if e, ok := errors.AsType[*tokensource.Error](err); ok {
			advice += ", in " + e.RetryAfter.String()
		}
	case errors.Is(err, tokensource.ErrClient):
		advice = "fix the deployment: " + err.Error()
	}
	return advice
}

// audit logs what happens.
func audit(client *oauth.Client, store storage.Store, keys *seal.Keys) error {
	events := tokensource.LogEvents(slog.Default())
	grants, err := grant.New(client, store, &grant.Options{OnEvent: events})
	if err != nil {
		return err
	}
	login, err := middleware.New(grants, keys, &middleware.Options{OnEvent: events})
	if err != nil {
		return err
	}
	authenticated, err := transport.New(grants, &transport.Options{OnEvent: events})
	if err != nil {
		return err
	}
	_, _ = login, authenticated
	return grants.Close()
}

func TestThePieces(t *testing.T) {
	if err := generic().Validate(); err != nil {
		t.Error(err)
	}
	for base, want := range map[string]string{"": "https://api.x.com", "http://127.0.0.1:9999": "http://127.0.0.1:9999"} {
		t.Setenv("X_SERVER", base)
		if got := atFake().APIOrigins[0]; got != want {
			t.Errorf("atFake() with X_SERVER=%q has the API at %s, want %s", base, got, want)
		}
	}
	for err, want := range map[error]string{
		tokensource.ErrNoGrant: "send the user through the login",
		&tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, RetryAfter: time.Second}: "try again later, in 1s",
	} {
		if got := decide(err); got != want {
			t.Errorf("decide(%v) = %q, want %q", err, got, want)
		}
	}
	x, app := xapi.New(t, nil), oauthtest.ConfidentialApp()
	if err := audit(newClient(t, x, app), storage.NewMemory(), newKeys(t)); err != nil {
		t.Error(err)
	}
}
