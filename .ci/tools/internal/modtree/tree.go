// Package modtree reads the modules of a source tree and computes what a
// release of them consists of.
//
// # The problem
//
// All modules of the tree are released together, with one version. A module
// requires the others in that version, and its go.sum holds their hashes. The
// hash of a module covers its own go.mod and go.sum. The hashes can therefore
// only be computed in the order of dependence: first the module that requires
// none of the others.
//
// # Types
//
// A [Tree] is what [Open] found. [Tree.Release] computes the changed files, the
// hashes and the tags of one version, and writes the modules into a folder that
// the go command can use as a module proxy.
//
// Trees and releases are immutable, so several goroutines may use one.
package modtree

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// A Tree is a source tree with all its modules.
type Tree struct {
	root    string
	files   []string // with slashes, relative to root
	modules []*Module
}

// A Module is one module of a tree.
type Module struct {
	// Path is the module path.
	Path string
	// Dir is the module's folder with slashes, relative to the root of the tree.
	// The module in the root has ".".
	Dir string

	requires []string // paths of other modules of the tree
}

// Open reads the go.mod files among files, which are paths with slashes
// relative to root. Modules below a folder whose name begins with a dot do not
// belong to the tree.
//
// Open refuses a go.mod with a replace directive, because "go install
// path@version" refuses such a module, and modules that require each other in a
// circle.
func Open(root string, files []string) (*Tree, error) {
	t := &Tree{root: root, files: slices.Sorted(slices.Values(files))}
	parsed := map[*Module]*modfile.File{}
	for _, name := range t.files {
		if path.Base(name) != "go.mod" || hidden(name) {
			continue
		}
		file, err := t.parse(name)
		if err != nil {
			return nil, err
		}
		m := &Module{Path: file.Module.Mod.Path, Dir: path.Dir(name)}
		t.modules, parsed[m] = append(t.modules, m), file
	}
	for m, file := range parsed {
		for _, r := range file.Require {
			if t.module(r.Mod.Path) != nil {
				m.requires = append(m.requires, r.Mod.Path)
			}
		}
	}
	return t, t.sort()
}

// Modules returns the modules in the order of dependence: each stands behind
// those that it requires.
func (t *Tree) Modules() []*Module {
	return slices.Clone(t.modules)
}

func (t *Tree) parse(name string) (*modfile.File, error) {
	data, err := t.read(name)
	if err != nil {
		return nil, err
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		return nil, fmt.Errorf("modtree: %w", err)
	}
	if file.Module == nil {
		return nil, fmt.Errorf("modtree: %s names no module", name)
	}
	if len(file.Replace) > 0 {
		return nil, fmt.Errorf("modtree: %s has a replace directive: go install would refuse the module", name)
	}
	return file, nil
}

func (t *Tree) read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("modtree: %w", err)
	}
	return data, nil
}

// module returns the module with that path, or nil.
func (t *Tree) module(path string) *Module {
	i := slices.IndexFunc(t.modules, func(m *Module) bool { return m.Path == path })
	if i < 0 {
		return nil
	}
	return t.modules[i]
}

// sort puts the modules into the order of dependence. Modules that may stand in
// any order are sorted by path, so that every run gives the same result.
func (t *Tree) sort() error {
	rest := slices.SortedFunc(slices.Values(t.modules), func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })
	t.modules = nil // from here on, t.module finds the modules that are placed
	for len(rest) > 0 {
		i := slices.IndexFunc(rest, func(m *Module) bool {
			return !slices.ContainsFunc(m.requires, func(p string) bool { return t.module(p) == nil })
		})
		if i < 0 {
			return fmt.Errorf("modtree: %s requires itself through other modules", rest[0].Path)
		}
		t.modules = append(t.modules, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return nil
}

// hidden reports whether a folder or file on the way to name begins with a dot.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}
