package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/authtrip/authtrip/storage"
)

// firstRead is how many bytes of a file are read at first. Most records are
// smaller, so one read is enough.
const firstRead = 4 << 10

// read returns the content of a file.
func (f *Store) read(name string) ([]byte, error) {
	file, err := openRegular(f.root, name, os.O_RDONLY)
	if err != nil {
		return nil, f.irregular(name, err)
	}
	defer func() { _ = file.Close() }() // only read
	data := make([]byte, firstRead)
	n, err := file.Read(data)
	if n < len(data) {
		return data[:n], ignoreEOF(err)
	}
	const most = fileHeader + storage.MaxSealed + 1 // one byte too many shows that it is no record
	rest, err := io.ReadAll(io.LimitReader(file, most-firstRead))
	return append(data, rest...), err
}

// version returns the version in a file, or zero if the file does not exist. It
// reads only the header.
func (f *Store) version(name string) (storage.Version, error) {
	file, err := openRegular(f.root, name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, f.irregular(name, err)
	}
	defer func() { _ = file.Close() }() // only read
	header := make([]byte, fileHeader)
	n, err := file.Read(header)
	if err := ignoreEOF(err); err != nil {
		return 0, err
	}
	h, err := decodeHeader(header[:n])
	if err != nil {
		return 0, f.corrupt(name, err)
	}
	return h.version, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// write replaces the content of the file name with data, or changes nothing. It
// writes the temporary file of the shard first.
func (f *Store) write(s *shard, name string, data []byte) error {
	err := f.writeTemp(s.temp, data)
	if err == nil {
		err = s.intact() // once more, because the disk may have needed long
	}
	if err == nil {
		err = f.root.Rename(s.temp, name)
	}
	if err != nil {
		_ = f.root.Remove(s.temp) // if it remains, the next write removes it
	}
	return err
}

func (f *Store) writeTemp(temp string, data []byte) error {
	file, err := f.createTemp(temp)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil && !f.noSync {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

// createTemp creates the file temp. If the file exists, a process died while it
// wrote, and createTemp replaces it.
func (f *Store) createTemp(temp string) (*os.File, error) {
	file, err := create(f.root, temp)
	if !errors.Is(err, fs.ErrExist) {
		return file, err
	}
	if err := f.root.Remove(temp); err != nil {
		return nil, err
	}
	return create(f.root, temp)
}

// create creates a file. It returns an error if the file exists: it may be a
// link to a file outside of the directory, which must not be written.
func create(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// errIrregular says that a name of the store belongs to something else than a
// file: a pipe, a device, a socket, a link or a directory. Opening or reading
// it might block for ever, or have an effect.
var errIrregular = fmt.Errorf("%w: it is no regular file", storage.ErrCorrupt)

// openRegular opens an existing file. It returns an error that wraps
// errIrregular if the name does not belong to a regular file. It never blocks,
// also if the name belongs to something else a moment later.
func openRegular(root *os.Root, name string, flag int) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	file, err := root.OpenFile(name, flag|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return file, nil
}

// Keys implements storage.Lister. It reads the whole directory when the
// iteration begins. Writes wait meanwhile: on some file systems, a file that is
// replaced while the directory is read may be missing from the result.
//
// Keys waits for a write that has begun, also if the process of that write was
// stopped. It then lets other writes go first.
func (f *Store) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := f.list(ctx)
		if err != nil {
			yield("", err)
			return
		}
		storage.YieldKeys(ctx, keys, yield)
	}
}

func (f *Store) list(ctx context.Context) ([]string, error) {
	if err := f.lockAll(ctx); err != nil {
		return nil, err
	}
	defer release(f.shards[:])
	names, err := f.fileNames()
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, f.explain("keys", err)
	}
	keys := names[:0]
	for _, name := range names {
		if key, ok := keyOf(name); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (f *Store) fileNames() ([]string, error) {
	dir, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // only read
	return dir.Readdirnames(-1)
}

// explain adds the directory and an advice to an error of the operating system.
func (f *Store) explain(op string, err error) error {
	advice := adviceFor(err)
	switch {
	case err == nil, errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrCorrupt), errors.Is(err, errUnchanged):
		return err
	case errors.Is(err, errGone): // its own text says what to do
		return fmt.Errorf("filestore: %s in %s: %w", op, f.dir, err)
	case advice != "":
	case errors.Is(err, fs.ErrClosed):
		return errClosed
	case errors.Is(err, fs.ErrPermission):
		advice = "let this user read and write the directory and its files"
	case errors.Is(err, errors.ErrUnsupported):
		advice = "use a local disk, on an operating system with file locks"
	default:
		return fmt.Errorf("filestore: %s in %s: %w", op, f.dir, err)
	}
	return fmt.Errorf("filestore: %s in %s: %s: %w", op, f.dir, advice, err)
}

// corrupt adds the path of the damaged file and an advice to an error.
func (f *Store) corrupt(name string, why error) error {
	return fmt.Errorf("%w; restore %s from a backup, or remove it and lose the record", why, filepath.Join(f.dir, name))
}

// irregular is corrupt for an error of openRegular, if it is errIrregular.
func (f *Store) irregular(name string, err error) error {
	if errors.Is(err, errIrregular) {
		return f.corrupt(name, err)
	}
	return err
}
