package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// programEnv makes the test binary the program.
const programEnv = "POSTS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	browser := len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "http")
	if os.Getenv(programEnv) != "" && !browser {
		main()
	}
	nativeapptest.Main(m)
}

// machine is the machine of a user, and a fake of X.
type machine struct {
	*testing.T
	fake *xapi.Server
	env  []string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	fake, server, err := startFake()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Close()
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	})
	return &machine{t, fake, append(nativeapptest.Env(t), programEnv+"=1", "POSTS_SERVER="+server.URL)}
}

// cli runs the program, and returns what it writes and its status.
func (m *machine) cli(env string, args ...string) (out, problems string, status int) {
	m.Helper()
	cmd := exec.CommandContext(m.Context(), os.Args[0], args...)
	cmd.Env = append(m.env[:len(m.env):len(m.env)], env)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the status says it
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// want runs the program and checks what it writes.
func (m *machine) want(want string, status int, args ...string) {
	m.Helper()
	out, problems, got := m.cli("A=", args...)
	if got != status || !strings.Contains(out+problems, want) {
		m.Errorf("cli %s = status %d, %q, %q, want status %d and %q", strings.Join(args, " "), got, out, problems, status, want)
	}
}

func TestTheProgramStaysLoggedIn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the variable BROWSER names a browser on Linux only")
	}
	m := newMachine(t)
	m.want("Nobody is logged in.", 0, "status")
	m.want("nobody is logged in. Log in: cli login", 1, "whoami")
	m.want(`Logged in as "XDevelopers".`, 0, "login")
	m.want(`2244994945 "XDevelopers"`, 0, "whoami")
	m.want("Posted ", 0, "post", "hello")
	m.want("The key is in the file ", 0, "status")
	m.want("The key is in the file ", 0, "key", "file")
	m.want("no D-Bus session", 1, "key", "keychain")
	m.fake.ExpireAccess("")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { m.want("XDevelopers", 0, "whoami") })
	}
	wg.Wait()
	if n := m.fake.TokenCalls("refresh_token"); n != 1 {
		t.Errorf("%d refreshes by four processes, want 1", n)
	}
	m.want("", 0, "default", "XDevelopers")
	m.want("Name one with -account", 1, "-account", "other", "whoami")
	m.want("Logged out.", 0, "logout")
	m.want("Nobody is logged in.", 0, "status")
	if posts := m.fake.State().Posts; len(posts) != 1 || posts[0].Text != "hello" {
		t.Errorf("posts at X: %+v, want one", posts)
	}
	for _, g := range m.fake.Grants() {
		if g.LiveAccess+g.LiveRefresh != 0 {
			t.Error("after the logout, tokens are alive at X")
		}
	}
}

// A program that is asked to end in the middle of a refresh finishes it. The
// next run has the new token and waits for nobody.
func TestSIGTERMDuringARefresh(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the variable BROWSER names a browser on Linux only")
	}
	m := newMachine(t)
	var armed atomic.Bool // the next request for tokens is the refresh
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == xapi.PathToken && armed.CompareAndSwap(true, false) {
			close(asked)
			<-answer
		}
		m.fake.ServeHTTP(w, r)
	}))
	defer slow.Close()
	m.env = append(m.env, "POSTS_SERVER="+slow.URL)
	m.want("Logged in as", 0, "login")
	m.fake.ExpireAccess("")
	armed.Store(true)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "whoami")
	cmd.Env = m.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the status says it
		close(ended)
	}()
	select {
	case <-asked:
	case <-ended:
		t.Fatal("the program has ended without a refresh")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	close(answer)
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != 1 && code != 0 {
		t.Errorf("the program ended with status %d, want by itself", code)
	}
	m.want("XDevelopers", 0, "whoami")
	if n := m.fake.TokenCalls("refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

func TestATokenFromTheEnvironment(t *testing.T) {
	m := newMachine(t)
	token, _, err := m.fake.IssueToken("", oauthtest.PublicApp().ClientID, scopes...)
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"whoami": "XDevelopers", "status": "POSTS_TOKEN", "login": "unset the variable"} {
		out, problems, _ := m.cli("POSTS_TOKEN="+token, args)
		if !strings.Contains(out+problems, want) || strings.Contains(out+problems, token) {
			t.Errorf("cli %s, with a token in the environment = %q, %q, want %q", args, out, problems, want)
		}
	}
}

func TestTheProgramSaysWhatToDo(t *testing.T) {
	m := newMachine(t)
	for _, args := range [][]string{{}, {"post"}, {"post", "a", "b"}, {"who"}, {"whoami", "x"}, {"-x"}, {"default"}, {"demo", "x"}, {"key"}, {"key", "safe"}} {
		m.want("Usage: cli", 2, args...)
	}
	m.env = append(m.env, "POSTS_SERVER=", "POSTS_CLIENT_ID=")
	m.want("set POSTS_CLIENT_ID", 1, "whoami")
}

func TestDemo(t *testing.T) {
	m := newMachine(t)
	out, problems, status := m.cli("A=", "demo")
	if status != 0 || strings.Count(out, `2244994945 "XDevelopers"`) != 2 || !strings.Contains(out, "Posted ") || !strings.Contains(out, "Logged out.") {
		t.Errorf("cli demo = status %d, %s, %s, want all commands", status, out, problems)
	}
}
