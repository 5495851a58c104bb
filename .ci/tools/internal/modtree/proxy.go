package modtree

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// publish writes a module into the folder of a module proxy, as the GOPROXY
// protocol names its files, and computes its hashes.
func (r *Release) publish(m *Module, proxy string) error {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return fmt.Errorf("modtree: %w", err)
	}
	dir := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("modtree: %w", err)
	}
	mod, err := r.content(path.Join(m.Dir, "go.mod"))
	if err != nil {
		return err
	}
	archive, err := r.zip(m)
	if err != nil {
		return err
	}
	for suffix, data := range map[string][]byte{
		".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2000-01-01T00:00:00Z"}`, r.Version),
		".mod":  mod,
		".zip":  archive,
	} {
		if err := os.WriteFile(filepath.Join(dir, r.Version+suffix), data, 0o666); err != nil {
			return fmt.Errorf("modtree: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(r.Version+"\n"), 0o666); err != nil {
		return fmt.Errorf("modtree: %w", err)
	}
	return r.addSums(m, filepath.Join(dir, r.Version+".zip"), mod)
}

// zip makes the archive of a module as the go command makes it from a tag: it
// leaves nested modules out, and a module without a LICENSE of its own gets the
// one of the root.
func (r *Release) zip(m *Module) ([]byte, error) {
	names := slices.AppendSeq(slices.Clone(r.tree.files), maps.Keys(r.Files)) // a go.sum may be new
	slices.Sort(names)
	var files []zip.File
	for _, name := range slices.Compact(names) {
		rel, ok := strings.CutPrefix(name, m.Dir+"/")
		if m.Dir == "." {
			rel, ok = name, true
		}
		if ok {
			files = append(files, archived{release: r, source: name, name: rel})
		}
	}
	licensed := slices.ContainsFunc(files, func(f zip.File) bool { return f.Path() == "LICENSE" })
	if !licensed && slices.Contains(r.tree.files, "LICENSE") {
		files = append(files, archived{release: r, source: "LICENSE", name: "LICENSE"})
	}
	var out bytes.Buffer
	if err := zip.Create(&out, module.Version{Path: m.Path, Version: r.Version}, files); err != nil {
		return nil, fmt.Errorf("modtree: %s: %w", m.Path, err)
	}
	return out.Bytes(), nil
}

// archived is one file of a module's archive: source in the tree, name in the
// archive.
type archived struct {
	release      *Release
	source, name string
}

func (f archived) Path() string { return f.name }

func (f archived) Lstat() (fs.FileInfo, error) {
	if data, ok := f.release.Files[f.source]; ok {
		return changed{name: path.Base(f.name), size: int64(len(data))}, nil
	}
	return os.Lstat(filepath.Join(f.release.tree.root, filepath.FromSlash(f.source)))
}

func (f archived) Open() (io.ReadCloser, error) {
	data, err := f.release.content(f.source)
	return io.NopCloser(bytes.NewReader(data)), err
}

// changed describes a file whose contents the release changes.
type changed struct {
	name string
	size int64
}

func (c changed) Name() string     { return c.name }
func (c changed) Size() int64      { return c.size }
func (changed) Mode() fs.FileMode  { return 0o666 }
func (changed) ModTime() time.Time { return time.Time{} }
func (changed) IsDir() bool        { return false }
func (changed) Sys() any           { return nil }
