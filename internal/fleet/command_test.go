//go:build linux

package fleet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/nativeapp/nativeapptest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const (
	commands     = 16 // of one user at once
	killedOf     = 8  // of these, at most, are killed
	tokenLatency = 150 * time.Millisecond
	shortest     = 400 * time.Millisecond // in which commands are killed

	// spacing is how old a token must be before a command believes that the API
	// rejects it: grant.Options.RenewSpacing.
	spacing = 10 * time.Second
)

// TestG1_CommandsInParallel runs sixteen commands of one user at each expiry of
// the access token, and kills some of them at random moments. They are those of
// examples/cli, as a user would build and run it: each makes one call and ends.
// The server ends a grant at the second use of a refresh token. So only a login
// is lost whose command died between redeeming and storing, and the other
// commands say so.
func TestG1_CommandsInParallel(t *testing.T) { commandFleet(t, 0) }

// TestG1_CommandsInParallelWithinAGraceWindow does the same at a server that
// repeats its answer for a while. Nobody is logged out.
func TestG1_CommandsInParallelWithinAGraceWindow(t *testing.T) { commandFleet(t, time.Hour) }

func commandFleet(t *testing.T, grace time.Duration) {
	long(t)
	t.Parallel()
	f := newFleet(t, "file")
	f.fake.Set(func(k *xapi.Knobs) {
		k.Token.GraceWindow = grace
		k.Authorize.AnyLoopbackPort = true
	})
	app := oauthtest.PublicApp()
	app.RedirectURLs = []string{"http://127.0.0.1:8765/callback"} // as examples/cli has it
	if err := f.fake.Register(app); err != nil {
		t.Fatal(err)
	}
	f.fake.Inject(oauthtest.Match{Path: xapi.PathToken}, oauthtest.Fault{Delay: tokenLatency}, -1)
	c := &commandUsers{fleet: f, grace: grace, program: buildCommand(t)}
	seed := uint64(time.Now().UnixNano())
	homes, expiries := scale(5, 10), scale(2, 10)
	var wg sync.WaitGroup
	for i, id := range users(0, homes) {
		h := &commandHome{commandUsers: c, id: id, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		h.env = append(nativeapptest.Env(t), "POSTS_SERVER="+f.setup.Server)
		if err := f.fake.AddUser(oauthtest.User{ID: id, Username: "user" + id}); err != nil {
			t.Fatal(err)
		}
		h.login()
		wg.Go(func() {
			within := max(shortest, h.expiry(0)) // the next expiries have kills within that time
			for range expiries - 1 {
				h.age()
				h.expiry(within)
			}
		})
	}
	wg.Wait()
	t.Logf("seed %d, grace window %v: %d expiries, %d commands, %d killed, %d refresh requests, %d logins in doubt, %d commands said why they waited",
		seed, grace, homes*expiries, homes*expiries*commands, c.killed.Load(), f.fake.TokenCalls("refresh_token"), c.lost.Load(), c.explained.Load())
}

// buildCommand builds examples/cli.
func buildCommand(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "cli")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/authtrip/authtrip/examples/cli").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// commandUsers are users of one program, at one server.
type commandUsers struct {
	*fleet
	grace   time.Duration
	program string

	killed, lost, explained atomic.Int64

	mu sync.Mutex // one user at a time is at the browser
}

// commandHome is the machine of one user.
type commandHome struct {
	*commandUsers
	id     string
	env    []string
	random *rand.Rand
}

// login logs the user in.
func (h *commandHome) login() {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fake.Set(func(k *xapi.Knobs) { k.Authorize.User = h.id })
	if r := h.run("login", 0); r.failed() {
		h.Errorf("user %s: login = %s", h.id, r)
	}
}

// age lets the newest token become so old that commands believe its rejection.
func (h *commandHome) age() {
	select {
	case <-time.After(spacing):
	case <-h.Context().Done():
	}
}

// ran is how a command has ended.
type ran struct {
	killed bool
	status int
	text   string
}

func (r ran) failed() bool { return !r.killed && r.status != 0 }

func (r ran) String() string {
	return fmt.Sprintf("status %d, killed %t: %s", r.status, r.killed, r.text)
}

// run runs the program, and kills it after some time unless that is zero.
func (h *commandHome) run(order string, kill time.Duration) ran {
	var text bytes.Buffer
	cmd := exec.Command(h.program, order)
	cmd.Env, cmd.Stderr = h.env, &text
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return ran{status: -1, text: err.Error()}
	}
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // a command that hangs fails by its status
	defer limit.Stop()
	if kill > 0 {
		timer := time.AfterFunc(kill, func() { _ = cmd.Process.Kill() }) // fails only if it has ended
		defer timer.Stop()
	}
	_ = cmd.Wait() // the status says it
	ws, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ran{kill > 0 && ws.Signaled(), cmd.ProcessState.ExitCode(), strings.TrimSpace(text.String())}
}

// expiry lets the access token expire, and runs the commands at once. Some of
// them are killed within a time, unless that is zero. It returns how long it
// took.
func (h *commandHome) expiry(within time.Duration) time.Duration {
	begun := time.Now()
	before := h.refreshes()[h.id]
	h.fake.ExpireAccess(h.id)
	when := make([]time.Duration, commands)
	for i := range when[:killedOf] {
		if within > 0 {
			when[i] = 1 + time.Duration(h.random.Int64N(int64(within)))
		}
	}
	all := make([]ran, commands)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = h.run("whoami", when[i]) })
	}
	wg.Wait()
	killed := 0
	for _, r := range all {
		if r.killed {
			killed++
		}
		if strings.Contains(r.text, "Waiting for another run of posts") {
			h.explained.Add(1)
		}
	}
	h.killed.Add(int64(killed))
	n := h.refreshes()[h.id] - before
	if n < 1 || n > 1+killed {
		h.Errorf("user %s: %d refresh requests for one expiry, with %d commands killed, want 1 and one more per kill at most", h.id, n, killed)
	}
	h.judge(all, killed, n)
	return time.Since(begun)
}

// judge compares what the commands say with the books of the server.
func (h *commandHome) judge(all []ran, killed, requests int) {
	reason := h.lastGrant().Ended
	lost := reason != ""
	if lost && (h.grace > 0 || killed == 0 || requests < 2) {
		h.Errorf("user %s is logged out (%s) after %d refresh requests with %d commands killed, grace window %v", h.id, reason, requests, killed, h.grace)
	}
	for _, r := range all {
		inDoubt := r.failed() && strings.Contains(r.text, "in doubt")
		if r.failed() && (!lost || !inDoubt) {
			h.Errorf("user %s, logged out at the server: %t: command = %s", h.id, lost, r)
		}
	}
	if lost {
		h.lost.Add(1)
		h.login()
	}
}

// lastGrant returns the grant of the user's last login.
func (h *commandHome) lastGrant() (last oauthtest.Grant) {
	for _, g := range h.fake.Grants() {
		if g.UserID == h.id && g.Number > last.Number {
			last = g
		}
	}
	return last
}
