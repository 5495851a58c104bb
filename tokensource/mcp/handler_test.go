package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/mcp"
)

// world is an MCP server that is its own authorization server.
type world struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	logins  int
	form    []string // the resources that token requests name
	needs   string   // scopes that no login brings, or empty
	forbids string   // the challenge of answers with 403, or "-"
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{forbids: "-"}
	mux := http.NewServeMux()
	w.Server = httptest.NewServer(mux)
	t.Cleanup(w.Close)
	reply := func(rw http.ResponseWriter, v any) {
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(v)
	}
	mux.HandleFunc("/.well-known/oauth-protected-resource/mcp", func(rw http.ResponseWriter, _ *http.Request) {
		reply(rw, map[string]any{"resource": w.URL + "/mcp", "authorization_servers": []string{w.URL}})
	})
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(rw http.ResponseWriter, _ *http.Request) {
		reply(rw, map[string]any{
			"issuer": w.URL, "authorization_endpoint": w.URL + "/authorize", "token_endpoint": w.URL + "/token",
			"registration_endpoint": w.URL + "/register", "code_challenge_methods_supported": []string{"S256"},
			"response_types_supported": []string{"code"}, "token_endpoint_auth_methods_supported": []string{"none"},
		})
	})
	mux.HandleFunc("/register", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusCreated)
		reply(rw, map[string]any{"client_id": "app", "token_endpoint_auth_method": "none"})
	})
	mux.HandleFunc("/authorize", func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		http.Redirect(rw, r, q.Get("redirect_uri")+"?code=c&state="+q.Get("state"), http.StatusFound)
	})
	mux.HandleFunc("/token", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.logins++
		w.form = append(w.form, r.PostFormValue("resource"))
		reply(rw, map[string]any{"access_token": fmt.Sprintf("token-%d", w.logins), "token_type": "Bearer", "expires_in": 3600})
	})
	mux.HandleFunc("/mcp", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		needs, forbids := w.needs, w.forbids
		w.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") == "":
			rw.Header().Set("WWW-Authenticate", "Bearer")
			rw.WriteHeader(http.StatusUnauthorized)
		case forbids != "-":
			rw.Header().Set("WWW-Authenticate", forbids)
			rw.WriteHeader(http.StatusForbidden)
		case needs != "":
			rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+needs+`"`)
			rw.WriteHeader(http.StatusForbidden)
		}
	})
	mux.HandleFunc("/other", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Header.Get("Authorization")) })
	return w
}

// handler returns a Handler whose user consents at once.
func (w *world) handler(t *testing.T, store storage.Store) *mcp.Handler {
	t.Helper()
	h, err := mcp.New(w.URL+"/mcp", store, &mcp.Options{InsecureLoopback: true, Open: func(_ context.Context, page string) error {
		go func() {
			resp, err := http.Get(page)
			if err == nil {
				_ = resp.Body.Close()
			}
		}()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func post(t *testing.T, c *http.Client, target string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), nil
}

func TestTwentyRequestsWithoutATokenShareOneLogin(t *testing.T) {
	w := newWorld(t)
	client := w.handler(t, storage.NewMemory()).Client()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, _, err := post(t, client, w.URL+"/mcp"); status != http.StatusOK || err != nil {
				t.Errorf("Do() = %d, %v, want 200", status, err)
			}
		})
	}
	all.Wait()
	if w.logins != 1 || w.form[0] != w.URL+"/mcp" {
		t.Errorf("%d logins for %q, want 1 for the MCP server", w.logins, w.form)
	}
}

func TestASecondHandlerWithTheSameStoreNeedsNoLogin(t *testing.T) {
	w, store := newWorld(t), storage.NewMemory()
	for range 2 {
		if status, _, err := post(t, w.handler(t, store).Client(), w.URL+"/mcp"); status != http.StatusOK || err != nil {
			t.Errorf("Do() = %d, %v, want 200", status, err)
		}
	}
	if w.logins != 1 {
		t.Errorf("%d logins, want 1", w.logins)
	}
}

func TestAnotherPathOfTheSameHostGetsNoToken(t *testing.T) {
	w := newWorld(t)
	client := w.handler(t, storage.NewMemory()).Client()
	if _, _, err := post(t, client, w.URL+"/mcp"); err != nil {
		t.Fatal(err)
	}
	if _, text, err := post(t, client, w.URL+"/other"); text != "" || err != nil {
		t.Errorf("the other path got %q, %v, want no token", text, err)
	}
}

func TestAScopeThatNoLoginBringsIsAskedForTwice(t *testing.T) {
	w := newWorld(t)
	w.needs = "admin"
	client := w.handler(t, storage.NewMemory()).Client()
	for range 2 {
		if _, _, err := post(t, client, w.URL+"/mcp"); !errors.Is(err, mcp.ErrInsufficient) {
			t.Errorf("Do() = %v, want ErrInsufficient", err)
		}
	}
	if w.logins != 3 {
		t.Errorf("%d logins, want the first one and two for the scope", w.logins)
	}
}

func TestEndpointsAndRedirectURLsThatMCPDoesNotAllow(t *testing.T) {
	for name, o := range map[string]struct{ endpoint, redirect string }{
		"endpoint with http":          {"http://mcp.example/mcp", ""},
		"endpoint without a host":     {"/mcp", ""},
		"endpoint with a user":        {"https://user@mcp.example/mcp", ""},
		"redirect beyond this host":   {"https://mcp.example/mcp", "https://app.example/callback"},
		"redirect with http to a LAN": {"https://mcp.example/mcp", "http://10.0.0.1/callback"},
	} {
		if h, err := mcp.New(o.endpoint, storage.NewMemory(), &mcp.Options{RedirectURL: o.redirect}); err == nil {
			t.Errorf("%s: New() = %v, want an error", name, h)
		}
	}
}

func TestAWebAppLogsItsUsersInAtTheServerOfTheMCPServer(t *testing.T) {
	w := newWorld(t)
	keys, err := seal.NewKeys(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	login, err := mcp.Open(t.Context(), w.URL+"/mcp", storage.NewMemory(), keys, &mcp.Options{
		Name: "app", RedirectURL: "http://127.0.0.1:8080/auth/callback", InsecureLoopback: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = login.Close() })
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080/auth/authorize", nil)
	login.Authorize().ServeHTTP(rec, r)
	if to := rec.Header().Get("Location"); !strings.HasPrefix(to, w.URL+"/authorize?") || !strings.Contains(to, "resource=") {
		t.Errorf("Authorize() leads to %q, want the authorization server with the resource", to)
	}
}
