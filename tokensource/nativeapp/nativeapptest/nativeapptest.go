// Package nativeapptest helps to test programs that log in with package
// nativeapp. Nothing in it touches the logins, the keychain or the browser of
// the developer.
//
// # What it is for
//
// A test of a program must not find the logins of the developer, and must not
// open a window. A test of a web app needs package oauthtest alone.
//
// # Types
//
// There are functions only. [Isolate] gives a test a folder of its own for
// logins, as that of another user at a desktop. [Browser] is a browser in the
// test: give it to nativeapp.Options.Open, with an oauthtest.Server that
// consents at once. [Env] is the environment for a built program, whose browser
// is the test binary. It needs [Main] in TestMain.
//
// # Example
//
//	func TestMain(m *testing.M) { nativeapptest.Main(m) }
//
//	func TestLogin(t *testing.T) {
//		cmd := exec.Command(program, "login")
//		cmd.Env = append(nativeapptest.Env(t), "NOTES_SERVER="+fake.URL)
//		…
//
// # Concurrency
//
// All functions are safe for concurrent use. Isolate changes the environment of
// the process, so its test cannot run in parallel with others.
//
// # Errors
//
// Errors contain no code: the URL of an answer is not in them.
package nativeapptest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// browserEnv makes the test binary a browser.
const browserEnv = "NATIVEAPPTEST_BROWSER"

// folders are the variables that say where the folders of the user are.
var folders = []string{"XDG_CONFIG_HOME", "HOME", "LocalAppData", "AppData", "XDG_RUNTIME_DIR"}

// absent are variables that a desktop of its own does not have: ssh, and the
// session with the keychain.
var absent = []string{"SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "DBUS_SESSION_BUS_ADDRESS", "WSL_DISTRO_NAME"}

// Main runs the tests and ends the process, as the whole of a TestMain. If a
// program with the environment of [Env] has started the test binary as its
// browser, Main opens the URL, follows the redirects, and ends.
func Main(m *testing.M) {
	if os.Getenv(browserEnv) == "" || len(os.Args) != 2 || !strings.HasPrefix(os.Args[1], "http") {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := visit(ctx, http.DefaultTransport, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "nativeapptest:", err)
		os.Exit(1) //nolint:gocritic // the context ends with the process
	}
	os.Exit(0)
}

// Isolate gives the test a folder of its own, and the rest of the environment
// of a user at a desktop. Nothing is in the folder. It must be called before
// the program opens its logins.
func Isolate(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range folders {
		t.Setenv(name, dir)
	}
	for _, name := range absent {
		t.Setenv(name, "")
	}
}

// Env returns the environment for a program under test: that of this process,
// in a folder of its own, without tokens in variables that end in _TOKEN, and
// with a browser that consents. The browser needs [Main] and a system where the
// variable BROWSER names it: neither macOS nor Windows.
func Env(t testing.TB) []string {
	t.Helper()
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasSuffix(name, "_TOKEN") || slices.Contains(absent, name) || slices.Contains(folders, name)
	})
	dir := t.TempDir()
	for _, name := range folders {
		env = append(env, name+"="+dir)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append(env, "BROWSER="+program, browserEnv+"=1")
}

// Browser returns a function for nativeapp.Options.Open. It opens the URL as
// the browser of a user does, and follows the redirects to the program. The
// server must consent at once, as that of package oauthtest does. Its requests
// go through base, except those to the program. Nil means
// http.DefaultTransport.
func Browser(base http.RoundTripper) func(ctx context.Context, url string) error {
	if base == nil {
		base = http.DefaultTransport
	}
	return func(ctx context.Context, target string) error {
		go func() { _ = visit(context.WithoutCancel(ctx), base, target) }() // if it fails, the login says that nobody came
		return nil
	}
}

// visit opens a page and follows its redirects. Those to this machine go to the
// program.
func visit(ctx context.Context, base http.RoundTripper, target string) error {
	for range 10 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return errors.New("the URL of a page cannot be used")
		}
		through := base
		if req.URL.Query().Has("code") || req.URL.Query().Has("error") {
			through = http.DefaultTransport
		}
		resp, err := through.RoundTrip(req)
		if err != nil {
			return fmt.Errorf("the page at %s does not answer", req.URL.Host)
		}
		resp.Body.Close()
		next := resp.Header.Get("Location")
		if resp.StatusCode/100 != 3 || next == "" {
			return nil
		}
		u, err := url.Parse(next)
		if err != nil {
			return errors.New("a redirect has no URL that can be used")
		}
		target = req.URL.ResolveReference(u).String()
	}
	return errors.New("too many redirects")
}
