package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// PostgresEnv names the variable with the URL of a PostgreSQL server to use in
// place of a private one.
const PostgresEnv = "AUTHTRIP_TEST_POSTGRES"

// Postgres returns a PostgreSQL server: the one that [PostgresEnv] names, or a
// private one with default settings.
func Postgres(t testing.TB) *Server {
	t.Helper()
	if url := os.Getenv(PostgresEnv); url != "" {
		return &Server{URL: url, name: "the server of " + PostgresEnv}
	}
	bin := postgresBinary(t)
	dir := tempDir(t)
	runPostgres(t, dir, bin, "initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	return postgresOn(bin, dir).begin(t, "postgres://postgres@", "/postgres?sslmode=disable")
}

// PostgresStandby returns a private PostgreSQL server that replicates a private
// primary. It takes no writes until pg_promote() is called in it.
func PostgresStandby(t testing.TB, primary *Server) *Server {
	t.Helper()
	primary.needOwn(t)
	bin := postgresBinary(t)
	dir := tempDir(t)
	runPostgres(t, dir, bin, "pg_basebackup", "-D", filepath.Join(dir, "data"), "-d", primary.URL, "-R", "-X", "stream", "-c", "fast", "--no-sync")
	return postgresOn(bin, dir).begin(t, "postgres://postgres@", "/postgres?sslmode=disable")
}

// postgresBinary returns the path of the server's binary. Other binaries stand
// beside it.
func postgresBinary(t testing.TB) string {
	t.Helper()
	bin := find(t, "postgres", "/usr/lib/postgresql/*/bin/postgres", "install PostgreSQL (Debian: postgresql), or set "+PostgresEnv)
	if real, err := filepath.EvalSymlinks(bin); err == nil {
		bin = real
	}
	return bin
}

// runPostgres runs a tool that stands beside the server's binary.
func runPostgres(t testing.TB, dir, bin, tool string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(filepath.Dir(bin), tool), args...) //nolint:noctx // ends by itself
	asServerUser(cmd)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("servertest: %s: %v\n%s", tool, err, out)
	}
}

// postgresOn returns the server whose data are in dir, before its start.
func postgresOn(bin, dir string) *Server {
	s := &Server{name: "PostgreSQL", ready: postgresReady, stop: syscall.SIGINT} // SIGINT: the "fast" shutdown
	s.command = func(port string) *exec.Cmd {
		cmd := exec.Command(bin, "-D", filepath.Join(dir, "data"), "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200") //nolint:noctx // lives until Stop
		asServerUser(cmd)
		diesWithUs(cmd, syscall.SIGQUIT) // after SIGKILL, its own processes would go on for a while
		cmd.Dir = dir
		return cmd
	}
	return s
}

// postgresReady begins a session. While the server starts up or recovers, it
// answers with an error.
func postgresReady(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Length, protocol 3.0, "user" and "database", each ended by a zero byte,
	// and one more.
	const parameters = "user\x00postgres\x00database\x00postgres\x00\x00"
	message := append([]byte{0, 0, 0, byte(8 + len(parameters)), 0, 3, 0, 0}, parameters...)
	if _, err := conn.Write(message); err != nil {
		return err
	}
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return fmt.Errorf("start-up message: %w", err)
	}
	if kind[0] != 'R' { // authentication; 'E' is an error: still starting up
		return errors.New("not ready for connections")
	}
	return nil
}
