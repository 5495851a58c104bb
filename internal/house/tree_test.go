package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root = "../.."
	kit  = "github.com/authtrip/authtrip"
)

// listed is what go list prints of a package.
type listed struct {
	ImportPath, Dir                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

// short is the path of a package without the path of the root module. The root
// package has ".".
func (p listed) short() string {
	return short(p.ImportPath)
}

func short(path string) string {
	if path == kit {
		return "."
	}
	return strings.TrimPrefix(path, kit+"/")
}

// list runs go list for an operating system. In the workspace, the pattern
// "work" means all modules; without it, the root module alone. The tests that
// ask for the same share one answer, which none of them may change.
func list(t *testing.T, goos string, args ...string) []listed {
	t.Helper()
	key := strings.Join(append([]string{goos}, args...), " ")
	if answers[key] == nil {
		answers[key] = goList(t, goos, args)
	}
	return answers[key]
}

// answers is what go list has printed, by operating system and arguments. The
// tests of this package run one after another.
var answers = map[string][]listed{}

// goList asks for the fields of listed and for no more: the go command then
// does not compute which package is stale, for which it reads every file.
func goList(t *testing.T, goos string, args []string) []listed {
	t.Helper()
	touch(t)
	const fields = "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", fields}, args...)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOOS="+goos)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %q: %v\n%s", args, err, stderr.Bytes())
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatalf("go list %q printed no package", args)
	}
	return packages
}

// touch reads every folder of the tree. The go command may only reuse the
// result of a test if no file that the test read has changed, and it does not
// see what go list reads.
func touch(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && name != root && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
