package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const redirectURL = "http://127.0.0.1/callback"

// issuer is an authorization server with metadata. It registers apps if it was
// made to.
type issuer struct {
	*oauthtest.Server

	url        string
	registers  bool
	registered atomic.Int64
	moved      atomic.Bool // the endpoint for tokens is elsewhere
	redirects  []string    // that apps register
	sendsBack  bool        // a login of a forgotten client ends with a redirect, and not with a page

	mu         sync.Mutex // guards what follows
	forms      []url.Values
	forgot     []string // clients that the server does not know any more
	revocation string   // the endpoint for revocations, or empty
}

// forget lets the server forget the first client that was registered. It says
// so to each request.
func (i *issuer) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forgot = append(i.forgot, "registered-1")
}

func (i *issuer) hasForgotten(clientID string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Contains(i.forgot, clientID)
}

func newIssuer(t *testing.T, registers bool) *issuer {
	t.Helper()
	mux := http.NewServeMux()
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)
	i := &issuer{url: listener.URL, registers: registers, redirects: []string{redirectURL}}
	app := oauthtest.App{ClientID: "by-hand", Name: "app", RedirectURLs: []string{redirectURL}}
	i.Server = oauthtest.New(t, &oauthtest.Options{Apps: []oauthtest.App{app.WithSecret("secret")}, Provider: &provider.Provider{
		Name: "issuer", Issuer: i.url, AuthorizationURL: i.url + "/authorize", TokenURL: i.url + "/token",
		APIOrigins: []string{i.url}, InsecureLoopback: true,
	}})
	i.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = true })
	metadata := map[string]any{
		"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token",
		"code_challenge_methods_supported": []string{"S256"}, "response_types_supported": []string{"code"},
		"token_endpoint_auth_methods_supported": []string{"none", "client_secret_basic"},
	}
	if registers {
		metadata["registration_endpoint"] = i.url + "/register"
	}
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		now := maps.Clone(metadata)
		if i.moved.Load() {
			now["token_endpoint"] = i.url + "/moved"
		}
		i.mu.Lock()
		if i.revocation != "" {
			now["revocation_endpoint"] = i.revocation
		}
		i.mu.Unlock()
		answer(w, http.StatusOK, now)
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if id := q.Get("client_id"); i.hasForgotten(id) && i.sendsBack {
			http.Redirect(w, r, q.Get("redirect_uri")+"?error=unauthorized_client&state="+q.Get("state"), http.StatusFound)
			return
		} else if i.hasForgotten(id) {
			answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "no client " + id})
			return
		}
		i.ServeHTTP(w, r)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/token"
		i.ServeHTTP(w, r)
	})
	mux.HandleFunc("/register", func(w http.ResponseWriter, _ *http.Request) {
		id := "registered-" + string('0'+rune(i.registered.Add(1)))
		if err := i.Register(oauthtest.App{ClientID: id, Name: "app", RedirectURLs: i.redirects}); err != nil {
			t.Error(err)
		}
		answer(w, http.StatusCreated, map[string]any{"client_id": id, "token_endpoint_auth_method": "none"})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		i.mu.Lock()
		i.forms = append(i.forms, form)
		i.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case i.hasForgotten(form.Get("client_id")):
			answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		case i.moved.Load():
			answer(w, http.StatusNotFound, nil)
		default:
			i.ServeHTTP(w, r)
		}
	})
	mux.Handle("/", i.Server)
	return i
}

// resources returns the resources of the requests with a grant type.
func (i *issuer) resources(grantType string) (all []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, form := range i.forms {
		if form.Get("grant_type") == grantType {
			all = append(all, strings.Join(form["resource"], " "))
		}
	}
	return all
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// site is an MCP server that accepts the tokens of one issuer. A request names
// in its header Needs the scope that it needs.
type site struct {
	endpoint string
	issuer   atomic.Pointer[issuer]
	rejects  atomic.Bool    // every token
	tools    http.Handler   // answers requests with a good token; may be nil
	together sync.WaitGroup // the first requests without a token
	waits    atomic.Int64   // how many of them there are
}

func newSite(t *testing.T, i *issuer) *site {
	t.Helper()
	mux := http.NewServeMux()
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)
	s := &site{endpoint: listener.URL + "/mcp"}
	s.issuer.Store(i)
	mux.HandleFunc("/.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"resource": s.endpoint, "authorization_servers": []string{s.issuer.Load().url}})
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		_, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if raw == "" && s.waits.Add(-1) >= 0 {
			s.together.Done()
			s.together.Wait()
		}
		tok := s.issuer.Load().Token(raw)
		needs := r.Header.Get("Needs")
		switch {
		case raw == "" || tok.Dead != "" || s.rejects.Load():
			w.Header().Set("WWW-Authenticate", `Bearer scope="read"`)
			w.WriteHeader(http.StatusUnauthorized)
		case needs != "" && !slices.Contains(tok.Scopes, needs):
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+needs+`"`)
			w.WriteHeader(http.StatusForbidden)
		case s.tools != nil:
			s.tools.ServeHTTP(w, r)
		}
	})
	return s
}

