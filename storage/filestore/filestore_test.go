package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
)

// recordFile returns the path of the file of key.
func recordFile(dir, key string) string { return filepath.Join(dir, filestore.FileName(key)) }

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.Join(t.TempDir(), "new", "store")
	f := openStore(t, dir, nil)
	v := put(t, f, "k", "value", 0)
	put(t, f, "k", "again", v)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v, want 0700", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", e.Name(), info.Mode(), err)
		}
		if strings.HasPrefix(e.Name(), "temp-") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, dir, want string }{
		{"no name", "", "name one"},
		{"a file", plain, "not a directory"},
		{"below a file", filepath.Join(plain, "store"), "not a directory"},
	}
	for _, tt := range tests {
		f, err := filestore.Open(tt.dir, nil)
		if f != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%s) = %v, %v, want an error with %q", tt.name, f, err, tt.want)
		}
	}
}

func TestUnwritable(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("the user may write everywhere")
	}
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	v := put(t, f, "k", "value", 0)
	if err := os.Chmod(dir, 0o500); err != nil { //nolint:gosec // a directory
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	_, err := f.Put(t.Context(), "k", []byte("new"), v)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "let this user") {
		t.Errorf("Put() into a directory without permission = %v, want advice", err)
	}
	if r, err := f.Get(t.Context(), "k"); err != nil || string(r.Value()) != "value" {
		t.Errorf("Get() = %q, %v, want the old value", r.Value(), err)
	}
}

func TestClose(t *testing.T) {
	f, err := filestore.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, f, "k", "value", 0)
	for range 2 {
		if err := f.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
	}
	_, err = f.Get(t.Context(), "k")
	wantClosed(t, "Get", err)
	_, err = f.Put(t.Context(), "k", nil, 0)
	wantClosed(t, "Put", err)
	wantClosed(t, "Delete", f.Delete(t.Context(), "k", 0))
	for _, err := range f.Keys(t.Context()) {
		wantClosed(t, "Keys", err)
	}
}

func wantClosed(t *testing.T, call string, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrClosed) || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("%s after Close = %v, want %v", call, err, fs.ErrClosed)
	}
}

// TestClosedWhileWriting closes a store while goroutines write. Each write must
// succeed or fail because the store is closed. Each write that succeeded must
// be there.
func TestClosedWhileWriting(t *testing.T) {
	dir := t.TempDir()
	f, err := filestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := make(chan int)
	for w := range 4 {
		go func() {
			key := string(rune('a' + w))
			var v storage.Version
			for n := 1; ; n++ {
				next, err := f.Put(context.Background(), key, bytes.Repeat([]byte("x"), n), v)
				if err != nil {
					wantClosed(t, "Put", err)
					last <- n - 1
					return
				}
				if v = next; n == 5 && w == 0 {
					go f.Close() //nolint:errcheck // checked by the second Close
				}
			}
		}()
	}
	total := 0
	for range 4 {
		total += <-last
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close() = %v, want no error", err)
	}
	again, got := openStore(t, dir, nil), 0
	for _, key := range []string{"a", "b", "c", "d"} {
		if r, err := again.Get(t.Context(), key); err == nil {
			got += len(r.Value())
		} else if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Get(%q) = %v, want no error", key, err)
		}
	}
	if got != total {
		t.Errorf("%d writes are there after Close, want the %d that succeeded", got, total)
	}
}

// TestCorrupt damages a file in many ways. No method may read, overwrite or
// delete it.
func TestCorrupt(t *testing.T) {
	good := filestore.Encode(7, []byte("value"))
	damage := map[string][]byte{
		"empty":          nil,
		"garbage":        []byte("this is some other file, and not a record of ours"),
		"short header":   good[:10],
		"no value":       good[:24],
		"cut":            good[:len(good)-1],
		"too long":       append(bytes.Clone(good), 0),
		"much too long":  append(bytes.Clone(good), make([]byte, 3<<20)...),
		"other magic":    append([]byte("X"), good[1:]...),
		"newer format":   changed(good, 7),
		"other version":  changed(good, 8),
		"other length":   changed(good, 16),
		"other checksum": changed(good, 20),
		"other value":    changed(good, 25),
		"zeros":          make([]byte, len(good)),
	}
	for name, data := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := openStore(t, dir, nil)
			if err := os.WriteFile(recordFile(dir, "k"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := f.Get(t.Context(), "k")
			if !errors.Is(err, storage.ErrCorrupt) || r.Value() != nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("Get() = %v, %v, want %v and the file's name", r, err, storage.ErrCorrupt)
			}
			if v, err := f.Put(t.Context(), "k", []byte("new"), 0); err == nil {
				t.Errorf("Put() = %d, want an error", v)
			}
			if err := f.Delete(t.Context(), "k", 0); err == nil {
				t.Errorf("Delete() = nil, want an error")
			}
			if after, err := os.ReadFile(recordFile(dir, "k")); err != nil || !bytes.Equal(after, data) {
				t.Errorf("the damaged file was changed: %v", err)
			}
		})
	}
}

