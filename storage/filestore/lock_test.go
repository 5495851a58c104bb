//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
)

var errTired = errors.New("tired of waiting")

// lockAll takes all locks of the store in dir until release is called, as
// another process might.
func lockAll(t *testing.T, dir string) (release func()) {
	t.Helper()
	return lock(t, dir, "lock-*")
}

// lockFor is lockAll for the lock of key.
func lockFor(t *testing.T, dir, key string) (release func()) {
	t.Helper()
	return lock(t, dir, fmt.Sprintf("lock-%02x", filestore.ShardOf(key)))
}

func lock(t *testing.T, dir, pattern string) (release func()) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no lock files: %v", err)
	}
	var files []*os.File
	for _, name := range names {
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatalf("locking %s: %v", name, err)
		}
		files = append(files, file)
	}
	return func() {
		for _, file := range files {
			_ = file.Close()
		}
	}
}

// TestWaits lets another process hold the locks. Writers must wait until their
// ctx ends and no longer, also behind another goroutine. Readers must not wait.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := filestore.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		v := put(t, f, "k", "value", 0)
		release := lockAll(t, dir)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTired)
		defer cancel()
		start := time.Now()
		errs := make(chan error, 4)
		for range 2 {
			go func() {
				_, err := f.Put(ctx, "k", []byte("new"), v)
				errs <- err
			}()
		}
		go func() { errs <- f.Delete(ctx, "k", v) }()
		go func() {
			for _, err := range f.Keys(ctx) {
				errs <- err
			}
		}()
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, errTired) {
				t.Errorf("a call that waits for a lock = %v, want %v", err, errTired)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("calls waited %v, want 1s", took)
		}
		if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
			t.Errorf("Get() while locked = %q, %v, want value", r.Value(), err)
		}
		release()
		put(t, f, "k", "new", v)
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	})
}

// TestKeysDelaysNoWriter lets another process stop in the middle of a write.
// Keys must wait for it until ctx ends. Writers of other keys must not wait for
// Keys.
func TestKeysDelaysNoWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := openStore(t, dir, nil)
		stuck, other := "k3", "k0"
		if filestore.ShardOf(other) >= filestore.ShardOf(stuck) {
			t.Fatal("Keys must have the lock of one key when it finds that of the other taken")
		}
		put(t, f, stuck, "value", 0)
		release := lockFor(t, dir, stuck)

		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errTired)
		defer cancel()
		start := time.Now()
		if _, err := list(ctx, f); !errors.Is(err, errTired) || time.Since(start) != time.Minute {
			t.Errorf("Keys() of a locked store = %v after %v, want %v after 1m", err, time.Since(start), errTired)
		}

		listed := make(chan []string)
		go func() {
			keys, err := list(t.Context(), f)
			if err != nil {
				t.Errorf("Keys() = %v, want no error", err)
			}
			listed <- keys
		}()
		synctest.Wait() // until it has the locks that are to be had
		var v storage.Version
		for range 100 {
			start := time.Now()
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errTired)
			next, err := f.Put(ctx, other, []byte("value"), v)
			cancel()
			if took := time.Since(start); err != nil || took > time.Second {
				t.Fatalf("Put() beside Keys = %v after %v, want no error within 1s", err, took)
			}
			v = next
		}
		release()
		if keys := <-listed; len(keys) != 2 {
			t.Errorf("Keys() = %q, want %q and %q", keys, other, stuck)
		}
	})
}

// TestKeysAmongSlowWriters lets another process hold each lock most of the
// time, but never for long. Keys must end.
func TestKeysAmongSlowWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := openStore(t, dir, nil)
		put(t, f, "k", "value", 0)
		names, err := filepath.Glob(filepath.Join(dir, "lock-*"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errTired)
		var writers sync.WaitGroup
		for i, name := range names {
			writers.Go(func() { writeSlowly(ctx, t, name, time.Duration(50+i*17%32*3)*time.Millisecond) })
		}
		synctest.Wait() // until they have them all
		if keys, err := list(ctx, f); err != nil || len(keys) != 1 {
			t.Errorf("Keys() = %q, %v, want one", keys, err)
		}
		cancel()
		writers.Wait()
	})
}

// writeSlowly repeatedly takes a lock for the time of a write, and then
// releases it for 5 ms.
func writeSlowly(ctx context.Context, t *testing.T, name string, write time.Duration) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = file.Close() }() // only locked
	for ctx.Err() == nil {
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			time.Sleep(write) // of the bubble
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// list returns what Keys yields.
func list(ctx context.Context, f *filestore.Store) ([]string, error) {
	var keys []string
	for key, err := range f.Keys(ctx) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// TestClosedWhileWaiting closes a store while calls wait for a lock that is
// never released.
func TestClosedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := filestore.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer lockAll(t, dir)()
		errs := make(chan error, 3)
		for range 2 {
			go func() {
				_, err := f.Put(context.Background(), "k", nil, 0)
				errs <- err
			}()
		}
		go func() {
			_, err := list(context.Background(), f)
			errs <- err
		}()
		time.Sleep(time.Minute) // of the bubble: all are waiting
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, fs.ErrClosed) {
				t.Errorf("a call in a closed store = %v, want %v", err, fs.ErrClosed)
			}
		}
	})
}

// TestAdvice checks that errors of the disk say what to do, and wrap their
// cause.
func TestAdvice(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	tests := []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "free some space"},
		{syscall.EDQUOT, "free some space"},
		{syscall.EROFS, "read-only"},
		{syscall.EACCES, "let this user"},
		{syscall.EMFILE, "limit of open files"},
		{errors.ErrUnsupported, "local disk"},
		{syscall.EIO, "input/output error"},
	}
	for _, tt := range tests {
		err := f.Explain(&fs.PathError{Op: "write", Path: "temp-00", Err: tt.err})
		if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("the error of %v = %v, want %q, the directory and the cause", tt.err, err, tt.want)
		}
	}
}
