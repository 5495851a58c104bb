package modtree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/dirhash"
)

// ErrVersion says that a version cannot be released: it is not written as
// vMAJOR.MINOR.PATCH with an optional pre-release, or its major version would
// need other module paths.
var ErrVersion = errors.New("modtree: no version that these modules can have")

// A Release is what a version of a tree consists of.
type Release struct {
	// Version is the version of every module.
	Version string
	// Files holds the new contents of each go.mod, go.sum and go.work that a
	// release changes, by path with slashes relative to the root of the tree.
	Files map[string][]byte
	// Tags are the git tags of the published modules, in the order of dependence.
	Tags []string

	tree *Tree
	sums map[string][]string // the lines of go.sum, by module path
}

// Release computes the release of a version. It writes each published module
// into the folder proxy, which the go command can then use as a module proxy.
// Modules below a folder "internal" and the module in the folder "bench" are
// not published: nobody outside the tree requires or installs them.
//
// The error is [ErrVersion] if the version cannot be released.
func (t *Tree) Release(version, proxy string) (*Release, error) {
	if version != semver.Canonical(version) || semver.Compare(semver.Major(version), "v1") > 0 {
		return nil, fmt.Errorf("%w: %q", ErrVersion, version)
	}
	r := &Release{Version: version, Files: map[string][]byte{}, tree: t, sums: map[string][]string{}}
	if err := r.updateWork(); err != nil { // go.work belongs to the root module
		return nil, err
	}
	for _, m := range t.modules {
		if err := r.update(m); err != nil {
			return nil, err
		}
		if !m.published() {
			continue
		}
		if err := r.publish(m, proxy); err != nil {
			return nil, err
		}
		r.Tags = append(r.Tags, strings.TrimPrefix(m.Dir+"/"+version, "./"))
	}
	return r, nil
}

func (m *Module) published() bool {
	return m.Dir != "bench" && !slices.Contains(strings.Split(m.Dir, "/"), "internal")
}

// update puts the version into go.mod and go.sum of a module. The modules that
// m requires must have been published before.
func (r *Release) update(m *Module) error {
	if len(m.requires) == 0 {
		return nil
	}
	name := path.Join(m.Dir, "go.mod")
	file, err := r.tree.parse(name)
	if err != nil {
		return err
	}
	for _, p := range m.requires {
		if r.sums[p] == nil {
			return fmt.Errorf("modtree: %s requires %s, which is not published", m.Path, p)
		}
		if err := file.AddRequire(p, r.Version); err != nil {
			return fmt.Errorf("modtree: %s: %w", name, err)
		}
	}
	if r.Files[name], err = file.Format(); err != nil {
		return fmt.Errorf("modtree: %s: %w", name, err)
	}
	return r.updateSums(m)
}

// updateSums replaces all hashes of modules of the tree in the go.sum of m. It
// keeps the order of the go command, which sorts by path, then by version.
func (r *Release) updateSums(m *Module) error {
	name := path.Join(m.Dir, "go.sum")
	data, err := r.tree.read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := strings.SplitAfter(string(data), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		path, _, _ := strings.Cut(line, " ")
		return line == "" || r.tree.module(path) != nil
	})
	for _, p := range m.requires {
		lines = append(lines, r.sums[p]...)
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		pathA, _, _ := strings.Cut(a, " ")
		pathB, _, _ := strings.Cut(b, " ")
		return strings.Compare(pathA, pathB)
	})
	r.Files[name] = []byte(strings.Join(lines, ""))
	return nil
}

// updateWork puts the version into the replace directives of every go.work.
// There they are allowed, and the go command needs them: it reads the go.mod of
// each required version, also of a module that the workspace has.
func (r *Release) updateWork() error {
	for _, name := range r.tree.files {
		if path.Base(name) != "go.work" || hidden(name) {
			continue
		}
		data, err := r.tree.read(name)
		if err != nil {
			return err
		}
		work, err := modfile.ParseWork(name, data, nil)
		if err != nil {
			return fmt.Errorf("modtree: %w", err)
		}
		for _, old := range work.Replace {
			if r.tree.module(old.Old.Path) != nil {
				data = bytes.Replace(data, []byte(old.Old.Path+" "+old.Old.Version+" "), []byte(old.Old.Path+" "+r.Version+" "), 1)
			}
		}
		r.Files[name] = data
	}
	return nil
}

// content returns a file of the tree as the release changes it.
func (r *Release) content(name string) ([]byte, error) {
	if data, ok := r.Files[name]; ok {
		return data, nil
	}
	return r.tree.read(name)
}

// addSums computes the two lines that the go.sum of other modules holds of m.
func (r *Release) addSums(m *Module, zip string, mod []byte) error {
	hash, err := dirhash.HashZip(zip, dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("modtree: hash of %s: %w", m.Path, err)
	}
	modHash, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(mod)), nil
	})
	if err != nil {
		return fmt.Errorf("modtree: hash of the go.mod of %s: %w", m.Path, err)
	}
	line := m.Path + " " + r.Version
	r.sums[m.Path] = []string{line + " " + hash + "\n", line + "/go.mod " + modHash + "\n"}
	return nil
}
