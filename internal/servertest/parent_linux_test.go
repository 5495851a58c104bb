package servertest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/servertest"
)

// victimEnv is set in the processes that TestServersDieWithTheirProcess starts
// and kills.
const victimEnv = "SERVERTEST_VICTIM"

// TestServersDieWithTheirProcess kills a process that has a server. No part of
// the server may be left.
func TestServersDieWithTheirProcess(t *testing.T) {
	if kind := os.Getenv(victimEnv); kind != "" {
		s := kinds[kind](t)
		if !s.Own() {
			t.Skip("the server is somebody else's")
		}
		fmt.Println(s.URL)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the process is killed, or that which started it ends
		return
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			server, kill := startVictim(t, kind)
			kill()
			for end := time.Now().Add(2 * time.Minute); ; <-time.After(10 * time.Millisecond) {
				conn, err := net.DialTimeout("tcp", server, time.Second)
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				if err == nil {
					_ = conn.Close() // at once: for a client that says nothing, PostgreSQL puts off its end
				}
				if time.Now().After(end) {
					t.Fatalf("the server lives on after its process: %v", err)
				}
			}
		})
	}
}

// startVictim starts a process that has a server. It returns the address of the
// server, and a function that kills the process.
func startVictim(t *testing.T, kind string) (server string, kill func()) {
	t.Helper()
	temp := t.TempDir()                                         // the process cannot remove what it leaves
	if err := os.Chmod(filepath.Dir(temp), 0o711); err != nil { // lets the server's user in
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServersDieWithTheirProcess$")
	cmd.Env = append(os.Environ(), victimEnv+"="+kind, "TMPDIR="+temp)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if !strings.Contains(line, "://") {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("the process ended with %v: %s", err, line)
		}
		t.Skip("no server of our own on this machine")
	}
	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return u.Host, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
}

// TestServersOutliveThreads starts a server on a thread that ends directly
// afterwards. The server must not end with the thread.
func TestServersOutliveThreads(t *testing.T) {
	s := servertest.Redis(t)
	if !s.Own() {
		t.Skip("the server is somebody else's")
	}
	s.Stop(t)
	awaitEndOfThread(t, onThreadThatEnds(func() { s.Start(t) }))
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.URL, "redis://"), "/0"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer != "+PONG\r\n" {
		t.Errorf("the server answers %q, %v after the end of a thread, want +PONG", answer, err)
	}
}

// onThreadThatEnds calls do on a thread that ends directly afterwards, and
// returns the ID of the thread.
func onThreadThatEnds(do func()) (id int) {
	ids := make(chan int, 1)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		if syscall.Gettid() == syscall.Getpid() {
			ids <- onThreadThatEnds(do) // on another, since this is the first of the process, which never ends
			runtime.UnlockOSThread()
			return
		}
		defer func() { ids <- syscall.Gettid() }() // also if do ends the test
		do()
	}()
	return <-ids
}

// awaitEndOfThread returns when the kernel has forgotten a thread of this
// process.
func awaitEndOfThread(t *testing.T, id int) {
	t.Helper()
	task := fmt.Sprintf("/proc/self/task/%d", id)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-time.After(time.Millisecond) {
		if _, err := os.Stat(task); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	t.Fatalf("thread %d does not end", id)
}
