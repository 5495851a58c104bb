package main_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	grantctl "github.com/authtrip/authtrip/cmd/grantctl"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

var commands = []string{"list", "show", "revoke", "delete", "reseal", "export", "import", "copy", "adopt", "probe"}

func TestHelp(t *testing.T) {
	for _, flag := range []string{"-h", "-help", "--help", "help"} {
		r := ctl(t, "", flag).want(t, 0, "file:DIR", "Stop the app", "AUTHTRIP_KEYS", "Exit codes")
		for _, name := range commands {
			if !strings.Contains(r.stdout, "\n  "+name+" ") {
				t.Errorf("%s does not name %s", flag, name)
			}
		}
	}
	for _, name := range commands {
		r := ctl(t, "", name, "-h").want(t, 0, "grantctl "+name+" [flags] ", "Example", "Flags:\n")
		if strings.Contains("export import copy adopt", name) && !strings.Contains(r.stdout, "refresh tokens") {
			t.Errorf("%s -h does not warn of an app that still runs", name)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, flag := range []string{"-version", "--version", "version"} {
		ctl(t, "", flag).want(t, 0, "grantctl ", "go1.")
	}
}

func TestUsage(t *testing.T) {
	a := newApp(t)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "no command"},
		{"no command", []string{"canary"}, "no such command"},
		{"no store", []string{"list"}, "list needs STORE, and not 0 arguments"},
		{"no subject", []string{"show", a.url}, "show needs STORE and SUBJECT|KEY, and not 1 arguments"},
		{"too much", []string{"list", a.url, "canary"}, "not 2 arguments"},
		{"no such flag", []string{"list", "-canary", a.url}, "a flag that does not exist"},
		{"no such value", []string{"list", "-o=canary", a.url}, "has a wrong value"},
		{"no scheme", []string{"list", "canary"}, "STORE is no store"},
		{"another scheme", []string{"list", "canary://b"}, "STORE is no store"},
		{"no directory", []string{"list", "file:"}, "file: needs a directory"},
		{"no file", []string{"list", "sqlite:"}, "sqlite: needs a file"},
		{"a parameter", []string{"list", "sqlite:a?table=%zz"}, "no URL encoding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ctl(t, "", tt.args...).want(t, 2, "grantctl: ", tt.want)
			if strings.Contains(r.stderr, "canary") || r.stdout != "" {
				t.Errorf("%q printed %q, %q, want what is wrong on stderr, without repeating it", tt.args, r.stdout, r.stderr)
			}
		})
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	for _, args := range [][]string{{"-o", "json", a.url, user}, {a.url, "-o", "json", user}, {a.url, user, "-o", "json"}, {a.url, "-o", "json", "--", user}} {
		if list := ctl(t, "", append([]string{"show"}, args...)...).want(t, 0).objects(t); len(list) != 1 || list[0]["subject"] != user {
			t.Errorf("show %q printed %v, want the grant as JSON", args, list)
		}
	}
}

// A mistyped store is refused, and nothing is made in its place.
func TestNoSuchStore(t *testing.T) {
	dir := t.TempDir()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "a file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "app.db")
	s, err := sqlitestore.Open(t.Context(), other, &sqlitestore.Options{Table: "others"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ store, want string }{
		{"sqlite:" + other, "there is no such store"},
		{"file:" + filepath.Join(dir, "none"), "there is no such store"},
		{"file:" + dir, "there is no such store"},
		{"file:" + full, "is no store: name the directory that was given to filestore.Open"},
		{"file:" + filepath.Join(full, "a file"), "directory"},
		{"sqlite:" + filepath.Join(dir, "none"), "there is no such store"},
		{"sqlite:" + filepath.Join(dir, "none") + "?table=t", "there is no such store"},
		{"env:", "the environment variable that STORE names is not set"},
		{"env:AUTHTRIP_TEST_NO_SUCH_VARIABLE", "the environment variable that STORE names is not set"},
	}
	for _, tt := range tests {
		for _, args := range [][]string{{"list", tt.store}, {"show", tt.store, "a"}, {"delete", "-yes", tt.store, "a"}, {"export", tt.store}, {"copy", tt.store, "file:" + dir}} {
			ctl(t, "", args...).want(t, 1, tt.want)
		}
	}
	for of, n := range map[string]int{dir: 0, full: 1} {
		if left, err := os.ReadDir(of); err != nil || len(left) != n {
			t.Errorf("%d files in %s, %v, want %d", len(left), of, err, n)
		}
	}
	ctl(t, "", "import", "file:"+full).want(t, 1, "is no store") // it makes new directories, and uses no other's
}

func TestStoreFromTheEnvironment(t *testing.T) {
	a := newApp(t)
	user := a.user(a.grants(), 1)
	t.Setenv("GRANTCTL_TEST_STORE", a.url)
	ctl(t, "", "list", "env:GRANTCTL_TEST_STORE").want(t, 0, user)
	t.Setenv("GRANTCTL_TEST_STORE", "env:GRANTCTL_TEST_STORE")
	ctl(t, "", "list", "env:GRANTCTL_TEST_STORE").want(t, 2, "STORE is no store")
}

func TestATableOfItsOwn(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(a.newKey()), 1)
	path := "sqlite:" + filepath.Join(t.TempDir(), "grants.db")
	ctl(t, "", "copy", a.url, path+"?table=mine").want(t, 0, "created: 2;")
	ctl(t, "", "list", path+"?table=mine").want(t, 0, "grants: 1;")
	ctl(t, "", "list", path+"?table=other").want(t, 1, "there is no such store")
	ctl(t, "", "copy", "-n", a.url, path+"?table=other").want(t, 0, "created: 2;")
}

func TestKeysThatAreNone(t *testing.T) {
	a := newApp(t)
	const canary = "Y2FuYXJ5LWtleQ"
	a.secrets = append(a.secrets, canary)
	for _, keys := range []string{canary, canary + "," + canary, a.newKey() + "," + canary, "!" + canary} {
		a.setKeys(keys)
		r := ctl(t, "", "list", a.url).want(t, 1, "AUTHTRIP_KEYS: seal: key")
		a.wantNoSecret("list", r)
	}
}

// failing is an output that takes nothing.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputThatIsLost(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(a.newKey()), 1)
	for _, name := range []string{"list", "export"} {
		var stderr strings.Builder
		code := grantctl.Run(t.Context(), []string{name, a.url}, strings.NewReader(""), failing{}, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s to a full disk = %d, %q, want an error", name, code, stderr.String())
		}
	}
}

func TestCtrlC(t *testing.T) {
	a := newApp(t)
	a.user(a.grants(a.newKey()), 1)
	a.setKeys(a.newKey())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"list", a.url}, {"export", a.url}, {"reseal", a.url}, {"show", a.url, "a"}} {
		var stdout, stderr strings.Builder
		if code := grantctl.Run(ctx, args, strings.NewReader(""), &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "canceled") {
			t.Errorf("%s after Ctrl-C = %d, %q, want an error", args[0], code, stderr.String())
		}
	}
}
