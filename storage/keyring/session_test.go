//go:build linux

package keyring_test

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/authtrip/authtrip/storage/seal"
)

// needs skips a test for which the machine lacks a program.
func needs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: install the Debian packages dbus and gnome-keyring", name)
			}
			t.Skipf("%s is missing: install the Debian packages dbus and gnome-keyring", name)
		}
	}
}

// newSession starts a D-Bus session without any service, for this test only.
func newSession(t *testing.T) *session {
	t.Helper()
	needs(t, "dbus-daemon", "gnome-keyring-daemon")
	dir, err := os.MkdirTemp("", "keyring") //nolint:usetesting // its path would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "session.conf")
	text := `<busconfig><type>session</type><listen>unix:path=` + dir + `/bus</listen><auth>EXTERNAL</auth>` +
		`<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &session{T: t, env: []string{
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir + "/bus", "XDG_RUNTIME_DIR=" + dir, "XDG_DATA_HOME=" + dir, "HOME=" + dir,
		"DISPLAY=", "WAYLAND_DISPLAY=", "GNOME_KEYRING_CONTROL=",
	}}
	s.start("no D-Bus session", "", "dbus-daemon", "--config-file="+config, "--nofork")
	return s
}

// start starts a daemon of the session, and waits until what was missing is no
// longer missing. The result ends the daemon.
func (s *session) start(missing, input, name string, args ...string) (stop func()) {
	s.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdin = strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // fails only if it has ended
		_ = cmd.Wait()
	})
	s.Cleanup(stop)
	for range 1000 {
		if !strings.Contains(s.run("available"), missing) {
			return stop
		}
	}
	s.Fatalf("%s does not begin to serve", name)
	return nil
}

// unlocked starts the keyring of GNOME, unlocked.
func (s *session) unlocked() (stop func()) {
	s.Helper()
	return s.start("has no Secret Service", "password", "gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock")
}

func TestAvailable(t *testing.T) {
	s := newSession(t)
	s.want("has no Secret Service", "available")
	bus := s.env[0]
	s.env[0] = "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus"
	s.want("no D-Bus session", "available")
	s.env[0] = bus
	stop := s.unlocked()
	s.want("yes", "available")
	stop()
	s.start("has no Secret Service", "", "gnome-keyring-daemon", "--foreground", "--components=secrets")
	s.want("the keychain is locked, and there is no screen", "available")
	s.env = append(s.env, "DISPLAY=:99")
	s.want("yes", "available") // somebody can unlock it
	s.want("error: keyring: ", "key", "notes")
	s.want("the keychain gives no key now", "open", t.TempDir())
}

// R148: the key is in the key store of the system.
func TestKeychainOfGNOME(t *testing.T) {
	s := newSession(t)
	stop := s.unlocked()
	s.want("no such key", "key", "notes")
	s.want("forgotten", "forget", "notes")
	for range 2 {
		key := hex.EncodeToString(seal.NewKey())
		s.want("kept", "keep", "notes", key)
		s.want(key, "key", "notes")
		s.want("no such key", "key", "other")
	}
	key := s.run("key", "notes")
	stop()
	stop = s.unlocked() // it outlives the service
	s.want(key, "key", "notes")
	s.want("forgotten", "forget", "notes")
	s.want("no such key", "key", "notes")

	dir := t.TempDir()
	s.want("in the keychain", "open", dir)
	s.want("in the keychain", "open", dir)
	stop()
	s.want("the keychain gives no key now", "open", dir)
	s.want("because the keychain was not available: keyring: the session has no Secret Service", "open", filepath.Join(dir, "new"))
	s.want("has no Secret Service", "move", filepath.Join(dir, "new"), "keychain")
	s.unlocked()
	s.want("in the keychain", "open", dir)

	s.want("in the file", "open", filepath.Join(dir, "new")) // it was made without a keychain, and stays there
	s.want("in the keychain", "move", filepath.Join(dir, "new"), "keychain")
	s.want("in the keychain", "open", filepath.Join(dir, "new"))
	s.want("in the file", "move", filepath.Join(dir, "new"), "file")
	s.want("in the file", "open", filepath.Join(dir, "new"))
}
