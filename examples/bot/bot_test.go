package main

import (
	"context"
	"log"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestMain(m *testing.M) { nativeapptest.Main(m) }

// machine is the machine of a bot, and a fake of X.
type machine struct {
	*testing.T
	fake   *xapi.Server
	server *provider.Provider
	page   string
	asked  chan oauthtest.Request // the requests to page
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the variable BROWSER names a browser on Linux only")
	}
	m := &machine{T: t, asked: make(chan oauthtest.Request, 1000)}
	app := oauthtest.ConfidentialApp()
	app.RedirectURLs = []string{"http://127.0.0.1:8080/callback"}
	m.fake = xapi.New(t, &oauthtest.Options{Apps: []oauthtest.App{app}, OnRequest: func(r oauthtest.Request) {
		if r.Path == xapi.PathTweets {
			m.asked <- r
		}
	}})
	m.fake.Set(func(k *xapi.Knobs) { k.Authorize.AnyLoopbackPort, k.API.Limit = true, -1 })
	live := httptest.NewServer(m.fake)
	t.Cleanup(live.Close)
	m.server, m.page = m.fake.Provider(live.URL), live.URL+xapi.PathTweets
	m.server.AnyLoopbackPort = true // the port of the program may be in use
	nativeapptest.Isolate(t)
	for _, entry := range nativeapptest.Env(t) {
		if name, value, _ := strings.Cut(entry, "="); strings.Contains(name, "BROWSER") {
			t.Setenv(name, value)
		}
	}
	t.Setenv("X_CLIENT_ID", app.ClientID)
	t.Setenv("X_CLIENT_SECRET", app.Secret())
	t.Setenv("APP_KEYS", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	t.Chdir(t.TempDir())
	return m
}

// login is what a person does once.
func (m *machine) login() {
	m.Helper()
	if err := run(m.Context(), m.server, true, m.page, 0); err != nil {
		m.Fatal(err)
	}
}

// bots runs n bots at once. The function returned stops them.
func (m *machine) bots(n int) (stop func()) {
	m.Helper()
	ctx, cancel := context.WithCancel(m.Context())
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := run(ctx, m.server, false, m.page, time.Millisecond); err != nil {
				m.Error(err)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// wait waits for a post that X takes.
func (m *machine) wait() {
	m.Helper()
	for r := range m.asked {
		if r.Status == 201 {
			return
		}
	}
}

// TestTwoBotsAtOnceAndARestart lets an access token expire under two bots that
// share a folder, and starts another one afterwards.
func TestTwoBotsAtOnceAndARestart(t *testing.T) {
	m := newMachine(t)
	m.login()
	stop := m.bots(2)
	m.wait()
	m.fake.ExpireAccess("")
	for m.fake.TokenCalls("refresh_token") == 0 {
		m.wait()
	}
	stop()
	for len(m.asked) > 0 {
		<-m.asked
	}
	stop = m.bots(1)
	m.wait()
	stop()
	if logins, refreshes := m.fake.TokenCalls("authorization_code"), m.fake.TokenCalls("refresh_token"); logins != 1 || refreshes != 1 {
		t.Errorf("%d logins and %d refreshes, want 1 and 1", logins, refreshes)
	}
}

// TestALoginWhileTheBotRuns logs a person in after the bot has asked for it.
func TestALoginWhileTheBotRuns(t *testing.T) {
	m := newMachine(t)
	said := make(lines, 1000)
	log.SetOutput(said)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	stop := m.bots(1)
	defer stop()
	if line := <-said; !strings.Contains(line, "bot login") {
		t.Errorf("the bot without a login says %q, want what to do", line)
	}
	m.login()
	m.wait()
}

// lines are what a program logs, a line each. A line that nobody reads is lost.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}
