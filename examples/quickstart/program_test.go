package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "quickstart.exe")
	code := 1
	if out, err := exec.Command("go", "build", "-race="+raceMode(), "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// raceMode says whether this test was built with the race detector: then the
// program is, too.
func raceMode() string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value
		}
	}
	return "false"
}

// program is a running quickstart.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	dir  string
	mu   sync.Mutex // guards said
	said bytes.Buffer
}

// start runs the program on a free port, with its data in dir, until the test
// ends.
func start(t *testing.T, dir string) *program {
	t.Helper()
	return startAt(t, "127.0.0.1:0", dir)
}

func startAt(t *testing.T, addr, dir string) *program {
	t.Helper()
	return startWith(t, addr, dir, append(os.Environ(), "X_CLIENT_ID=", "X_CLIENT_SECRET="))
}

func startWith(t *testing.T, addr, dir string, env []string) *program {
	t.Helper()
	p := &program{t: t, dir: dir}
	p.cmd = exec.Command(binary, "-addr", addr, "-data", dir)
	p.cmd.Env = env
	p.cmd.Stderr = p
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(p, lines.Text())
			if url := openAt.FindString(lines.Text()); url != "" {
				ready <- strings.TrimPrefix(url, "Open ")
			}
		}
		close(ready)
	}()
	select {
	case p.url = <-ready:
	case <-time.After(patience):
	}
	if p.url == "" {
		t.Fatalf("the program did not say where to open it: %q", p.output())
	}
	return p
}

var openAt = regexp.MustCompile(`Open http://(127\.0\.0\.1|\[::1\]):[0-9]+`)

// Write collects what the program says.
func (p *program) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(text)
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// stop sends what Ctrl-C sends. The program must end well, and have said
// nothing secret.
func (p *program) stop() {
	p.t.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	interrupt := p.cmd.Process.Signal
	if runtime.GOOS == "windows" {
		interrupt = func(os.Signal) error { return p.cmd.Process.Kill() } // Windows has no such signal
	}
	if err := interrupt(os.Interrupt); err != nil {
		p.t.Error(err)
	}
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil && runtime.GOOS != "windows" {
		p.t.Errorf("after Ctrl-C the program ended with %v, want nil: %q", err, p.output())
	}
	wantNoSecret(p.t, "output", p.output(), p.dir)
}

// long is as long as the shortest secret that is about: a code verifier, or 32
// random bytes in base64.
var long = regexp.MustCompile(`[A-Za-z0-9_+-]{43,}`)

func wantNoSecret(t *testing.T, what, text, dir string) {
	t.Helper()
	if found := long.FindString(text); found != "" {
		t.Errorf("%s has what looks like a secret: %q", what, found)
	}
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{oauthtest.ConfidentialApp().Secret(), strings.TrimSpace(string(key))} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows a secret", what)
		}
	}
}
