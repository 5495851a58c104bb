package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A proof is a list of test runs that may notice a broken rule. The next run
// follows if one has noticed nothing.
type proof []run

// run is one call of go test.
type run struct {
	args  []string
	env   []string
	limit time.Duration // after which a run counts as one that hangs
}

const lease = "./tokensource/grant/internal/lease"

// proofs are the proofs by name. A mutant names the one that finds it fastest.
// If that one does not find it, the others are asked in the order of
// [proofOrder].
var proofs = map[string]proof{
	"rules":      {quick("-skip=^TestExplor|^TestCost", lease)},
	"engine":     {quick("./tokensource/grant")},
	"cache":      {quick("./internal/cache", "./internal/pacing", "./internal/trials", "./internal/due", "./internal/kept", "./internal/gate")},
	"protocol":   {quick("./tokensource/oauth")},
	"transport":  {quick("-skip=TestT7|Storm", "./transport")},
	"storage":    {quick("./storage", "./storage/seal", "./storage/storagetest")},
	"contract":   {quick("./tokensource", "./tokensource/provider", "./tokensource/derived", "./internal/redact")},
	"middleware": {quick("./middleware")},
	"connect":    {quick("./middleware/connect")},
	"native":     {quick("./tokensource/nativeapp", "./tokensource/derived")},
	"files":      {quick("./storage/filestore")},
	"userstore":  {quick("./storage/userstore")},
	"databases":  {long("./storage/sqlitestore", "./storage/postgresstore", "./storage/redisstore")},
	"postgres":   {long("-run=Bytea|HowAURL|NameBelow|Password|Primary|Restarts", "./storage/postgresstore")},
	"sqlite":     {quick("-run=Gone|FewFiles|NoFile", "./storage/sqlitestore")},
	"redis":      {quick("-run=TLS|Refused|NameBelow|WithoutNotifications", "./storage/redisstore")},
	"catalogue":  {quick("./tokensource/provider/...", "./internal/everyserver", "./internal/reading", "./internal/hostname", "./internal/about")},
	"discovery":  {quick("./tokensource/discovery", "./tokensource/registration")},
	"upkeep":     {quick("./tokensource/upkeep")},
	"mcp":        {quick("-skip=Conformance", "./tokensource/mcp")},
	"operator":   {quick("./cmd/grantctl")},
	"openid":     {quick("-skip=OIDCProvider", "./tokensource/oidc")},
	"proofs":     {quick("-skip=OIDCProvider", "./tokensource/jose/...")},
	"fake":       {quick("./tokensource/oauthtest/...")},
	"house":      {quick("./internal/house", "./internal/guarantees")},
	"explore":    {long("-run=^TestExploration$", lease), long("-run=^TestCost", lease)},
	"simulation": {simulate(1), simulate(2), simulate(3)},
}

// proofOrder leaves out what only looks at its own package, or needs servers.
var proofOrder = []string{"rules", "cache", "engine", "protocol", "transport", "storage", "contract", "middleware", "connect", "explore", "simulation"}

func quick(args ...string) run { return run{args: args, limit: 2 * time.Minute} }

func long(args ...string) run { return run{args: args, limit: 10 * time.Minute} }

// simulate runs a day in every profile of the simulation.
func simulate(seed int) run {
	return long("-run=^TestSimulation$", "./internal/simulation", fmt.Sprintf("-seed=%d", seed), "-length=24h")
}

// seek asks the proofs of a mutant and returns what they found: the one that is
// expected to be the fastest, or the first other one that finds it, and those
// that must find it as well. If only is not empty, it is the only proof. The
// error names the proofs that have missed the mutant.
func (m *mutant) seek(root, only string) (found, output string, err error) {
	overlay, remove, err := m.overlay(root)
	if err != nil {
		return "", "", err
	}
	defer remove()
	if only != "" {
		return ask(root, overlay, only)
	}
	found, output, err = ask(root, overlay, append([]string{m.proof}, proofOrder...)...)
	for _, name := range m.also {
		if err == nil {
			var more string
			more, output, err = ask(root, overlay, name)
			found += "; " + more
		}
	}
	return found, output, err
}

// ask asks proofs until one fails. It returns the name of the first test that
// failed, and otherwise an error.
func ask(root, overlay string, names ...string) (found, output string, err error) {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		for _, r := range proofs[name] {
			output, failed, err := r.do(root, overlay)
			switch {
			case err != nil:
				return "", output, err
			case failed:
				return name + ": " + firstFailure(output), output, nil
			}
		}
	}
	return "", "", fmt.Errorf("not found by %s", strings.Join(names, ", "))
}

// overlay writes the changed file and the description that go test reads.
func (m *mutant) overlay(root string) (path string, remove func(), err error) {
	changed, err := m.apply(root)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file := filepath.Join(dir, filepath.Base(m.file))
	path = filepath.Join(dir, "overlay.json")
	replace := map[string]map[string]string{"Replace": {filepath.Join(root, filepath.FromSlash(m.file)): file}}
	text, err := json.Marshal(replace)
	if err == nil {
		err = errors.Join(os.WriteFile(file, []byte(changed), 0o600), os.WriteFile(path, text, 0o600))
	}
	if err != nil {
		remove()
	}
	return path, remove, err
}

// do reports whether the tests failed. If no test has failed, a failure of go
// test proves nothing and is an error, as when the mutant does not compile.
func (r run) do(root, overlay string) (output string, failed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.limit+time.Minute) // the build needs time as well
	defer cancel()
	args := []string{"test", "-overlay", overlay, "-count=1", "-failfast", "-vet=off", "-timeout", r.limit.String()}
	cmd := exec.CommandContext(ctx, "go", append(args, r.args...)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), r.env...)
	cmd.WaitDelay = time.Minute // for tests that outlive the go command
	text, runErr := cmd.CombinedOutput()
	output = string(text)
	switch {
	case runErr == nil:
		return output, false, nil
	case !failure.MatchString(output):
		return output, false, fmt.Errorf("go test fails before it runs a test: %w", runErr)
	}
	return output, true, nil
}

var (
	failure    = regexp.MustCompile(`(?m)^\s*(--- FAIL: |panic: |fatal error: )`)
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	hangingFor = regexp.MustCompile(`running tests:\n\s*(\S+)`)
	violation  = regexp.MustCompile(`(?:violation: |VIOLATION )([^,(\n]+\w)`)
)

// firstFailure names what failed, as precisely as the output does.
func firstFailure(output string) string {
	name := "a panic"
	if m := failedTest.FindAllStringSubmatch(output, -1); m != nil {
		name = m[len(m)-1][1] // the innermost subtest comes last
	} else if m := hangingFor.FindStringSubmatch(output); m != nil {
		name = m[1] + " hangs"
	}
	if m := violation.FindStringSubmatch(output); m != nil {
		name += ", " + m[1]
	}
	return name
}