// gather holds the first n requests without a token until all have come.
func (s *site) gather(n int) {
	s.together.Add(n)
	s.waits.Store(int64(n))
}

// process is a Handler with an opened store of its own.
type process struct {
	*mcp.Handler

	send func(t *testing.T, needs string) (int, error)

	mu     sync.Mutex // guards what follows
	scopes []string   // that the logins asked for
}

func (p *process) logins() int { return len(p.asked()) }

func (p *process) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.scopes)
}

// start starts a process with the store in a folder. It sends requests through
// Client, or as the SDK does it with an OAuthHandler.
func (s *site) start(t *testing.T, dir string, sdk bool) *process {
	t.Helper()
	files, err := filestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Sealed(files, keys)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{}
	clients := map[string]oauth.Registration{}
	if i := s.issuer.Load(); !i.registers {
		clients[i.url] = oauth.Registration{ClientID: "by-hand", Credential: oauth.Secret("secret")}
	}
	p.Handler, err = mcp.New(s.endpoint, store, &mcp.Options{Name: "app", Clients: clients, InsecureLoopback: true, Open: p.open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.send = func(t *testing.T, needs string) (int, error) { return do(t, p.Client(), s.request(t, needs)) }
	if sdk {
		p.send = func(t *testing.T, needs string) (int, error) { return p.asSDK(t, s, needs) }
	}
	return p
}

// open is a browser whose user consents at once.
func (p *process) open(_ context.Context, page string) error {
	u, err := url.Parse(page)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.scopes = append(p.scopes, u.Query().Get("scope"))
	p.mu.Unlock()
	go func() {
		resp, err := http.Get(page)
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	return nil
}

func (s *site) request(t *testing.T, needs string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.endpoint, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if needs != "" {
		req.Header.Set("Needs", needs)
	}
	return req
}

func do(t *testing.T, c *http.Client, req *http.Request) (int, error) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// asSDK sends a request as the SDK does, at most twice.
func (p *process) asSDK(t *testing.T, s *site, needs string) (int, error) {
	t.Helper()
	for try := 1; ; try++ {
		req := s.request(t, needs)
		source, err := p.TokenSource(t.Context())
		if err != nil {
			return 0, err
		}
		if source != nil {
			tok, err := source.Token()
			if err != nil {
				return 0, err
			}
			if tok != nil {
				tok.SetAuthHeader(req)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		if try == 2 || resp.StatusCode == http.StatusOK {
			return resp.StatusCode, resp.Body.Close()
		}
		if err := p.Authorize(t.Context(), req, resp); err != nil { // closes the body
			return 0, err
		}
	}
}

// works sends n requests in each process at once.
func works(t *testing.T, n int, all ...*process) {
	t.Helper()
	var running sync.WaitGroup
	for _, p := range all {
		for range n {
			running.Go(func() {
				if status, err := p.send(t, ""); status != http.StatusOK || err != nil {
					t.Errorf("send() = %d, %v, want 200", status, err)
				}
			})
		}
	}
	running.Wait()
}

func ways(t *testing.T, test func(t *testing.T, registers, sdk bool)) {
	t.Helper()
	for name, registers := range map[string]bool{"client by hand": false, "dynamic registration": true} {
		for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
			t.Run(name+", "+way, func(t *testing.T) { test(t, registers, sdk) })
		}
	}
}

func TestTwoProcessesAtOnceThatAreAnswered401TenTimesEach(t *testing.T) {
	ways(t, func(t *testing.T, registers, sdk bool) {
		i, dir := newIssuer(t, registers), t.TempDir()
		s := newSite(t, i)
		a, b := s.start(t, dir, sdk), s.start(t, dir, sdk)
		s.gather(20)
		works(t, 10, a, b)
		works(t, 10, a, b)
		if a.logins()+b.logins() != 1 {
			t.Errorf("%d and %d logins, want one for both processes", a.logins(), b.logins())
		}
		if n := i.registered.Load(); registers && n != 1 {
			t.Errorf("%d registrations, want 1", n)
		}
	})
}

func TestARefreshInOneProcessIsUsedByTheOtherAndNamesTheResource(t *testing.T) {
	for name, rejected := range map[string]func(t *testing.T, a, b *process){
		"one after the other": func(t *testing.T, a, b *process) { t.Helper(); works(t, 5, a); works(t, 5, b) },
		"both at once":        func(t *testing.T, a, b *process) { t.Helper(); works(t, 5, a, b) },
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, registers, sdk bool) { refreshOnce(t, registers, sdk, rejected) })
		})
	}
}

