package mcp_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// suites run the scenarios in one process for each suite, because Node needs
// longer to read the conformance suite than a scenario takes. The suite runs
// the scenarios of a suite at the same time. The command is a shell script; a
// scenario that is not one of ours does not run it.
func (j judge) suites(t *testing.T, command string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "command")
	script := "#!/bin/sh\ncase $MCP_CONFORMANCE_SCENARIO in auth/*) ;; *) exit 0;; esac\n" + command
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	for suite, names := range scenarios {
		text, out := j.run(t, suite, file)
		for _, name := range names {
			t.Run(suite+"/"+name, func(t *testing.T) {
				passed, bad := count(t, out, name)
				good := strings.Contains(string(text), "✓ auth/"+name+":")
				if !good || passed == 0 || len(bad) > 0 {
					t.Errorf("%d checks passed, and these did not: %s\n%s", passed, strings.Join(bad, "\n"), text)
				}
			})
		}
	}
}

// run lets the suite judge a command in all scenarios of a suite. It returns
// what the suite says, and the folder with its results. Its exit status counts
// for nothing: a suite may have scenarios that are not about authorization.
func (j judge) run(t *testing.T, suite, command string) (text []byte, out string) {
	t.Helper()
	preload, err := filepath.Abs("testdata/loopback.cjs")
	if err != nil {
		t.Fatal(err)
	}
	out = t.TempDir()
	cmd := nodekit.Command(t, j.script, "NODE_OPTIONS=--require "+preload)
	cmd.Args = append(cmd.Args, "client", "--command", command, "--suite", suite, "--timeout", "200000", "-o", out)
	text, err = cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("the suite: %v", err)
	}
	return text, out
}

// count reads the results that the suite has written for a scenario.
func count(t *testing.T, dir, scenario string) (passed int, bad []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "checks.json" || !of(path, scenario) {
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

// of reports whether a file has the results of a scenario. Its folder is named
// for the scenario and the time.
func of(path, scenario string) bool {
	dir := filepath.Base(filepath.Dir(path))
	return strings.HasPrefix(dir, scenario+"-") && len(dir) == len(scenario+"-2006-01-02T15-04-05-000Z")
}

func TestConformanceSuiteOfTheModelContextProtocol(t *testing.T) {
	j := newJudge(t)
	j.suites(t, "exec '"+j.client+"' \"$@\"\n")
}

// The second process uses the registration and the grant of the first one. Both
// send their requests through Handler.Client.
func TestConformanceSuiteWithTwoProcessesAndOneStore(t *testing.T) {
	j, stores := newJudge(t), t.TempDir()
	j.suites(t, "export AUTHTRIP_CLIENT=1 AUTHTRIP_STORE='"+stores+"'/$(basename \"$MCP_CONFORMANCE_SCENARIO\")\n"+
		"'"+j.client+"' \"$@\"; first=$?\n'"+j.client+"' \"$@\" || exit $?\nexit $first\n")
}