// changed returns data with another byte at i.
func changed(data []byte, i int) []byte {
	data = bytes.Clone(data)
	data[i] ^= 0x55
	return data
}

// TestMoved gives the file of one key the name of another. The store cannot
// notice this, but a sealed store must.
func TestMoved(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	s := sealedStore(t, f, newKeys(t))
	put(t, s, "alice", "of alice", 0)
	if err := os.Rename(recordFile(dir, "alice"), recordFile(dir, "bob")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "bob"); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("Get() of a moved file = %v, want %v", err, seal.ErrTampered)
	}
}

// TestLeftovers creates the temporary files of a process that died, and files
// that are not of the store.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	v := put(t, f, "k", "value", 0)
	var temps []string
	for i := range 32 {
		temps = append(temps, filepath.Join(dir, "temp-"+string("0123456789abcdef"[i/16])+string("0123456789abcdef"[i%16])))
	}
	plant := func(names ...string) {
		for _, name := range names {
			if err := os.WriteFile(name, []byte("half a record that is longer than the next one"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	plant(temps...)
	plant(filepath.Join(dir, "README"), filepath.Join(dir, "k-"), filepath.Join(dir, "k-zzzz"), filepath.Join(dir, "K-D4"))
	for key, err := range f.Keys(t.Context()) {
		if key != "k" || err != nil {
			t.Errorf("Keys() yields %q, %v, want only k", key, err)
		}
	}
	v = put(t, f, "k", "short", v)
	if r, err := openStore(t, dir, nil).Get(t.Context(), "k"); err != nil || string(r.Value()) != "short" || r.Version != v {
		t.Errorf("Get() after a leftover was overwritten = %q, %v, want short", r.Value(), err)
	}
	for _, name := range temps {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there after Open: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "README")); err != nil {
		t.Errorf("Open removed a file that is none of its own: %v", err)
	}
}

func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, key := range []string{"a", "A", "aa", "aA", "Aa", "AA", ".", "..", "con", "CON", "a.", "a", strings.Repeat("Z", 128), strings.Repeat("z", 128)} {
		name := filestore.FileName(key)
		folded := strings.ToLower(name)
		if other, taken := seen[folded]; taken && other != key {
			t.Errorf("FileName(%q) = FileName(%q) = %q on a file system without case", key, other, name)
		}
		seen[folded] = key
		if len(name) > 255 || strings.ContainsAny(name, `./\:`) {
			t.Errorf("FileName(%q) = %q, want at most 255 bytes without special signs", key, name)
		}
		if back, ok := filestore.KeyOf(name); !ok || back != key {
			t.Errorf("KeyOf(%q) = %q, %t, want %q", name, back, ok, key)
		}
	}
}

// FuzzFormat decodes arbitrary bytes. This must not panic, and must only accept
// what encodes to the same bytes.
func FuzzFormat(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("authtrp"))
	f.Add(filestore.Encode(1, nil))
	f.Add(filestore.Encode(1<<63, []byte("value")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := filestore.Decode(data); err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("Decode() = %v, want an error that wraps %v", err, storage.ErrCorrupt)
			}
		} else if again := filestore.Encode(r.Version, r.Value()); !bytes.Equal(again, data) {
			t.Errorf("Decode accepts %x, which is not what Encode writes: %x", data, again)
		}
		r, err := filestore.Decode(filestore.Encode(42, data))
		if err != nil || r.Version != 42 || !bytes.Equal(r.Value(), data) {
			t.Errorf("Decode(Encode(42, %x)) = %x, %d, %v", data, r.Value(), r.Version, err)
		}
	})
}
