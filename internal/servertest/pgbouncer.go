package servertest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// PgBouncer returns a private PgBouncer in front of a PostgreSQL server. It
// pools transactions: two statements of a client may go to two sessions of the
// server. If the server is not private, the test is skipped.
func PgBouncer(t testing.TB, postgres *Server) *Server {
	t.Helper()
	postgres.needOwn(t)
	bin := find(t, "pgbouncer", "/usr/sbin/pgbouncer", "install PgBouncer (Debian: pgbouncer)")
	u, err := url.Parse(postgres.URL)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	dir := tempDir(t)
	s := &Server{name: "PgBouncer", ready: postgresReady, stop: syscall.SIGTERM} // SIGTERM: at once
	s.command = func(port string) *exec.Cmd {
		config := filepath.Join(dir, "pgbouncer.ini")
		text := fmt.Sprintf("[databases]\n* = host=%s port=%s user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%s\n"+
			"auth_type=any\npool_mode=transaction\nunix_socket_dir=\n", u.Hostname(), u.Port(), port)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil { //nolint:gosec // the server's user reads it, and it holds no secret
			t.Errorf("servertest: %v", err)
		}
		cmd := exec.Command(bin, config) //nolint:noctx // lives until Stop
		asServerUser(cmd)
		diesWithUs(cmd, syscall.SIGKILL)
		cmd.Dir = dir
		return cmd
	}
	return s.begin(t, "postgres://postgres@", "/postgres?sslmode=disable")
}
