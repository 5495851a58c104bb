package main_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestStory goes through all that the page offers, as a person would.
func TestStory(t *testing.T) {
	app := start(t, t.TempDir())
	p := newPerson(t, app)
	p.home().want(t, "start", 200, `id="connect"`)
	steps := []struct {
		name string
		do   func() page
		text string
		more counts // what it adds to the counters
	}{
		{"connect", func() page { return p.connect("allow") }, "Connected as <b>X Developers (@XDevelopers)</b>", counts{calls: 1, logins: 1}},
		{"who am I", func() page { return p.press("/call", nil) }, "GET /2/users/me answered 200 OK", counts{calls: 1}},
		{"post", func() page { return p.press("/post", url.Values{"text": {"One"}}) }, "POST /2/tweets answered 201 Created", counts{calls: 1}},
		{"post it twice", func() page { return p.press("/post", url.Values{"text": {"One"}}) }, "answered 403", counts{calls: 1}},
		{"post nothing", func() page { return p.press("/post", nil) }, "answered 201", counts{calls: 1}},
		{"kill", func() page { return p.press("/kill", nil) }, "no longer accepts", counts{}},
		{"call a killed token", func() page { return p.press("/call", nil) }, "answered 200 OK", counts{calls: 2, rejected: 1, refreshes: 1}},
		{"kill", func() page { return p.press("/kill", nil) }, "no longer accepts", counts{}},
		{"post with a killed token", func() page { return p.press("/post", url.Values{"text": {"Two"}}) }, "answered 201", counts{calls: 2, rejected: 1, refreshes: 1}},
		{"200 calls", func() page { return p.press("/many", nil) }, "200 calls, 0 refreshes", counts{calls: 200}},
		{"clear", func() page { return p.press("/clear", nil) }, "Every request will show up here", counts{-209, -2, -2, -1}},
	}
	var sum counts
	for _, step := range steps {
		got := step.do()
		got.want(t, step.name, http.StatusOK, step.text)
		sum = sum.plus(step.more)
		if n := got.counts(t); n != sum {
			t.Fatalf("after %q the page counts %+v, want %+v", step.name, n, sum)
		}
		wantNoSecret(t, step.name, got.text, app.dir)
	}
}

func (c counts) plus(d counts) counts {
	return counts{c.calls + d.calls, c.rejected + d.rejected, c.refreshes + d.refreshes, c.logins + d.logins}
}

// TestProof is what the demo is about: two hundred calls meet a dead token, and
// one refresh helps them all.
func TestProof(t *testing.T) {
	app := start(t, t.TempDir())
	p := newPerson(t, app)
	p.connect("allow")
	for range 2 { // twice in a row is two refreshes
		before := p.home().counts(t)
		got := p.press("/many", url.Values{"kill": {"yes"}})
		got.want(t, "kill and 200 calls", http.StatusOK, "200 calls, 1 refresh<", "All of them succeeded")
		n := got.counts(t)
		met := n.rejected - before.rejected
		if n.refreshes-before.refreshes != 1 || met < 1 || n.calls-before.calls != 200+met {
			t.Errorf("kill and 200 calls took the page from %+v to %+v, want one refresh", before, n)
		}
	}
	events := p.eventsNow()
	if !strings.Contains(events, "grant_type=refresh_token  refresh_token=••••") || !strings.Contains(events, "Bearer ••••") {
		t.Errorf("GET /events = %s, want notes with masked secrets", events)
	}
	wantNoSecret(t, "GET /events", events, app.dir)
}

// TestExpire: a token whose expiry is known is refreshed before it is used. The
// test waits until the page says so.
func TestExpire(t *testing.T) {
	app := start(t, t.TempDir())
	p := newPerson(t, app)
	p.connect("allow")
	got := p.press("/expire", nil)
	got.want(t, "expire", http.StatusOK, "expires within a second")
	for begun := time.Now(); !strings.Contains(got.text, "The access token has expired"); {
		if time.Since(begun) > patience {
			t.Fatal("the token does not expire")
		}
		got = p.home()
	}
	before := got.counts(t)
	got = p.press("/call", nil)
	got.want(t, "call after expiry", http.StatusOK, "answered 200 OK")
	if n, want := got.counts(t), before.plus(counts{calls: 1, refreshes: 1}); n != want {
		t.Errorf("a call after expiry took the page from %+v to %+v, want %+v", before, n, want)
	}
	if !strings.Contains(got.text, "The access token expires in 2h0m") {
		t.Errorf("the refreshed token does not live for two hours again: %s", got.text)
	}
}

