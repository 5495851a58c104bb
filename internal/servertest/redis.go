package servertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// RedisEnv names the variable with the URL of a Redis server to use in place of
// a private one.
const RedisEnv = "AUTHTRIP_TEST_REDIS"

// Redis returns a Redis server: the one that [RedisEnv] names, or a private
// one. The private one writes every change to disk before it answers. The
// strings in more are further arguments of it, such as "--appendonly", "no".
func Redis(t testing.TB, more ...string) *Server {
	t.Helper()
	if url := os.Getenv(RedisEnv); url != "" {
		return &Server{URL: url, name: "the server of " + RedisEnv}
	}
	bin := find(t, "redis-server", "/usr/bin/redis-server", "install Redis (Debian: redis-server), or set "+RedisEnv)
	dir := tempDir(t)
	s := &Server{name: "Redis", ready: redisReady, stop: syscall.SIGTERM}
	s.command = func(port string) *exec.Cmd {
		args := []string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
		cmd := exec.Command(bin, append(args, more...)...) //nolint:noctx // lives until Stop
		asServerUser(cmd)
		diesWithUs(cmd, syscall.SIGKILL)
		cmd.Dir = dir
		return cmd
	}
	return s.begin(t, "redis://", "/0")
}

// redisReady sends PING. While the server loads its data, it answers with an
// error.
func redisReady(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if answer != "+PONG\r\n" {
		return fmt.Errorf("answered %q", answer)
	}
	return nil
}
