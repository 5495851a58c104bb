package userstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/storage/userstore"
)

// R148: the records are sealed, with a key in the keychain, or in a file that
// only the user may read.
func TestOpenSealsTheRecords(t *testing.T) {
	for name, keychain := range map[string]*chain{"no keychain": nil, "a keychain": {}, "a keychain that is not available": {missing: errors.New("no D-Bus\nsession")}} {
		t.Run(name, func(t *testing.T) {
			o := &userstore.Options{Dir: filepath.Join(t.TempDir(), "new", "logins")}
			if keychain != nil {
				o.Keys = keychain
			}
			f := open(t, o)
			put(t, f, "a refresh token")
			if again := open(t, o); get(t, again) != "a refresh token" || again.Key() != f.Key() || again.Dir() != o.Dir {
				t.Errorf("opened again: key %q in %q, want %q in %q", again.Key(), again.Dir(), f.Key(), o.Dir)
			}
			inFile := keychain == nil || keychain.missing != nil
			if keychain != nil && keychain.len() > 0 == inFile {
				t.Errorf("the keychain holds %d keys", keychain.len())
			}
			want := map[bool]string{true: "in the file " + filepath.Join(o.Dir, "key"), false: "in the keychain"}[inFile]
			if keychain != nil && inFile {
				want += ", because the keychain was not available: no D-Bus session"
			}
			if f.Key() != want {
				t.Errorf("Key() = %q, want %q", f.Key(), want)
			}
			onlyTheUserReads(t, o.Dir)
		})
	}
}

// onlyTheUserReads checks modes, and that no file shows the record.
func onlyTheUserReads(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil || bytes.Contains(text, []byte("refresh")) {
			t.Errorf("file %s shows the record, or: %v", file.Name(), err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("file %s has mode %o, want 600", file.Name(), info.Mode().Perm())
		}
	}
}

func TestOpenUsesTheFolderOfTheUser(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, home)
	}
	if dir := open(t, nil).Dir(); !strings.HasPrefix(dir, home) || !strings.HasSuffix(dir, filepath.Join("notes", "logins")) {
		t.Errorf("Open(no options) is in %s, want notes/logins below %s", dir, home)
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, "")
	}
	if _, err := userstore.Open(t.Context(), "notes", nil); err == nil || !strings.Contains(err.Error(), "Options.Dir") {
		t.Errorf("Open(no home) = %v, want an error that names Options.Dir", err)
	}
}

func TestOpenRefusesNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "-a", ".a", "a b", "é", "a\n", strings.Repeat("a", 65), "a:b"} {
		if f, err := userstore.Open(t.Context(), name, &userstore.Options{Dir: t.TempDir()}); err == nil {
			t.Errorf("Open(%q) = nil, want an error", name)
			_ = f.Close()
		}
	}
}

// A store that cannot be opened is left as it is, and opens again when the key
// is back.
func TestAKeyThatIsNotThere(t *testing.T) {
	locked := errors.New("the collection is locked")
	back := func(c *chain) { c.keys = c.away }
	for name, tt := range map[string]struct {
		change, undo func(*chain)
		want         error
		says         string
	}{
		"locked":        {func(c *chain) { c.locked = locked }, func(c *chain) { c.locked = nil }, userstore.ErrKeychain, "unlock it"},
		"no answer":     {func(c *chain) { c.hangs = make(chan struct{}) }, func(c *chain) { close(c.hangs); c.hangs = nil }, userstore.ErrKeychain, "1m0s"},
		"no such key":   {func(c *chain) { c.keys, c.away = nil, c.keys }, back, userstore.ErrKey, "no such key"},
		"another key":   {func(c *chain) { c.replaceAll(make([]byte, 32)) }, back, userstore.ErrKey, "another one"},
		"a shorter key": {func(c *chain) { c.replaceAll(make([]byte, 31)) }, back, userstore.ErrKey, "another one"},
		"an empty key":  {func(c *chain) { c.replaceAll(nil) }, back, userstore.ErrKey, "another one"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &chain{}
			o := &userstore.Options{Dir: t.TempDir(), Keys: c}
			put(t, open(t, o), "kept")
			before := c.len()
			c.set(tt.change)
			wantError(t, name, o, tt.want, tt.says)
			c.set(tt.undo)
			if got := get(t, open(t, o)); got != "kept" || c.len() != before {
				t.Errorf("%s: afterwards the record is %q with %d keys in the keychain, want it as it was with %d", name, got, c.len(), before)
			}
		})
	}
}

// replaceAll puts another key in place of each one.
func (c *chain) replaceAll(key []byte) {
	c.away = c.keys
	c.keys = map[string][]byte{}
	for name := range c.away {
		c.keys[name] = key
	}
}

func wantError(t *testing.T, name string, o *userstore.Options, want error, says string) {
	t.Helper()
	f, err := userstore.Open(t.Context(), "notes", o)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
		t.Errorf("Open(%s) = %v, want %v that says %q", name, err, want, says)
	}
	if err == nil {
		_ = f.Close()
	}
}