// TestEnd: what ends a login says so, and connecting again works.
func TestEnd(t *testing.T) {
	app := start(t, t.TempDir())
	p := newPerson(t, app)
	p.connect("cancel").want(t, "cancel", http.StatusForbidden, "Access was not given", "Log in after all")
	p.connect("allow").want(t, "connect", http.StatusOK, "Connected as")
	p.press("/withdraw", nil).want(t, "withdraw", http.StatusOK, "You have withdrawn access")
	p.press("/withdraw", nil).want(t, "withdraw again", http.StatusOK, "You have withdrawn access")
	p.press("/call", nil).want(t, "call without a grant", http.StatusOK, `id="notice"`, "the refresh was refused", `id="connect"`)
	p.connect("allow").wantFresh(t, "connect again")
	p.press("/kill", nil).want(t, "kill", http.StatusOK, "no longer accepts")
	p.press("/logout", nil).want(t, "log out", http.StatusOK, "You are logged out", `id="connect"`)
	p.connect("allow").wantFresh(t, "connect after a log out")
	p.press("/disconnect", nil).want(t, "disconnect", http.StatusOK, "You are logged out", "token_type_hint=access_token", `id="connect"`)
	if got := p.press("/call", nil); !strings.HasPrefix(got.url.Path, "/i/oauth2/authorize") {
		t.Errorf("POST /call without a login led to %s, want the consent page", got.url.Path)
	}
	p.connect("allow").wantFresh(t, "connect a third time")
}

// TestFailedLogin: the page says to the visitor that the login failed, the log
// says to the developer why.
func TestFailedLogin(t *testing.T) {
	app := start(t, t.TempDir())
	p := newPerson(t, app)
	state := p.get(app.url + "/authorize").url.Query().Get("state")
	p.get(app.url+"/callback?code=forged&state="+state).want(t, "callback with a forged code", http.StatusBadGateway, "Login failed")
	p.connect("cancel").want(t, "cancel", http.StatusForbidden, "Access was not given")
	app.stop()
	for _, want := range []string{
		"quickstart: middleware: callback: the login could not be completed: the code could not be exchanged: ",
		"Value passed for the authorization code was invalid.",
		"quickstart: middleware: callback: the user denied access: access_denied\n",
	} {
		if !strings.Contains(app.output(), want) {
			t.Errorf("the program said %q, want %q", app.output(), want)
		}
	}
}

// TestRestart: grants, keys and what the fake knows survive, also if the
// program is killed.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	app := start(t, dir)
	p := newPerson(t, app)
	p.connect("allow")
	for _, end := range []struct {
		name string
		stop func()
	}{
		{"Ctrl-C", func() { app.stop() }},
		{"kill", func() { _ = app.cmd.Process.Kill(); _ = app.cmd.Wait() }},
	} {
		p.press("/many", url.Values{"kill": {"yes"}}) // the refresh token has rotated
		end.stop()
		app = startAt(t, strings.TrimPrefix(app.url, "http://"), dir) // a session belongs to one port
		p.app = app
		p.home().want(t, "after "+end.name, http.StatusOK, "Connected as")
		p.press("/call", nil).want(t, "call after "+end.name, http.StatusOK, "answered 200 OK")
		p.press("/many", url.Values{"kill": {"yes"}}).want(t, "200 calls after "+end.name, http.StatusOK, "200 calls, 1 refresh<")
	}
	for _, name := range []string{"key", "grants.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info, err)
		}
	}
}

// TestRefusedRequests: nothing but the app's own pages may press its buttons.
func TestRefusedRequests(t *testing.T) {
	app := start(t, t.TempDir())
	p := newPerson(t, app)
	p.connect("allow")
	tests := []struct {
		name, method, path string
		header             http.Header
		host               string
		want               int
	}{
		{"another site", "POST", "/call", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "", 403},
		{"another origin", "POST", "/many", http.Header{"Origin": {"http://127.0.0.1:1"}}, "", 403},
		{"another site logs out", "POST", "/logout", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "", 403},
		{"rebound name", "POST", "/call", nil, "evil.example", 421},
		{"rebound name, page", "GET", "/", nil, "evil.example", 303},
		{"button by GET", "GET", "/kill", nil, "", 405},
		{"unknown page", "GET", "/nowhere", nil, "", 404},
	}
	for _, tt := range tests {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, app.url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(req.Header, tt.header)
		req.Host = tt.host
		client := &http.Client{Jar: p.client.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %s %s = %d, want %d", tt.name, tt.method, tt.path, resp.StatusCode, tt.want)
		}
	}
	p.home().want(t, "home after all of that", http.StatusOK, "Connected as")
}

