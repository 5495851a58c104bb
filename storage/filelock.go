package storage

import (
	"context"
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

// errClosed is what methods return after Close.
var errClosed = fmt.Errorf("storage: the store is closed: %w", fs.ErrClosed)

// shard is a lock for some of the keys. Its file is never deleted: who has the lock of a deleted file does not exclude
// who has that of its successor. Goroutines of one process take turns first, so that they need not poll.
type shard struct {
	turn chan struct{} // holds one element while a goroutine of this process has, or awaits, the file's lock
	file *os.File
	temp string // the name of the file to write before renaming; only the holder touches it
}

// openShard opens the lock file of shard i, and removes what a process that died left behind.
func openShard(root *os.Root, i int) (*shard, error) {
	file, err := root.OpenFile(fmt.Sprintf("lock-%02x", i), os.O_RDWR|os.O_CREATE, 0o600)
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
			return fmt.Errorf("storage: %s: %w", s.file.Name(), err)
		}
		if locked {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ended(ctx)
		case <-done:
			timer.Stop()
			return errClosed
		}
	}
}

func (s *shard) unlock() error { return unlock(s.file) }

func (s *shard) leave() { <-s.turn }

// shardOf returns the shard of key: FNV-1a of its bytes.
func shardOf(key string) int {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int(h % shardCount)
}