// A keychain that fails when the store is new leaves a new store.
func TestAKeychainThatFailsAtFirst(t *testing.T) {
	for name, tt := range map[string]struct {
		chain *chain
		says  string
	}{
		"locked":            {&chain{locked: errors.New("the user pressed cancel")}, "pressed cancel"},
		"keeps nothing":     {&chain{forgets: true}, "does not return"},
		"keeps another key": {&chain{changes: true}, "does not return"},
		"answers never":     {&chain{hangs: make(chan struct{})}, "1m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &userstore.Options{Dir: t.TempDir(), Keys: tt.chain}
			hangs := tt.chain.hangs
			if hangs != nil {
				hangs = make(chan struct{}) // of this bubble
				tt.chain.hangs = hangs
				defer close(hangs)
			}
			wantError(t, name, o, userstore.ErrKeychain, tt.says)
			o.Keys = &chain{}
			if f := open(t, o); f.Key() != "in the keychain" {
				t.Errorf("%s: with a keychain that works, the key is %s", name, f.Key())
			}
		})
	}
}

func TestACallerThatLeaves(t *testing.T) {
	gone := errors.New("the user pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	hangs := make(chan struct{})
	defer close(hangs)
	c := &chain{hangs: hangs}
	cancel(gone)
	if _, err := userstore.Open(ctx, "notes", &userstore.Options{Dir: t.TempDir(), Keys: c}); !errors.Is(err, gone) {
		t.Errorf("Open(ended context) = %v, want its cause", err)
	}
}

// What is in the folder is not overwritten, whatever it is.
func TestAFolderThatIsNotWhole(t *testing.T) {
	write := func(text string, mode os.FileMode) func(string) error {
		return func(file string) error {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return err
			}
			return os.Chmod(file, mode)
		}
	}
	for name, tt := range map[string]struct {
		change func(file string) error
		want   error
		says   string
	}{
		"the file is missing": {os.Remove, userstore.ErrKey, "missing"},
		"a folder is in its place": {func(file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o700))
		}, userstore.ErrKey, "no file"},
		"the file is empty":           {write("", 0o600), userstore.ErrKey, "damaged"},
		"the file is cut off":         {write(`{"format":1,"kept":"fi`, 0o600), userstore.ErrKey, "damaged"},
		"the file is something else":  {write("hello", 0o600), userstore.ErrKey, "damaged"},
		"the file has another key":    {write(`{"format":1,"kept":"file","check":"00","key":"AAAA"}`, 0o600), userstore.ErrKey, "another one"},
		"the file is of another kind": {write(`{"format":1,"kept":"safe"}`, 0o600), userstore.ErrKey, "damaged"},
		"the file is of the future":   {write(`{"format":2}`, 0o600), userstore.ErrKey, "later version"},
		"everybody can read the file": {func(file string) error { return os.Chmod(file, 0o644) }, userstore.ErrKey, "0600"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if tt.says == "0600" && runtime.GOOS == "windows" {
				return
			}
			o := &userstore.Options{Dir: t.TempDir()}
			put(t, open(t, o), "kept")
			file := filepath.Join(o.Dir, "key")
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.change(file); err != nil {
				t.Fatal(err)
			}
			wantError(t, name, o, tt.want, tt.says)
			_ = os.Remove(file)
			if err := errors.Join(os.WriteFile(file, good, 0o600), os.Chmod(file, 0o600)); err != nil {
				t.Fatal(err)
			}
			if got := get(t, open(t, o)); got != "kept" {
				t.Errorf("%s: afterwards the record is %q", name, got)
			}
		})
	}
}

func TestAKeyInAKeychainThatTheProgramDoesNotUse(t *testing.T) {
	o := &userstore.Options{Dir: t.TempDir(), Keys: &chain{}}
	open(t, o)
	wantError(t, "no Keys any more", &userstore.Options{Dir: o.Dir}, userstore.ErrKeychain, "Options.Keys")
}

// All that start for the first time at once use one key. Names of keys in the
// keychain that nobody will look for are gone.
func TestFirstStartsAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		chain *chain
		links bool
	}{
		"in a file": {nil, true}, "in the keychain": {&chain{}, true},
		"in a file without links": {nil, false}, "in the keychain without links": {&chain{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if !tt.links {
				t.Cleanup(userstore.WithoutLinks())
			}
			o := &userstore.Options{Dir: t.TempDir()}
			if tt.chain != nil {
				o.Keys = tt.chain
			}
			var wg sync.WaitGroup
			begin := make(chan struct{})
			folders := make([]*userstore.Folder, 8)
			for i := range folders {
				wg.Go(func() {
					<-begin
					folders[i] = open(t, o)
				})
			}
			close(begin)
			wg.Wait()
			put(t, folders[0], "one key")
			for i, f := range folders {
				if got := get(t, f); got != "one key" {
					t.Errorf("store %d: %q", i, got)
				}
			}
			if tt.chain != nil && tt.chain.len() != 1 {
				t.Errorf("the keychain holds %d keys, want 1", tt.chain.len())
			}
		})
	}
}
