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

// Watch implements storage.Watcher, on Linux only, by inotify(7), which hears nothing of what other machines do to a network file
// system. It tells of a change as soon as Get sees it, which is a little before it is durable. It returns when ctx ends, when
// the store is closed, or when somebody moves the directory away.
func (f *Store) Watch(ctx context.Context, changed func(storage.Change)) error {
	if err := ended(ctx); err != nil {
		return err
	}
	events, err := f.events()
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("filestore: watch in %s: raise fs.inotify.max_user_instances or max_user_watches: %w", f.dir, err)
	case err != nil:
		return f.explain("watch", err)
	}
	defer func() { _ = events.Close() }() // perhaps closed already
	returned := make(chan struct{})
	defer close(returned)
	go func() { // ends the Read
		select {
		case <-ctx.Done():
		case <-f.done:
		case <-returned:
		}
		_ = events.Close()
	}()
	changed(storage.Change{})
	err = f.tell(events, changed)
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, fs.ErrClosed):
		return errClosed
	}
	return f.explain("watch", err)
}

// events returns what reads as a sequence of inotify events: records that come to be, and records that go.
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
	if err := f.unmoved(); err != nil {
		_ = events.Close()
		return nil, err
	}
	return events, nil
}

// unmoved returns an error if another directory has taken the place of the one that is open.
func (f *Store) unmoved() error {
	there, err := os.Stat(f.dir)
	if err != nil {
		return err
	}
	ours, err := f.self.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(there, ours) {
		return errGone
	}
	return nil
}

var errGone = fmt.Errorf("the directory is gone: %w", fs.ErrNotExist)

// tell tells what events say until they end, and returns why.
func (f *Store) tell(events *os.File, changed func(storage.Change)) error {
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
				version, err := f.version(event.name) // of the latest change: those before it need not be told
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

// inotifyEvents decodes what was read: for each event the watch, the mask, a cookie and the length of the name, 4 bytes each,
// and the name, filled up with zeros.
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
