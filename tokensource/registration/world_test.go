package registration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

const callback = "https://app.example/callback"

// server registers apps. The field answer replaces what it says.
type server struct {
	mu      sync.Mutex // guards what follows
	asked   []map[string]any
	headers []http.Header
	answer  func(n int) (status int, body string)
	err     error
	hold    chan struct{} // if not nil, answers wait for its end
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil || r.Method != http.MethodPost || r.URL.String() != "https://as.example/register" {
		return nil, fmt.Errorf("a request that is no registration: %s %s %s", r.Method, r.URL, body)
	}
	s.asked, s.headers = append(s.asked, m), append(s.headers, r.Header.Clone())
	n, answer, failed, hold := len(s.asked), s.answer, s.err, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if failed != nil {
		return nil, failed
	}
	status, text := http.StatusCreated, fmt.Sprintf(`{"client_id":"id-%d","client_secret":"canary-s3cret-%d","client_secret_expires_at":0}`, n, n)
	if answer != nil {
		status, text = answer(n)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// as returns the facts about the server.
func as() *provider.Provider {
	return &provider.Provider{
		Name: "as", Issuer: "https://as.example", AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token",
		RegistrationURL: "https://as.example/register",
	}
}

// sealed returns a store with keys, as all processes of an app have it.
func sealed(t testing.TB, below storage.Store) storage.Store {
	t.Helper()
	keys, err := seal.NewKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Sealed(below, keys)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// process returns a Registrar of one process.
func (s *server) process(t testing.TB, store storage.Store, m registration.Metadata, o registration.Options) *registration.Registrar {
	t.Helper()
	if m.RedirectURLs == nil {
		m.RedirectURLs = []string{callback}
	}
	o.HTTPClient = &http.Client{Transport: s}
	r, err := registration.New(store, m, &o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// id returns the client ID of the current registration.
func id(t testing.TB, r *registration.Registrar) string {
	t.Helper()
	registered, err := r.Current(context.Background(), as())
	if err != nil {
		t.Fatalf("Current() = %v", err)
	}
	return registered.Registration.ClientID
}
