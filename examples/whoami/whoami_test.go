package main

import (
	"io"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestMain(m *testing.M) { nativeapptest.Main(m) }

// TestWhoami runs the program twice against a fake of X. It logs in once.
func TestWhoami(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the variable BROWSER names a browser on Linux only")
	}
	app := oauthtest.PublicApp()
	app.RedirectURLs = []string{"http://127.0.0.1:8765/callback"}
	fake := xapi.New(t, &oauthtest.Options{Apps: []oauthtest.App{app}})
	fake.Set(func(k *xapi.Knobs) { k.Authorize.AnyLoopbackPort = true })
	server := httptest.NewServer(fake)
	defer server.Close()
	nativeapptest.Isolate(t)
	for _, entry := range nativeapptest.Env(t) {
		if name, value, _ := strings.Cut(entry, "="); strings.Contains(name, "BROWSER") {
			t.Setenv(name, value)
		}
	}
	t.Setenv("X_CLIENT_ID", app.ClientID)
	x := fake.Provider(server.URL)
	x.AnyLoopbackPort = true // the port of the program may be in use
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout := os.Stdout
		os.Stdout = w
		err = run(t.Context(), x, server.URL+xapi.PathMe)
		os.Stdout = stdout
		_ = w.Close()
		text, _ := io.ReadAll(r) // what is missing fails below
		if err != nil || !strings.Contains(string(text), `"XDevelopers"`) {
			t.Errorf("whoami = %q, %v, want what the API says of the user", text, err)
		}
	}
	if n := fake.TokenCalls("authorization_code"); n != 1 {
		t.Errorf("%d logins for two runs, want 1", n)
	}
}
