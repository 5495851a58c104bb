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

// Options are the rarer choices of Open. The zero value is the safe default.
type Options struct {
	// InsecureNoSync leaves out every fsync. Writes are some ten times faster and still survive the death of the
	// process, but after a power failure the last of them may be gone, or their files unreadable.
	InsecureNoSync bool
}

// Store is a storage.Store in one directory of a local disk, one file per key. Any number of goroutines and processes may share the
// directory; a network file system must have working file locks. Reads take no lock. A write is there after a power
// failure once Put has returned, or the old value is. Store is a storage.Lister, on Linux also a Watcher, and safe for concurrent use.
//
// Methods wait for the locks of other processes no longer than ctx lasts, but a system call that has begun is not
// interrupted. Values are stored as they are: put storage.Sealed above.
type Store struct {
	dir    string
	root   *os.Root
	self   *os.File // the directory, to sync it
	shards [shardCount]*shard
	noSync bool
	done   chan struct{} // closed by Close
	close  func() error
}

// Open returns the store in directory dir, which it creates with mode 0700 if need be. Files have mode 0600, and those
// that root makes belong to the owner and the group of the directory. Nil options mean all defaults. Call Close at the end.
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
	f := &Store{dir: dir, noSync: o.InsecureNoSync, done: make(chan struct{})}
	f.close = sync.OnceValue(f.shut)
	if err := f.open(); err != nil {
		_ = f.Close() // the first error says more
		return nil, f.explain("open", err)
	}
	return f, nil
}

func (f *Store) open() error {
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
	for i := range f.shards {
		if f.shards[i], err = openShard(f.root, f.self, i); err != nil {
			return err
		}
	}
	f.syncParent()
	return nil
}

// syncParent makes the directory itself outlive a power failure. A parent that we may not read was there before.
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

// Close waits for writes that have begun, and releases the directory. Other methods then return an error that wraps
// fs.ErrClosed. Closing again does nothing and returns the same.
func (f *Store) Close() error { return f.close() }

func (f *Store) shut() error {
	close(f.done)
	var errs []error
	for _, s := range f.shards {
		if s != nil {
			s.turn <- struct{}{} // for ever: nobody holds a lock when its file is closed, and nobody gets it again
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

// Get implements storage.Store. It returns an error that wraps storage.ErrCorrupt if the file is damaged.
func (f *Store) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := storage.CheckCall(ctx, key); err != nil {
		return storage.Record{}, err
	}
	name := fileName(key)
	data, err := f.read(name)
	if errors.Is(err, fs.ErrNotExist) {
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

// Put implements storage.Store. It returns an error that wraps storage.ErrCorrupt, and writes nothing, if the file is damaged.
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
		return f.write(s.temp, name, encodeFile(version, value))
	})
	if err != nil {
		return 0, err
	}
	return version, nil
}

// Delete implements storage.Store. It returns an error that wraps storage.ErrCorrupt, and deletes nothing, if the file is damaged.
func (f *Store) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := storage.CheckCall(ctx, key); err != nil {
		return err
	}
	err := f.change(ctx, "delete", key, func(name string, _ *shard) error {
		stored, err := f.version(name)
		switch {
		case err != nil:
			return err
		case stored == 0:
			return errUnchanged
		case stored != old:
			return storage.ErrConflict
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

// change calls do while nobody else, in this process or another, changes the file of key, and makes it durable.
func (f *Store) change(ctx context.Context, op, key string, do func(name string, s *shard) error) error {
	s := f.shards[shardOf(key)]
	if err := s.lock(ctx, f.done); err != nil {
		return err
	}
	// Other processes need not wait for the directory's sync, which covers their renames too; goroutines of this one do,
	// so that processes that share a key take turns.
	defer s.leave()
	err := do(fileName(key), s)
	if e := s.unlock(); err == nil {
		err = e
	}
	if err == nil && !f.noSync {
		err = syncDir(f.self)
	}
	return f.explain(op, err)
}
