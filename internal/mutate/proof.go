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
	"strings"
	"time"
)

// A proof is a test run that may notice a broken rule.
type proof struct {
	args []string // of go test
	env  []string
}

// proofs are the test runs by name. A mutant names the one that is expected to
// find it. The others are asked in the order of [proofOrder] if it does not.
var proofs = map[string]proof{
	"rules":      {args: []string{"-run", "^Test[^E]", "-short", "./tokensource/grant/internal/lease"}},
	"explore":    {args: []string{"-run", "^TestExplore", "./tokensource/grant/internal/lease"}},
	"engine":     {args: []string{"./tokensource/grant"}},
	"simulation": {args: []string{"-run", "^TestSeeds$", "./internal/simulation", "-seeds", "3"}},
	"protocol":   {args: []string{"./tokensource/oauth"}},
	"transport":  {args: []string{"-short", "./transport"}},
	"storage":    {args: []string{"./storage", "./storage/seal", "./storage/storagetest"}},
}

var proofOrder = []string{"rules", "explore", "engine", "simulation", "protocol", "transport", "storage"}

// hunt runs the proofs until one fails. It returns the name of the first test
// that failed, or an empty name.
func (m *mutant) hunt(root string, limit time.Duration) (found, output string, err error) {
	overlay, remove, err := m.overlay(root)
	if err != nil {
		return "", "", err
	}
	defer remove()
	asked := map[string]bool{}
	for _, name := range append([]string{m.proof}, proofOrder...) {
		if asked[name] {
			continue
		}
		asked[name] = true
		output, failed, err := proofs[name].run(root, overlay, limit)
		switch {
		case err != nil:
			return "", output, fmt.Errorf("%s: %s: %w", m.source, m.name, err)
		case failed:
			return name + ": " + firstFailure(output), output, nil
		}
	}
	return "", "", nil
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

// run reports whether the tests failed. A mutant that does not compile is an
// error, since it proves nothing.
func (p proof) run(root, overlay string, limit time.Duration) (output string, failed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := append([]string{"test", "-overlay", overlay, "-count=1", "-failfast", "-timeout", limit.String()}, p.args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), p.env...)
	text, runErr := cmd.CombinedOutput()
	output = string(text)
	switch {
	case runErr == nil:
		return output, false, nil
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return output, false, fmt.Errorf("it does not compile:\n%s", output)
	}
	return output, true, nil
}

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	violation  = regexp.MustCompile(`(?m)violat\w+:? (\S+)`)
)

// firstFailure names what failed, as precisely as the output does.
func firstFailure(output string) string {
	name := "a panic, or a test that hung"
	if m := failedTest.FindAllStringSubmatch(output, -1); m != nil {
		name = m[len(m)-1][1] // the innermost subtest comes last
	}
	if m := violation.FindStringSubmatch(output); m != nil {
		name += ", " + m[1]
	}
	return name
}
