package licences_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

const root = "../../.."

// allowed are the licences that a module may have, by their SPDX names. All of
// them let users build closed programs. The Mozilla licence asks for changes of
// its own files only.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "MPL-2.0-no-copyleft-exception", "Unlicense"}

// documentation are licences that the named modules have for their
// documentation only, as their licence files say. No package is built of it. A
// new version of such a module must be read again, so the version is part of
// the name.
var documentation = map[string]string{"github.com/modelcontextprotocol/go-sdk@v1.8.0": "CC-BY-4.0"}

// TestEveryModuleHasALicenceThatIsAllowed reads the licence of every module of
// which a package is built, tests and benchmarks included.
func TestEveryModuleHasALicenceThatIsAllowed(t *testing.T) {
	found := map[string][]string{}
	for _, workspace := range []struct{ dir, pattern string }{{root, "work"}, {filepath.Join(root, "bench"), "./..."}} {
		for _, m := range modules(t, workspace.dir, workspace.pattern) {
			if found[m.name] != nil {
				continue
			}
			names, err := licences(m.dir)
			if err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			for _, name := range names {
				if !slices.Contains(allowed, name) && documentation[m.name] != name {
					t.Errorf("%s has the licence %s, which is not one of %q", m.name, name, allowed)
				}
			}
			found[m.name] = names
		}
	}
	if len(found) < 10 {
		t.Errorf("only %d modules were found: this test looks in the wrong folder", len(found))
	}
	for name, names := range found {
		t.Logf("%s: %s", name, strings.Join(names, ", "))
	}
}

type module struct{ name, dir string }

// modules lists the modules of others that packages of the pattern need.
func modules(t *testing.T, dir, pattern string) (list []module) {
	t.Helper()
	const form = `{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}`
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "-f", form, pattern)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v\n%s", dir, err, stderr.Bytes())
	}
	for line := range strings.Lines(string(out)) {
		name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && !strings.HasPrefix(name, "github.com/authtrip/authtrip") {
			list = append(list, module{name, dir})
		}
	}
	return list
}

// licences returns the SPDX names of what the licence files in dir contain.
func licences(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.IsDir() || !isLicence(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		for _, match := range licensecheck.Scan(text).Match {
			if !slices.Contains(names, match.ID) {
				names = append(names, match.ID)
			}
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no file in %s holds a licence that is known", dir)
	}
	return names, nil
}

func isLicence(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "licen") || strings.HasPrefix(name, "copying")
}

func TestLicences(t *testing.T) {
	mit := "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:\n\nThe above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.\n"
	for _, test := range []struct{ file, text, want string }{
		{"LICENSE", mit, "MIT"},
		{"COPYING.txt", mit, "MIT"},
		{"licence.md", mit, "MIT"},
		{"README.md", mit, ""},
		{"LICENSE", "All rights reserved.\n", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		names, err := licences(dir)
		if got := strings.Join(names, ","); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("licences(%s) = %q, %v, want %q", test.file, got, err, test.want)
		}
	}
}
