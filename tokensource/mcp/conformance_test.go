package mcp_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/internal/nodekit"
)

// scenarios are those of the suites auth, draft (those for authorization),
// extensions and backcompat of the conformance suite.
var scenarios = map[string][]string{
	"auth": {
		"metadata-default", "metadata-var1", "metadata-var2", "metadata-var3", "basic-cimd", "scope-from-www-authenticate",
		"scope-from-scopes-supported", "scope-omitted-when-undefined", "scope-step-up", "scope-retry-limit",
		"token-endpoint-auth-basic", "token-endpoint-auth-post", "token-endpoint-auth-none", "pre-registration",
	},
	"draft": {
		"resource-mismatch", "offline-access-scope", "offline-access-not-supported", "authorization-server-migration",
		"iss-supported", "iss-not-advertised", "iss-supported-missing", "iss-wrong-issuer", "iss-unexpected", "iss-normalized",
		"metadata-issuer-mismatch",
	},
	"extensions": {
		"client-credentials-jwt", "client-credentials-basic", "enterprise-managed-authorization", "dpop", "dpop-nonce", "wif-jwt-bearer",
	},
	"backcompat": {"2025-03-26-oauth-metadata-backcompat", "2025-03-26-oauth-endpoint-fallback"},
}

// judge is the conformance suite, and the client that it judges.
type judge struct{ script, client string }

func newJudge(t *testing.T) judge {
	t.Helper()
	script, err := filepath.Abs("testdata/conformance.mjs")
	if err != nil {
		t.Fatal(err)
	}
	nodekit.Command(t, script) // skips where Node is not installed
	client := filepath.Join(t.TempDir(), "client")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", client, "./internal/conformance")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return judge{script, client}
}

// run lets the suite judge one scenario, with a command as the client.
func (j judge) run(t *testing.T, scenario, command string) {
	t.Helper()
	preload, err := filepath.Abs("testdata/loopback.cjs")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	cmd := nodekit.Command(t, j.script, "NODE_OPTIONS=--require "+preload)
	cmd.Args = append(cmd.Args, "client", "--command", command, "--scenario", "auth/"+scenario, "-o", out)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the suite: %v\n%s", err, text)
	}
	passed, bad := count(t, out)
	if passed == 0 || len(bad) > 0 {
		t.Errorf("%d checks passed, and these did not: %s\n%s", passed, strings.Join(bad, "\n"), text)
	}
}

// count reads the results that the suite has written.
func count(t *testing.T, dir string) (passed int, bad []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "checks.json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var checks []struct{ ID, Status, Description string }
		if err := json.Unmarshal(text, &checks); err != nil {
			return err
		}
		for _, c := range checks {
			switch c.Status {
			case "SUCCESS":
				passed++
			case "FAILURE", "WARNING":
				bad = append(bad, c.Status+" "+c.ID+": "+c.Description)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return passed, bad
}

// each runs a test for every scenario, two at a time.
func each(t *testing.T, test func(t *testing.T, scenario string)) {
	t.Helper()
	slots := make(chan struct{}, 2)
	var all sync.WaitGroup
	for suite, names := range scenarios {
		for _, name := range names {
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				t.Run(suite+"/"+name, func(t *testing.T) { test(t, name) })
			})
		}
	}
	all.Wait()
}

func TestConformanceSuiteOfTheModelContextProtocol(t *testing.T) {
	j := newJudge(t)
	each(t, func(t *testing.T, scenario string) { j.run(t, scenario, j.client) })
}

// The second process uses the registration and the grant of the first one.
func TestConformanceSuiteWithTwoProcessesAndOneStore(t *testing.T) {
	j := newJudge(t)
	each(t, func(t *testing.T, scenario string) {
		store := filepath.Join(t.TempDir(), "store")
		both := filepath.Join(t.TempDir(), "both")
		script := "#!/bin/sh\nexport AUTHTRIP_STORE='" + store + "'\n'" + j.client + "' \"$@\"; first=$?\n" +
			"'" + j.client + "' \"$@\" || exit $?\nexit $first\n"
		if err := os.WriteFile(both, []byte(script), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		j.run(t, scenario, both)
	})
}
