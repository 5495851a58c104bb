//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package storage_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
)

var errTired = errors.New("tired of waiting")

// lockAll takes all locks of the store in dir, as another process might, until release is called.
func lockAll(t *testing.T, dir string) (release func()) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "lock-*"))
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

// TestFileWaits has another process hold the locks: writers must wait as long as their ctx allows and no longer, also
// those that wait behind another goroutine; readers must not wait.
func TestFileWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := storage.OpenFile(dir, nil)
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
		if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value) != "value" {
			t.Errorf("Get() while locked = %q, %v, want value", r.Value, err)
		}
		release()
		put(t, f, "k", "new", v)
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	})
}

// TestFileClosedWhileWaiting closes a store whose writers wait for a lock that nobody releases.
func TestFileClosedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := storage.OpenFile(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer lockAll(t, dir)()
		errs := make(chan error, 2)
		for range cap(errs) {
			go func() {
				_, err := f.Put(context.Background(), "k", nil, 0)
				errs <- err
			}()
		}
		time.Sleep(time.Minute) // of the bubble: both are waiting
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Put() in a closed store = %v, want %v", err, fs.ErrClosed)
			}
		}
	})
}

// TestFileAdvice checks that errors of the disk say what to do, and keep their cause.
func TestFileAdvice(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, nil)
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
