package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// opened is a file of the database as it was when the store was opened.
type opened struct {
	path string
	info fs.FileInfo
}

// errGone says that a file of the database is gone. SQLite goes on with the
// file that it has open. Another process that opens the path sees nothing of
// it, and the locks of the two do not exclude each other.
var errGone = fmt.Errorf("a file of the database is gone, or another one is in its place: open the store again: %w", fs.ErrNotExist)

// remember remembers the files that are open now: the database, its log (-wal)
// and the index of the log (-shm).
func (s *Store) remember() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(s.where + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue // a database without a log
		}
		if err != nil {
			return err
		}
		s.files = append(s.files, opened{s.where + suffix, info})
	}
	return nil
}

// present returns an error unless the files of the database are in their
// places. They may have been renamed or deleted, or a directory above them. For
// a read, it looks at the database only: each look costs a tenth of a read.
func (s *Store) present(pool chan *handle) error {
	files := s.files
	if pool == s.reading && len(files) > 1 {
		files = files[:1]
	}
	for _, f := range files {
		there, err := os.Stat(f.path)
		if err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		if !os.SameFile(there, f.info) {
			return errGone
		}
	}
	return nil
}

// spare is how many files SQLite may have closed again after it could not open
// one more.
const spare = 8

// exhausted returns the error of the operating system if the process, or the
// machine, can hardly open files any more. SQLite does not say so: its error is
// that of a file that may not be opened.
func exhausted() error {
	for range spare {
		file, err := os.Open(os.DevNull)
		if isExhaustion(err) {
			return err
		}
		if err == nil {
			defer file.Close() //nolint:errcheck // nothing was read
		}
	}
	return nil
}

func isExhaustion(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
