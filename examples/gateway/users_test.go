package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestMain(m *testing.M) { nativeapptest.Main(m) }

const operatorsKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// ownX is a fake of X at which an app of one's own is registered, on the
// machine of a person with a browser.
func ownX(t *testing.T) (*xapi.Server, *provider.Provider, string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the variable BROWSER names a browser on Linux only")
	}
	app := oauthtest.ConfidentialApp()
	app.RedirectURLs = []string{"http://127.0.0.1:8080/callback"}
	fake := xapi.New(t, &oauthtest.Options{Apps: []oauthtest.App{app}})
	fake.Set(func(k *xapi.Knobs) { k.Authorize.AnyLoopbackPort = true })
	live := httptest.NewServer(fake)
	t.Cleanup(live.Close)
	nativeapptest.Isolate(t)
	for _, entry := range nativeapptest.Env(t) {
		if name, value, _ := strings.Cut(entry, "="); strings.Contains(name, "BROWSER") {
			t.Setenv(name, value)
		}
	}
	t.Setenv("X_CLIENT_SECRET", app.Secret())
	t.Setenv("GATEWAY_KEY", operatorsKey)
	server := fake.Provider(live.URL)
	server.AnyLoopbackPort = true // the port of the program may be in use
	return fake, server, app.ClientID
}

// TestAGatewayOfOnesOwn logs a user in, restarts, lets the access token expire,
// and calls.
func TestAGatewayOfOnesOwn(t *testing.T) {
	fake, server, id := ownX(t)
	u, err := open(t.Context(), server, id)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if err := u.login(t.Context(), &said); err != nil || !strings.Contains(said.String(), oauthtest.DefaultUser().ID) {
		t.Fatalf("login = %v, %q, want the subject", err, &said)
	}
	if err := u.app.Close(); err != nil {
		t.Fatal(err)
	}
	if u, err = open(t.Context(), server, id); err != nil {
		t.Fatal(err)
	}
	defer u.app.Close() //nolint:errcheck // the test has its answer by then
	fake.ExpireAccess("")

	ctx, stop := context.WithCancel(t.Context())
	printed, stopped := printedBy(ctx, u)
	if strings.Contains(printed, operatorsKey) || !strings.Contains(printed, "$GATEWAY_KEY") {
		t.Errorf("the gateway prints its key, or does not name the variable: %s", printed)
	}
	at := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindAllString(printed, 2)
	terms := regexp.MustCompile(`(?s)-d '(\{.*?\})'`).FindStringSubmatch(printed)
	if len(at) != 2 || terms == nil {
		t.Fatalf("the gateway prints %s, want commands", printed)
	}
	gate := regexp.MustCompile(`(http://[^/]+)/2/users/me`).FindStringSubmatch(printed)[1]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at[0]+"/capabilities", strings.NewReader(terms[1]))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+operatorsKey)
	_, text := send(t, r)
	var issued struct{ Capability string }
	if err := json.Unmarshal([]byte(text), &issued); err != nil || issued.Capability == "" {
		t.Fatalf("the operator gets %s, want a capability", text)
	}
	name := callFromPython(t, gate, issued.Capability)
	if name != oauthtest.DefaultUser().Username || fake.TokenCalls("refresh_token") != 1 {
		t.Errorf("the program prints %q after %d refreshes, want the user after 1", name, fake.TokenCalls("refresh_token"))
	}
	stop()
	if err := <-stopped; err != nil {
		t.Errorf("run = %v", err)
	}
}

// printedBy runs the gateway and returns what it prints before the audit.
func printedBy(ctx context.Context, u *users) (string, <-chan error) {
	r, w := io.Pipe()
	stopped := make(chan error, 1)
	go func() {
		err := run(ctx, u, "127.0.0.1:0", "127.0.0.1:0", w)
		_ = w.Close()
		stopped <- err
	}()
	var said strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() && lines.Text() != "The audit follows." {
		said.WriteString(lines.Text() + "\n")
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return said.String(), stopped
}

// callFromPython runs client.py, and without Python does what it does.
func callFromPython(t *testing.T, gate, capability string) (name string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "client.py")
	cmd.Env = append(cmd.Environ(), "GATEWAY="+gate, "CAPABILITY="+capability, "no_proxy=*")
	out, err := cmd.CombinedOutput()
	if !errors.Is(err, exec.ErrNotFound) {
		return strings.TrimSpace(string(out))
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gate+xapi.PathMe, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+capability)
	_, text := send(t, r)
	var me struct{ Data struct{ Username string } }
	if err := json.Unmarshal([]byte(text), &me); err != nil {
		t.Fatal(err)
	}
	return me.Data.Username
}

func TestWhatTheProgramRefuses(t *testing.T) {
	t.Setenv("X_CLIENT_ID", "")
	t.Setenv("GATEWAY_KEY", "too short")
	if err := withUsers(t.Context(), func(u *users) error { return run(t.Context(), u, "", "", io.Discard) }); err == nil {
		t.Error("a key of 9 characters is accepted, want an error")
	}
	if err := withUsers(t.Context(), func(u *users) error { return u.login(t.Context(), io.Discard) }); err == nil {
		t.Error("a login without X_CLIENT_ID = nil, want an error")
	}
}
