package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// shardCount is the number of locks. Each key belongs to one of them. All
// processes must have the same shardCount and shardOf: both are part of the
// format of the directory.
const shardCount = 32

// Pauses between two attempts to take a lock that another process has. The
// first is shorter than a write takes, and the longest is about as long.
const (
	lockPollFirst = 100 * time.Microsecond
	lockPollMost  = 1 * time.Millisecond
)

// How long Keys first tries to take all locks, and how long it then leaves them
// to other callers.
const (
	lockAllFirst = 100 * time.Millisecond
	lockAllPause = 10 * time.Millisecond
)

// errClosed is the error of methods after Close.
var errClosed = fmt.Errorf("filestore: the store is closed: %w", fs.ErrClosed)

// shard is a lock for some of the keys. Goroutines of one process take turns
// before they ask for the lock of the file, so they need not poll.
//
// No process of this package deletes the file. The lock of a deleted file does
// not exclude the lock of a new file with the same name. If another program
// deletes it, the store notices when it takes the lock, and opens the new file.
// A write meanwhile ends with an error.
type shard struct {
	turn  chan struct{} // holds one element while a goroutine has the lock or waits for it
	place *place
	name  string // of the lock file
	temp  string // the temporary file; only the holder of the lock writes it

	file *os.File    // only the goroutine that holds the turn changes it
	info fs.FileInfo // of file
}

// openShard opens the lock file of shard i. It removes the temporary file of a
// process that died.
func openShard(p *place, i int) (*shard, error) {
	s := &shard{turn: make(chan struct{}, 1), place: p, name: fmt.Sprintf("lock-%02x", i), temp: fmt.Sprintf("temp-%02x", i)}
	if err := s.open(); err != nil {
		return nil, err
	}
	locked, err := tryLock(s.file)
	if err == nil && locked { // otherwise another process is writing it
		_ = p.root.Remove(s.temp) // it rarely exists
		err = unlock(s.file)
	}
	if err != nil {
		_ = s.file.Close()
		return nil, err
	}
	return s, nil
}

// open opens the lock file, which it creates if necessary.
func (s *shard) open() error {
	file, err := create(s.place.root, s.name)
	if errors.Is(err, fs.ErrExist) {
		file, err = openRegular(s.place.root, s.name, os.O_RDWR)
	}
	if errors.Is(err, errIrregular) {
		err = fmt.Errorf("filestore: %s: %w", filepath.Join(s.place.dir, s.name), err)
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // nothing was written
		return err
	}
	s.file, s.info = file, info
	return nil
}

// reopen opens the lock file that is there now.
func (s *shard) reopen() error {
	old := s.file
	if err := s.open(); err != nil {
		return err
	}
	return old.Close() // which also unlocks it
}

// errNoLock says that a lock file was deleted while a write was under way.
var errNoLock = errors.New("another program has deleted the lock files, so two processes may have written at the same time: " +
	"exclude the directory from cleaning; read again")

// intact returns an error unless the lock that is held still excludes others.
func (s *shard) intact() error {
	if err := s.place.check(); err != nil {
		return err
	}
	if !s.place.names(s.name, s.info) {
		return errNoLock
	}
	return nil
}

// lock waits for the turn and then for the lock, until ctx ends or done is
// closed. If it returns nil, call unlock and then leave.
func (s *shard) lock(ctx context.Context, done <-chan struct{}) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ended(ctx)
	case <-done:
		return errClosed
	}
	err := s.await(ctx, done)
	if err != nil {
		s.leave()
	}
	return err
}

// await tries to take the lock until it succeeds. It never blocks in the system
// call, which could not be interrupted.
func (s *shard) await(ctx context.Context, done <-chan struct{}) error {
	for wait := lockPollFirst; ; wait = min(2*wait, lockPollMost) {
		locked, err := tryLock(s.file)
		if err != nil {
			return fmt.Errorf("filestore: %s: %w", s.file.Name(), err)
		}
		if locked {
			if err = s.intact(); err == nil {
				return nil
			}
			if errors.Is(err, errNoLock) {
				err = s.reopen()
			}
			if err != nil {
				return errors.Join(err, unlock(s.file))
			}
		}
		if err := pause(ctx, done, wait); err != nil {
			return err
		}
	}
}

// pause waits until d has passed, ctx ends or done is closed.
func pause(ctx context.Context, done <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	case <-done:
		return errClosed
	}
}

func (s *shard) unlock() error { return unlock(s.file) }

func (s *shard) leave() { <-s.turn }

// errBusy ends the wait for a lock while others are held.
var errBusy = errors.New("filestore: a lock is busy")

// lockAll takes the locks of all shards.
//
// While it waits for one lock, writers wait for the locks that it already has.
// So after a short time it returns all of them, waits for the busy lock alone,
// and starts again. Each attempt may take twice as long as the one before.
// Otherwise it would never succeed where every write is slow.
func (f *Store) lockAll(ctx context.Context) error {
	for most := lockAllFirst; ; most *= 2 {
		busy, err := f.lockWithin(ctx, most)
		if !errors.Is(err, errBusy) {
			return err
		}
		if err := busy.lock(ctx, f.done); err != nil {
			return err
		}
		release([]*shard{busy})
		if err := pause(ctx, f.done, lockAllPause); err != nil {
			return err
		}
	}
}

// lockWithin takes the locks of all shards. If one of them is busy for too
// long, it returns that shard and errBusy, and takes none. The order is always
// the same, so two calls never wait for each other.
func (f *Store) lockWithin(ctx context.Context, most time.Duration) (*shard, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, most, errBusy)
	defer cancel()
	for i, s := range f.shards {
		if err := s.lock(ctx, f.done); err != nil {
			release(f.shards[:i])
			return s, err
		}
	}
	return nil, nil
}

// release returns the locks of shards. Nothing was written under them.
func release(shards []*shard) {
	for _, s := range shards {
		_ = s.unlock() // never fails while the file is open
		s.leave()
	}
}

// shardOf returns the shard of key: FNV-1a of its bytes.
func shardOf(key string) int {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int(h % shardCount)
}

// ended returns nil, or the error of a method whose ctx has ended.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("filestore: %w", context.Cause(ctx))
}
