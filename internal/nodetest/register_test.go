package nodetest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authtrip/authtrip/internal/nodekit"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// TestDiscoveryAndRegistrationAtOIDCProvider knows an issuer and nothing more.
// Two processes find the endpoints, register one client, and a person logs in.
func TestDiscoveryAndRegistrationAtOIDCProvider(t *testing.T) {
	issuer := nodekit.Serve(t, "register.mjs")
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Sealed(storage.NewMemory(), keys)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	live := httptest.NewServer(mux)
	t.Cleanup(live.Close)

	p, err := discovery.Provider(t.Context(), issuer, &discovery.Options{InsecureLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.RevocationURL == "" || p.RegistrationURL == "" || p.JWKSURL == "" || !p.IssuerRequired {
		t.Errorf("Provider(%s) = %+v, want all endpoints and iss in answers", issuer, p)
	}
	var registered *registration.Registered
	for range 2 { // processes
		r, err := registration.New(store, registration.Metadata{
			Name: "An app", RedirectURLs: []string{live.URL + "/callback"}, ApplicationType: "native", TokenAuthMethod: "client_secret_basic",
			Scopes: []string{"openid", "profile", "offline_access"},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if registered, err = r.Current(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, issuer+"/control/clients"); got != "1" {
		t.Errorf("the server has registered %s clients for two processes, want 1", got)
	}

	client, err := oauth.New(registered.Provider, registered.Registration, nil)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := grant.New(client, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := grants.Close(); err != nil {
			t.Error(err)
		}
	})
	login, err := middleware.New(grants, keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	login.Mount(mux)
	mux.Handle("/me", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, _ := login.Subject(r)
		_, _ = io.WriteString(w, subject)
	})))
	alice := nodekit.NewPerson(t)
	if got := alice.Decide(alice.Get(live.URL+"/me"), "alice", true); got.Text != "alice" {
		t.Errorf("after the login the app answers %d %.300s, want alice", got.Status, got.Text)
	}
}

func get(t *testing.T, at string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
