// Package servertest starts private PostgreSQL and Redis servers for tests: from the binaries of the machine, on free
// loopback ports, in temporary directories, and stops them at the end of the test. On Linux they end with the test's process,
// too, however that ends.
package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Server is a server that a test runs on. Its methods are for one goroutine at a time.
type Server struct {
	// URL is where clients connect: "postgres://…" or "redis://…".
	URL string

	name    string
	command func(port string) *exec.Cmd // nil if the server is somebody else's
	ready   func(ctx context.Context, addr string) error
	stop    syscall.Signal // asks it to end now, in good order
	port    string

	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan struct{}
}

// startTime is how long a server may take until it answers, and stopTime until it has ended.
const (
	startTime = 30 * time.Second
	stopTime  = 20 * time.Second
)

// Own reports whether the server is private to the test: only then may it be stopped and killed.
func (s *Server) Own() bool { return s.command != nil }

// Start starts the server, again after Stop or Kill: at the same address, with the same data. It returns when the server
// answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.needOwn(t)
	s.cmd, s.output, s.ended = s.command(s.port), new(bytes.Buffer), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	started := make(chan error)
	go s.run(started)
	if err := <-started; err != nil {
		t.Fatalf("servertest: %s: %v", s.name, err)
	}
	if err := s.await(); err != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
		t.Fatalf("servertest: %s: %v\n%s", s.name, err, s.output)
	}
}

// run starts the process, says so, and waits until it has ended. It keeps its thread all the while: when that ends, the
// process dies with it (diesWithUs), and others who have it may end it.
func (s *Server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := s.cmd
	defer close(s.ended)
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait() // that it has ended is what counts
	}
}

// await returns when the server answers, or why it never will.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := s.ready(ctx, net.JoinHostPort("127.0.0.1", s.port))
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.ended:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", startTime, err)
		}
	}
}

// Stop ends the server in good order, and its connections with it.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.end(t, s.stop) }

// Kill ends the server as a power failure of its machine would, except that the disk keeps what it was given.
func (s *Server) Kill(t testing.TB) { t.Helper(); s.end(t, syscall.SIGKILL) }

func (s *Server) end(t testing.TB, how syscall.Signal) {
	t.Helper()
	s.needOwn(t)
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(how) // fails only if it has ended
	select {
	case <-s.ended:
	case <-time.After(stopTime):
		_ = s.cmd.Process.Kill()
		t.Errorf("servertest: %s did not end within %v", s.name, stopTime)
	}
	s.cmd = nil
}

func (s *Server) needOwn(t testing.TB) {
	t.Helper()
	if !s.Own() {
		t.Skipf("needs a private server, and %s is somebody else's", s.name)
	}
}

// begin gives the server a free port, starts it, and stops it at the end of the test.
func (s *Server) begin(t testing.TB, scheme, rest string) *Server {
	t.Helper()
	s.port = freePort(t)
	s.URL = scheme + net.JoinHostPort("127.0.0.1", s.port) + rest
	s.Start(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	return port
}

// find returns the path of a binary: from PATH, or the newest match of a pattern. Without one the test is skipped, except
// when CI is set: then it fails.
func find(t testing.TB, name, pattern, advice string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if matches, _ := filepath.Glob(pattern); len(matches) > 0 {
		return matches[len(matches)-1]
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("servertest: no %s on this machine, and CI is set: %s", name, advice)
	}
	t.Skipf("no %s on this machine: %s", name, advice)
	return ""
}

// tempDir returns a directory that the server's user can use. Its path is short: PostgreSQL puts a socket into it.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "authtrip-") //nolint:usetesting // its path would be too long for a socket
	if err == nil {
		err = handOver(dir)
	}
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("servertest: %v", err)
		}
	})
	return dir
}
