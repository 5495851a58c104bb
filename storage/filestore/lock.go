package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// shardCount is how many locks the keys share. All processes must agree on it and on shardOf: to change either is to
// change the format of the directory.
const shardCount = 32

// How long to wait before asking again for a lock that another process has: less than a write takes, then about as long.
const (
	lockPollFirst = 100 * time.Microsecond
	lockPollMost  = 1 * time.Millisecond
)

// How long Keys asks for all locks at first, and how long others have when it has given them back.
const (
	lockAllFirst = 100 * time.Millisecond
	lockAllPause = 10 * time.Millisecond
)

// errClosed is what methods return after Close.
var errClosed = fmt.Errorf("filestore: the store is closed: %w", fs.ErrClosed)

// shard is a lock for some of the keys. Its file is never deleted: who has the lock of a deleted file does not exclude
// who has that of its successor. Goroutines of one process take turns first, so that they need not poll.
type shard struct {
	turn chan struct{} // holds one element while a goroutine of this process has, or awaits, the file's lock
	file *os.File
	temp string // the name of the file to write before renaming; only the holder touches it
}

// openShard opens the lock file of shard i in root, which is dir, and removes what a process that died left behind.
func openShard(root *os.Root, dir *os.File, i int) (*shard, error) {
	file, err := openLock(root, dir, fmt.Sprintf("lock-%02x", i))
	if err != nil {
		return nil, err
	}
	s := &shard{turn: make(chan struct{}, 1), file: file, temp: fmt.Sprintf("temp-%02x", i)}
	locked, err := tryLock(file)
	if err == nil && locked { // else somebody is just writing it
		_ = root.Remove(s.temp) // there rarely is one
		err = unlock(file)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return s, nil
}

func openLock(root *os.Root, dir *os.File, name string) (*os.File, error) {
	file, err := create(root, dir, name)
	if errors.Is(err, fs.ErrExist) {
		return root.OpenFile(name, os.O_RDWR, 0)
	}
	return file, err
}

// lock waits for the turn and then for the lock, until ctx ends or done is closed. Call unlock and then leave.
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

// await asks for the lock until it has it. It never blocks in the system call, which could not be interrupted.
func (s *shard) await(ctx context.Context, done <-chan struct{}) error {
	for wait := lockPollFirst; ; wait = min(2*wait, lockPollMost) {
		locked, err := tryLock(s.file)
		if err != nil {
			return fmt.Errorf("filestore: %s: %w", s.file.Name(), err)
		}
		if locked {
			return nil
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

// lockAll takes the locks of all shards. While it waits for one, it holds up those who need another that it has already: so
// it soon gives them back, waits for the busy one alone, and starts over. It then asks for longer than before, since
// where every write is slow it would else never have them all.
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

// lockWithin takes the locks of all shards, or none of them and returns the one that was not to be had: with errBusy, if
// that took too long. The order is always the same, so that two lists never wait for each other.
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

// release gives back the locks of shards under which nothing was written.
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
