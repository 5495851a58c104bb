package servertest

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// pristine is what initdb writes, for all PostgreSQL servers of this process.
var pristine cluster

// cluster is the content of a data directory in which no server has run. To
// write it again takes a fraction of the time of initdb, which starts a server
// and runs a thousand statements.
type cluster struct {
	mu    sync.Mutex // guards files; held while initdb runs
	files []file     // a folder comes before what is in it
}

// file is a file or a folder of a data directory, which names it from there.
type file struct {
	name    string
	mode    fs.FileMode
	content []byte
}

// into makes dir/data a data directory. The first call runs initdb.
func (c *cluster) into(t testing.TB, bin, dir string) {
	t.Helper()
	data := filepath.Join(dir, "data")
	files, done := c.begin(t, bin, dir, data)
	if done {
		return
	}
	if err := writeFiles(data, files); err != nil {
		t.Fatalf("servertest: %v", err)
	}
}

// begin returns the files to write, or true if initdb has just written them.
func (c *cluster) begin(t testing.TB, bin, dir, data string) (files []file, done bool) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files != nil {
		return c.files, false
	}
	runPostgres(t, dir, bin, "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	files, err := readFiles(data)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	c.files = files
	return files, true
}

// readFiles returns everything in dir, and dir itself.
func readFiles(dir string) (list []file, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		f := file{mode: info.Mode()}
		if f.name, err = filepath.Rel(dir, path); err != nil {
			return err
		}
		if !entry.IsDir() {
			if f.content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		list = append(list, f)
		return nil
	})
	return list, err
}

// writeFiles writes files into dir, for the user of asServerUser.
func writeFiles(dir string, files []file) error {
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		err := error(nil)
		if f.mode.IsDir() {
			err = os.Mkdir(path, f.mode.Perm())
		} else {
			err = os.WriteFile(path, f.content, f.mode.Perm())
		}
		if err == nil {
			err = handOver(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
