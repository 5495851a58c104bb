package filestore_test

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestOfRootThatMayNotGive writes as a root that may not change owners, as in
// some containers. It must not leave a record that the owner of the directory
// cannot read.
func TestOfRootThatMayNotGive(t *testing.T) {
	dir := theirStore(t)
	f := openStore(t, dir, nil)
	v := put(t, f, "k", "value", 0)
	var err error
	withoutChown(t, func() { _, err = f.Put(t.Context(), "k", []byte("new"), v) })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Put() = %v, want %v and the directory's name", err, fs.ErrPermission)
	}
	if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() after a write that failed = %q, %v, want value", r.Value(), err)
	}
	for name, got := range owners(t, dir) {
		if want := [2]uint32{somebody, somebody}; got != want || strings.HasPrefix(name, "temp-") {
			t.Errorf("%s belongs to %d, want %d, and no temporary file", name, got, want)
		}
	}
}

// withoutChown calls do without the capability CAP_CHOWN (capabilities(7)).
// Each thread has capabilities of its own.
func withoutChown(t *testing.T, do func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := struct{ version, pid uint32 }{version: 0x20080522}
	type sets [2]struct{ effective, permitted, inheritable uint32 }
	capability := func(call uintptr, data *sets) {
		t.Helper()
		if _, _, errno := syscall.RawSyscall(call, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(data)), 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	var all sets
	capability(syscall.SYS_CAPGET, &all)
	less := all
	less[0].effective &^= 1 << 0 // CAP_CHOWN
	capability(syscall.SYS_CAPSET, &less)
	defer capability(syscall.SYS_CAPSET, &all)
	do()
}