// refreshOnce lets the token of two processes be rejected.
func refreshOnce(t *testing.T, registers, sdk bool, rejected func(t *testing.T, a, b *process)) {
	t.Helper()
	i, dir := newIssuer(t, registers), t.TempDir()
	s := newSite(t, i)
	a, b := s.start(t, dir, sdk), s.start(t, dir, sdk)
	works(t, 1, a)
	works(t, 1, b)
	i.ExpireAccess(oauthtest.DefaultUser().ID)
	rejected(t, a, b)
	for _, grantType := range []string{"authorization_code", "refresh_token"} {
		if got := i.resources(grantType); !slices.Equal(got, []string{s.endpoint}) {
			t.Errorf("%s for %q, want one for the MCP server", grantType, got)
		}
	}
	if a.logins() != 1 || b.logins() != 0 {
		t.Errorf("%d and %d logins, want 1 and 0", a.logins(), b.logins())
	}
}

func TestAnotherAuthorizationServerWhileTwoProcessesRun(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir()
			s := newSite(t, newIssuer(t, true))
			a, b := s.start(t, dir, sdk), s.start(t, dir, sdk)
			works(t, 1, a)
			works(t, 1, b)
			s.issuer.Store(newIssuer(t, true))
			works(t, 5, a, b)
			if a.logins()+b.logins() != 2 {
				t.Errorf("%d and %d logins, want one at each server", a.logins(), b.logins())
			}
			s.issuer.Store(newIssuer(t, true))
			before := b.logins()
			works(t, 5, a)
			works(t, 5, b)
			if b.logins() != before {
				t.Error("a process logged in at a server where the other one has logged in already")
			}
		})
	}
}

func TestALoginForMoreScopesKeepsThoseOfTheOtherProcess(t *testing.T) {
	for way, sdk := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir()
			s := newSite(t, newIssuer(t, true))
			a, b := s.start(t, dir, sdk), s.start(t, dir, sdk)
			works(t, 1, a)
			works(t, 1, b)
			for _, step := range []struct {
				of    *process
				needs string
			}{{a, "write"}, {b, "admin"}, {a, "write"}} {
				if status, err := step.of.send(t, step.needs); status != http.StatusOK || err != nil {
					t.Errorf("send(%s) = %d, %v, want 200", step.needs, status, err)
				}
			}
			if got := b.asked(); !slices.Equal(got, []string{"read write admin"}) {
				t.Errorf("the second process asked for %q, want all scopes", got)
			}
		})
	}
}

func TestA401WithoutATokenThatIsHandledAfterTheLogin(t *testing.T) {
	s := newSite(t, newIssuer(t, true))
	p := s.start(t, t.TempDir(), true)
	for range 2 {
		req := s.request(t, "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Authorize(t.Context(), req, resp); err != nil { // closes the body
			t.Error(err)
		}
	}
	if p.logins() != 1 {
		t.Errorf("%d logins, want 1", p.logins())
	}
}

func TestA401AfterCloseLogsNobodyIn(t *testing.T) {
	s := newSite(t, newIssuer(t, true))
	p := s.start(t, t.TempDir(), false)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.send(t, ""); err == nil || errors.Is(err, context.Canceled) || p.logins() != 0 {
		t.Errorf("send() = %v with %d logins, want that the Handler is closed", err, p.logins())
	}
}
