package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// Options adjusts a [Store]. The zero value is the safe default.
type Options struct {
	// InsecureNoSync leaves out every fsync. Writes are some ten times faster
	// and still survive the death of the process. What is lost: after a power
	// failure the last writes may be missing, or their files may be damaged.
	InsecureNoSync bool

	// InsecureOtherOwner accepts a directory that belongs to neither the user of
	// the process nor root. What is lost: its owner can delete records, and can put
	// others or older ones in their place.
	InsecureOtherOwner bool
}

// Store is a storage.Store in one directory, with one file for each key. The
// package comment describes the directory. It is safe for concurrent use by
// goroutines and by the processes of one machine.
//
// A write survives a power failure once Put has returned. If the power fails
// earlier, the old value or the new value remains.
//
// Methods wait for the locks of other processes until ctx ends, and no longer.
// A system call that has begun is not interrupted.
type Store struct {
	*place
	shards [shardCount]*shard
	noSync bool
	done   chan struct{} // closed by Close
	close  func() error
}

var (
	_ storage.Store  = (*Store)(nil)
	_ storage.Lister = (*Store)(nil)
)

// Open returns the store in directory dir. It creates dir with mode 0700 if
// dir does not exist. Files have mode 0600. Open refuses a directory of another
// user, unless that user is root: run the program as the user of the directory.
// Nil options mean all defaults. Call [Store.Close] at the end.
func Open(dir string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	if dir == "" {
		return nil, errors.New("filestore: no directory: name one that outlives the program, and that only it uses")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	f := &Store{place: &place{dir: dir}, noSync: o.InsecureNoSync, done: make(chan struct{})}
	f.close = sync.OnceValue(f.shut)
	if err := f.open(o); err != nil {
		_ = f.Close() // the first error says more
		return nil, f.explain("open", err)
	}
	return f, nil
}

func (f *Store) open(o *Options) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	var err error
	if f.root, err = os.OpenRoot(f.dir); err != nil {
		return err
	}
	if f.self, err = f.root.Open("."); err != nil {
		return err
	}
	if f.info, err = f.self.Stat(); err != nil {
		return err
	}
	if !o.InsecureOtherOwner {
		if err := checkOwner(f.info); err != nil {
			return err
		}
	}
	for i := range f.shards {
		if f.shards[i], err = openShard(f.place, i); err != nil {
			return err
		}
	}
	f.syncParent()
	return nil
}

// syncParent makes the directory itself survive a power failure. A parent that
// this user may not read existed before Open.
func (f *Store) syncParent() {
	if f.noSync {
		return
	}
	parent, err := os.Open(filepath.Dir(f.dir))
	if err != nil {
		return
	}
	_ = syncDir(parent)
	_ = parent.Close()
}

// Close waits for writes that have begun, and closes all files. Other methods
// then return an error that wraps fs.ErrClosed. A second Close does nothing
// and returns the same error.
func (f *Store) Close() error { return f.close() }

func (f *Store) shut() error {
	close(f.done)
	var errs []error
	for _, s := range f.shards {
		if s != nil {
			s.turn <- struct{}{} // nobody returns it, so nobody locks a closed file
			errs = append(errs, s.file.Close())
		}
	}
	if f.self != nil {
		errs = append(errs, f.self.Close())
	}
	if f.root != nil {
		errs = append(errs, f.root.Close())
	}
	return errors.Join(errs...)
}

// Get implements storage.Store. If the file is damaged, it returns an error
// that wraps storage.ErrCorrupt.
func (f *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := storage.CheckCall(ctx, key); err != nil {
		return storage.Record{}, err
	}
	name := fileName(key)
	data, err := f.read(name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err == nil || missing {
		if err := f.check(); err != nil {
			return storage.Record{}, f.explain("get", err)
		}
	}
	if missing {
		return storage.Record{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Record{}, f.explain("get", err)
	}
	r, err := decodeFile(data)
	if err != nil {
		return storage.Record{}, f.corrupt(name, err)
	}
	return r, nil
}

// Put implements storage.Store. If the file is damaged, it writes nothing and
// returns an error that wraps storage.ErrCorrupt.
func (f *Store) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := storage.CheckCall(ctx, key); err != nil {
		return 0, err
	}
	if err := storage.CheckValue(value); err != nil {
		return 0, err
	}
	version := storage.NewVersion()
	err := f.change(ctx, "put", key, func(name string, s *shard) error {
		stored, err := f.version(name)
		if err != nil {
			return err
		}
		if stored != old {
			return storage.ErrConflict
		}
		return f.write(s, name, encodeFile(version, value))
	})
	if err != nil {
		return 0, err
	}
	return version, nil
}

// Delete implements storage.Store. If the file is damaged, it deletes nothing
// and returns an error that wraps storage.ErrCorrupt.
func (f *Store) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := storage.CheckCall(ctx, key); err != nil {
		return err
	}
	err := f.change(ctx, "delete", key, func(name string, s *shard) error {
		stored, err := f.version(name)
		switch {
		case err != nil:
			return err
		case stored == 0:
			return errUnchanged
		case stored != old:
			return storage.ErrConflict
		}
		if err := s.intact(); err != nil {
			return err
		}
		return f.root.Remove(name)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// errUnchanged ends a change that has nothing to do.
var errUnchanged = errors.New("filestore: unchanged")

// change calls do while no other goroutine or process changes the file of key,
// and makes the change durable.
//
// Other processes need not wait for the sync of the directory, which covers
// their renames too. Goroutines of this process do wait for it, so that
// processes that share a key take turns.
func (f *Store) change(ctx context.Context, op, key string, do func(name string, s *shard) error) error {
	s := f.shards[shardOf(key)]
	if err := s.lock(ctx, f.done); err != nil {
		if errors.Is(err, errGone) {
			err = f.explain(op, err)
		}
		return err
	}
	defer s.leave()
	err := do(fileName(key), s)
	if err == nil {
		err = s.intact() // otherwise another process may have written at the same time
	}
	if e := s.unlock(); err == nil {
		err = e
	}
	if err == nil && !f.noSync {
		err = syncDir(f.self)
	}
	return f.explain(op, err)
}