// TestBadStart: what cannot work is refused in one line, with status 1.
func TestBadStart(t *testing.T) {
	dir := t.TempDir()
	app := start(t, dir)
	taken := strings.TrimPrefix(app.url, "http://")
	_, port, _ := net.SplitHostPort(taken)
	badKey := t.TempDir()
	if err := os.WriteFile(filepath.Join(badKey, "key"), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	badFake := t.TempDir()
	if err := os.WriteFile(filepath.Join(badFake, "fake.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"-addr", "127.0.0.1:0", "-data"}
	tests := []struct {
		args []string
		env  []string
		want string
	}{
		{[]string{"-addr", taken, "-data", t.TempDir()}, nil, "cannot listen on 127.0.0.1:" + port},
		{[]string{"-addr", taken, "-data", dir}, nil, "choose another port"},
		{append(free, dir), nil, "in use by another quickstart"},
		{[]string{"-addr", "8080"}, nil, `-addr "8080" is not an address: write it like 127.0.0.1:8080`},
		{[]string{"-addr", "127.0.0.1:http"}, nil, "is not an address"},
		{[]string{"-addr", "127.0.0.1:70000"}, nil, "is not an address"},
		{[]string{"-addr", "0.0.0.0:8080"}, nil, "not on this machine's loopback"},
		{[]string{"-addr", ":8080"}, nil, "not on this machine's loopback"},
		{[]string{"now"}, nil, `unknown argument "now"`},
		{append(free, badKey), nil, "seal: key 1"},
		{append(free, badFake), nil, "no snapshot"},
		{append(free, t.TempDir()), []string{"X_CLIENT_ID=word "}, "ClientID has a space at an end"},
	}
	for _, tt := range tests {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, tt.args...)
		cmd.Env = append(os.Environ(), "X_CLIENT_ID=", "X_CLIENT_SECRET=")
		cmd.Env = append(cmd.Env, tt.env...)
		out, err := cmd.CombinedOutput()
		line := strings.TrimSuffix(string(out), "\n")
		if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(line, "quickstart: ") || !strings.Contains(line, tt.want) || strings.Contains(line, "\n") {
			t.Errorf("quickstart %q = %v, %q; want status 1 and one line with %q", tt.args, err, out, tt.want)
		}
	}
}

// TestRealX: with a client ID the program says what to register, and shows only
// what the real X can do.
func TestRealX(t *testing.T) {
	t.Setenv("X_CLIENT_ID", "cmVhbFhBcHBTaGFwZWQxOjE6bmE")
	t.Setenv("X_CLIENT_SECRET", "") // a public client
	app := startWith(t, "127.0.0.1:0", t.TempDir(), os.Environ())
	if want := "Register this callback URL for your app in X's developer console: " + app.url + "/callback\n"; !strings.Contains(app.output(), want) {
		t.Errorf("the program said %q, want %q", app.output(), want)
	}
	p := newPerson(t, app)
	got := p.home()
	got.want(t, "start", 200, "This is the real X", "X_CLIENT_ID is set")
	for _, fakeOnly := range []string{"kill its token", "Expire or kill", "A fake X asks", "No account or password"} {
		if strings.Contains(got.text, fakeOnly) {
			t.Errorf("the start page of the real X promises %q", fakeOnly)
		}
	}
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.url+"/authorize", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if target := resp.Header.Get("Location"); !strings.HasPrefix(target, "https://x.com/i/oauth2/authorize?") {
		t.Errorf("GET /authorize led to %.40q, want x.com", target)
	}
	for _, path := range []string{"/kill", "/expire", "/withdraw", "/many"} {
		if got := p.press(path, nil); got.status != http.StatusNotFound {
			t.Errorf("POST %s at the real X = %d, want 404", path, got.status)
		}
	}
}

// TestHelp: -h names every flag and every variable.
func TestHelp(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), binary, "-h")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("quickstart -h = %v, want status 0", err)
	}
	for _, name := range []string{"-addr", "-data", "X_CLIENT_ID", "X_CLIENT_SECRET", "HTTPS_PROXY", "XDG_CONFIG_HOME"} {
		if !strings.Contains(string(out), name) {
			t.Errorf("quickstart -h does not name %s: %s", name, out)
		}
	}
}
