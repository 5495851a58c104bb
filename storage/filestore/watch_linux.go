package filestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"syscall"

	"github.com/authtrip/authtrip/storage"
)

// Watch implements storage.Watcher, with inotify(7). It exists on Linux only.
// On a network file system it misses the changes that other machines make.
//
// A change arrives as soon as Get sees it, which is shortly before the change
// is durable. Watch returns when ctx ends, when the store is closed, or when
// the directory is renamed. If the directory is deleted, or one above it is
// renamed, only the other methods notice.
func (f *Store) Watch(ctx context.Context, changed func(storage.Change)) error {
	if err := ended(ctx); err != nil {
		return err
	}
	events, err := f.events()
	switch {
	case errors.Is(err, syscall.EMFILE) && noDescriptors():
		return f.explain("watch", err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("filestore: watch in %s: raise fs.inotify.max_user_instances or max_user_watches: %w", f.dir, err)
	case err != nil:
		return f.explain("watch", err)
	}
	defer func() { _ = events.Close() }() // perhaps closed already
	returned := make(chan struct{})
	defer close(returned)
	go func() { // closing the file ends the Read
		select {
		case <-ctx.Done():
		case <-f.done:
		case <-returned:
		}
		_ = events.Close()
	}()
	changed(storage.Change{})
	err = f.notify(events, changed)
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, fs.ErrClosed):
		return errClosed
	}
	return f.explain("watch", err)
}

// noDescriptors reports whether the process can open no more files. The kernel
// has the same error for too many instances of inotify.
func noDescriptors() bool {
	file, err := os.Open(os.DevNull)
	if err != nil {
		return true
	}
	_ = file.Close() // nothing was read
	return false
}

// events returns a file from which the inotify events of the directory are
// read: files that are renamed into it, and files that are deleted.
func (f *Store) events() (*os.File, error) {
	select {
	case <-f.done:
		return nil, fs.ErrClosed
	default:
	}
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	const mask = syscall.IN_MOVED_TO | syscall.IN_DELETE | syscall.IN_MOVE_SELF | syscall.IN_ONLYDIR
	if _, err := syscall.InotifyAddWatch(fd, f.dir, mask); err != nil {
		_ = events.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	if err := f.check(); err != nil {
		_ = events.Close()
		return nil, err
	}
	return events, nil
}

// notify calls changed for each event until reading fails, and returns the
// error.
func (f *Store) notify(events *os.File, changed func(storage.Change)) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := events.Read(buf)
		if err != nil {
			return err
		}
		for event := range inotifyEvents(buf[:n]) {
			switch {
			case event.mask&syscall.IN_Q_OVERFLOW != 0:
				changed(storage.Change{})
			case event.mask&(syscall.IN_IGNORED|syscall.IN_MOVE_SELF) != 0:
				return errGone
			}
			if key, ok := keyOf(event.name); ok {
				version, err := f.version(event.name) // of the latest change, which replaces earlier ones
				if err != nil {
					version = 0
				}
				changed(storage.Change{Key: key, Version: version})
			}
		}
	}
}

type inotifyEvent struct {
	mask uint32
	name string
}

// inotifyEvents decodes events. Each event consists of the watch, the mask, a
// cookie and the length of the name, with 4 bytes each, and of the name, which
// is padded with zeros.
func inotifyEvents(data []byte) iter.Seq[inotifyEvent] {
	return func(yield func(inotifyEvent) bool) {
		for len(data) >= syscall.SizeofInotifyEvent {
			mask := binary.NativeEndian.Uint32(data[4:])
			end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(data[12:]))
			name := strings.TrimRight(string(data[syscall.SizeofInotifyEvent:end]), "\x00")
			if data = data[end:]; !yield(inotifyEvent{mask, name}) {
				return
			}
		}
	}
}
