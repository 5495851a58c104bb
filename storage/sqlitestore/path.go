package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// absolute returns the full name of the database file, or why path names none.
func absolute(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("sqlitestore: no path: name a file that outlives the program, or use storage.NewMemory")
	case strings.Contains(path, ":memory:"), strings.HasPrefix(path, "file:") && strings.Contains(path, "mode=memory"):
		return "", errors.New("sqlitestore: a database in memory cannot be shared by connections and keeps nothing: use storage.NewMemory")
	case strings.HasPrefix(path, "file:"):
		return "", errors.New("sqlitestore: the path is a plain file name and no URI: open a database of your own for New")
	}
	return filepath.Abs(path)
}

// dsn returns the data source name of file. Characters that have a meaning for
// SQLite or the driver are escaped.
func dsn(file string) string {
	file = filepath.ToSlash(file)
	if !strings.HasPrefix(file, "/") {
		file = "/" + file // C:/…
	}
	return (&url.URL{Scheme: "file", Path: file}).String()
}

// creating is held while a database file is created. When a process closes any
// descriptor of a file, the system drops all locks of the process on that file.
// So no other goroutine may have opened the database by then.
var creating sync.Mutex // guards the creation of files; held across it

// create creates file with mode 0600 if it does not exist. SQLite gives the
// same mode to the files that it adds.
func create(file string) error {
	creating.Lock()
	defer creating.Unlock()
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return regular(file)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// regular returns an error unless file exists and may be a database.
func regular(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("this is no file: name one, or a new name")
	}
	return nil
}

// beside returns an error if one of the names that SQLite gives to the files
// beside a database belongs to something else, such as a pipe. SQLite would
// wait for the other end of the pipe.
func beside(file string) error {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		info, err := os.Stat(file + suffix)
		if err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file: remove it", filepath.Base(file)+suffix)
		}
	}
	return nil
}

// trusted returns an error if a database file belongs to another user.
func trusted(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return checkOwner(info)
}
