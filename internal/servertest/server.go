// Package servertest starts private servers for tests: PostgreSQL, PgBouncer,
// Redis and nginx.
//
// # What it is for
//
// [Postgres], [PostgresStandby], [PgBouncer], [Redis] and [Nginx] start a
// server from the binaries of the machine, on a free loopback port and in a
// temporary directory. They stop it at the end of the test. On Linux the server
// also ends with the process of the test, however that process ends. If a
// variable names a server ([PostgresEnv], [RedisEnv]), the test gets that one.
//
// # Types
//
// A [Server] can be stopped, killed and started again, if it is private.
//
// # Concurrency
//
// The methods of a Server are for one goroutine at a time. Different servers
// are independent.
//
// # Errors
//
// Whatever fails ends the test. A missing binary skips the test, unless the
// variable CI is set.
package servertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a server that a test runs on. Its methods are for one goroutine at
// a time.
type Server struct {
	// URL is where clients connect: "postgres://…", "redis://…" or "https://…".
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

// hangs is how long a server may need to start or to end. After that, the test
// reports that the server hangs.
const hangs = 2 * time.Minute

// Own reports whether the server is private to the test. Only then may it be
// stopped and killed.
func (s *Server) Own() bool { return s.command != nil }

// Start starts the server again after Stop or Kill, at the same address and
// with the same data. It returns when the server answers.
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

// run starts the process, says so, and waits until it has ended.
//
// It keeps its thread until then. The process dies with the thread that started
// it (diesWithUs), and the end of another goroutine may end a shared thread.
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
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
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
			return fmt.Errorf("no answer within %v: %w", hangs, err)
		}
	}
}

// Stop ends the server in good order, and its connections.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.end(t, s.stop) }

// Kill ends the server as a power failure of its machine would, except that the
// disk keeps all that was written.
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
	case <-time.After(hangs):
		_ = s.cmd.Process.Kill()
		t.Errorf("servertest: %s did not end within %v", s.name, hangs)
	}
	s.cmd = nil
}

func (s *Server) needOwn(t testing.TB) {
	t.Helper()
	if !s.Own() {
		t.Skipf("needs a private server, and %s is somebody else's", s.name)
	}
}

// begin gives the server a free port, starts it, and stops it at the end of the
// test.
func (s *Server) begin(t testing.TB, scheme, rest string) *Server {
	t.Helper()
	s.port = freePort(t)
	s.URL = scheme + net.JoinHostPort("127.0.0.1", s.port) + rest
	s.Start(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// freePort returns a port below those that the kernel gives to connections and
// to listeners without a port of their own (Linux: 32768 and above). So no
// other process gets the port before the server starts, or while it is stopped.
func freePort(t testing.TB) string {
	t.Helper()
	const first, last = 20_000, 32_767
	for range 100 {
		offset, err := rand.Int(rand.Reader, big.NewInt(last-first))
		if err != nil {
			t.Fatalf("servertest: %v", err)
		}
		port := strconv.FormatInt(first+offset.Int64(), 10)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			_ = l.Close() // nothing was written
			return port
		}
	}
	t.Fatalf("servertest: no free port from %d to %d", first, last)
	return ""
}

// find returns the path of a binary: from PATH, or the newest match of a
// pattern. Without one the test is skipped. If CI is set, the test fails.
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

// tempDir returns a directory that the server's user can use. Its path is
// short, because PostgreSQL puts a socket into it.
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
