//go:build linux

package filestore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
)

// hangs is how long anything may take. After that, a test reports that it
// hangs.
const hangs = 2 * time.Minute

// watchStore watches f. It returns where the changes arrive, and where the
// error of Watch arrives.
func watchStore(t *testing.T, f *filestore.Store) (arrived chan storage.Change, ended chan error) {
	arrived, ended = make(chan storage.Change), make(chan error, 1)
	ctx := t.Context()
	go func() {
		ended <- f.Watch(ctx, func(c storage.Change) {
			select {
			case arrived <- c:
			case <-ctx.Done():
			}
		})
	}()
	wantChange(t, arrived, storage.Change{})
	return arrived, ended
}

func wantChange(t *testing.T, arrived <-chan storage.Change, want storage.Change) {
	t.Helper()
	select {
	case got := <-arrived:
		if got != want {
			t.Fatalf("Watch() notifies of %v, want %v", got, want)
		}
	case <-time.After(hangs):
		t.Fatalf("Watch() does not notify of %v", want)
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	f, other := openStore(t, dir, nil), openStore(t, dir, nil)
	arrived, _ := watchStore(t, f)
	if err := os.WriteFile(filepath.Join(dir, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "README"), filepath.Join(dir, "NOTES")); err != nil { // no record: no change
		t.Fatal(err)
	}
	v := put(t, other, "k", "value", 0)
	wantChange(t, arrived, storage.Change{Key: "k", Version: v})
	if err := other.Delete(t.Context(), "k", v); err != nil {
		t.Fatal(err)
	}
	wantChange(t, arrived, storage.Change{Key: "k"})
	if err := os.WriteFile(filepath.Join(dir, "garbage"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "garbage"), recordFile(dir, "k")); err != nil {
		t.Fatal(err)
	}
	wantChange(t, arrived, storage.Change{Key: "k"})
}

// TestWatchOverflow makes more changes than the kernel keeps for a slow
// watcher.
func TestWatchOverflow(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || most > 100_000 {
		t.Skipf("the kernel remembers %s events", text)
	}
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	arrived, _ := watchStore(t, f)
	put(t, f, "a", "value", 0)
	a, b := recordFile(dir, "a"), recordFile(dir, "b")
	for range most + 1024 { // the watcher may read some hundred before it waits
		if err := os.Rename(a, b); err != nil {
			t.Fatal(err)
		}
		a, b = b, a
	}
	for limit := time.After(hangs); ; {
		select {
		case c := <-arrived:
			if c == (storage.Change{}) {
				return
			}
		case <-limit:
			t.Fatal("Watch() does not notify that it has missed something")
		}
	}
}

func TestWatchEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	f := openStore(t, dir, nil)
	_, ended := watchStore(t, f)
	if err := os.Rename(dir, dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := wantEnd(t, ended); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("Watch() of a directory that is moved = %v, want that it is gone", err)
	}
	if err := f.Watch(t.Context(), func(storage.Change) { t.Error("changed is called") }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Watch() of a directory that was moved = %v, want %v", err, fs.ErrNotExist)
	}
	moved := f
	f = openStore(t, dir, nil)
	if err := moved.Watch(t.Context(), func(storage.Change) { t.Error("changed is called") }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Watch() of another directory in its place = %v, want %v", err, fs.ErrNotExist)
	}
	_, ended = watchStore(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, "a running Watch", wantEnd(t, ended))
	wantClosed(t, "Watch", f.Watch(t.Context(), func(storage.Change) { t.Error("changed is called") }))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTired)
	if err := f.Watch(ctx, func(storage.Change) { t.Error("changed is called") }); !errors.Is(err, errTired) {
		t.Errorf("Watch(ended ctx) = %v, want its cause", err)
	}
}

func wantEnd(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(hangs):
		t.Fatal("Watch() did not return")
		return nil
	}
}

// TestWatchLimit uses all inotify instances that the kernel allows this user.
func TestWatchLimit(t *testing.T) {
	f := openStore(t, t.TempDir(), nil)
	var used []int
	defer func() {
		for _, fd := range used {
			_ = syscall.Close(fd)
		}
	}()
	for {
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, fd)
		if len(used) == 10_000 {
			t.Skip("there is hardly a limit")
		}
	}
	err := f.Watch(t.Context(), func(storage.Change) { t.Error("changed is called") })
	if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "raise fs.inotify.max_user_instances") {
		t.Errorf("Watch() = %v, want advice", err)
	}
}
