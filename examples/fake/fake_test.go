package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// started is a fake that runs.
type started struct {
	*testing.T
	base, id, secret string
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-listen", "127.0.0.1:0", "-yes"}, args...), w)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run(%q) = %v", args, err)
		}
	})
	var said strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() && lines.Text() != "The requests follow." {
		said.WriteString(lines.Text() + "\n")
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	found := regexp.MustCompile(`(?s)InsecureAt\("(.*?)"\).*the secret\n\n  (\S+)\n  (\S+)\n`).FindStringSubmatch(said.String())
	if found == nil {
		t.Fatalf("fake %q prints %s, want a client ID and a secret", args, &said)
	}
	return &started{t, found[1], found[2], found[3]}
}

// program is a program that is pointed at the fake as the fake says, and whose
// user has logged in.
func (s *started) program(server *provider.Provider, scopes ...string) *http.Client {
	s.Helper()
	client, err := oauth.New(server.InsecureAt(s.base), oauth.Registration{
		ClientID: s.id, Credential: oauth.Secret(s.secret), RedirectURL: "http://127.0.0.1:8080/callback", Scopes: scopes,
	}, nil)
	if err != nil {
		s.Fatal(err)
	}
	grants, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = grants.Close() })
	if _, err := grants.Save(s.Context(), "user", s.authorize(client)); err != nil {
		s.Fatal(err)
	}
	authenticated, err := transport.New(grants.Source("user"), nil)
	if err != nil {
		s.Fatal(err)
	}
	return &http.Client{Transport: authenticated}
}

// authorize does what a browser does, up to the redirect URL.
func (s *started) authorize(client *oauth.Client) *oauth2.Token {
	s.Helper()
	verifier := oauth2.GenerateVerifier()
	page, err := client.Authorize(s.Context(), "state", verifier, nil)
	if err != nil {
		s.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, page, nil)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		s.Fatal(err)
	}
	tok, err := client.Exchange(s.Context(), back.Query().Get("code"), verifier)
	if err != nil {
		s.Fatal(err)
	}
	return tok
}

func (s *started) do(client *http.Client, method, path string) (int, error) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.base+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// TestAProgramAtTheFakeOfX logs in, calls, and meets what the fake offers.
func TestAProgramAtTheFakeOfX(t *testing.T) {
	s := start(t)
	app := s.program(provider.X(), "tweet.read", "users.read", "offline.access")
	for _, happens := range []string{"/nothing", "/fake/expire"} {
		_, _ = s.do(http.DefaultClient, http.MethodPost, happens)
		if status, err := s.do(app, http.MethodGet, "/2/users/me"); status != http.StatusOK || err != nil {
			t.Errorf("a call after POST %s = %d, %v, want 200", happens, status, err)
		}
	}
	_, _ = s.do(http.DefaultClient, http.MethodPost, "/fake/outage")
	if status, err := s.do(app, http.MethodGet, "/2/users/me"); status != http.StatusServiceUnavailable || err != nil {
		t.Errorf("a call in the outage = %d, %v, want 503", status, err)
	}
}

func TestTheUserWithdrawsAccess(t *testing.T) {
	s := start(t)
	app := s.program(provider.X(), "tweet.read", "users.read", "offline.access")
	if status, _ := s.do(http.DefaultClient, http.MethodPost, "/fake/withdraw"); status != http.StatusOK {
		t.Errorf("POST /fake/withdraw = %d, want 200", status)
	}
	if _, err := s.do(app, http.MethodGet, "/2/users/me"); !errors.Is(err, tokensource.ErrReauthorize) {
		t.Errorf("a call after the user has withdrawn access = %v, want ErrReauthorize", err)
	}
}

func TestAnotherServerOfTheCatalogue(t *testing.T) {
	s := start(t, "-provider", "discord", "-lifetime", "1h")
	discord, err := provider.Get("discord")
	if err != nil {
		t.Fatal(err)
	}
	s.program(discord, "identify")
}

func TestWhatTheFakeRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-listen", "0.0.0.0:0"}, {"-listen", "9999"}, {"-provider", "nobody"}, {"-redirect", "javascript:alert(1)"}, {"-unknown"}, {"-h"},
	} {
		err := run(t.Context(), args, io.Discard)
		if err == nil || errors.Is(err, flag.ErrHelp) != (args[0] == "-h") {
			t.Errorf("run(%q) = %v, want an error", args, err)
		}
	}
}
