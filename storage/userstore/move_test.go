package userstore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage/userstore"
)

// The key moves, and the records stay. Processes that have the store open go
// on.
func TestTheKeyMovesBetweenFileAndKeychain(t *testing.T) {
	c := &chain{missing: errors.New("no desktop yet")}
	with := &userstore.Options{Dir: t.TempDir(), Keys: c}
	running := open(t, with)
	put(t, running, "kept")
	c.set(func(c *chain) { c.missing = nil })
	for _, step := range []struct {
		name string
		to   userstore.KeySource
		says string
		keys int // in the keychain
	}{
		{"the keychain is there now", c, "in the keychain", 1},
		{"into the keychain again", c, "in the keychain", 1},
		{"into the file", nil, "in the file ", 0},
		{"into the file again", (*chain)(nil), "in the file ", 0},
		{"into the keychain once more", c, "in the keychain", 1},
	} {
		f := open(t, with)
		if err := f.MoveKey(t.Context(), step.to); err != nil {
			t.Fatalf("%s: MoveKey() = %v", step.name, err)
		}
		again := open(t, with)
		if !strings.HasPrefix(f.Key(), step.says) || again.Key() != f.Key() || c.len() != step.keys {
			t.Errorf("%s: Key() = %q and %q with %d keys in the keychain, want %q with %d", step.name, f.Key(), again.Key(), c.len(), step.says, step.keys)
		}
		if get(t, again) != "kept" || get(t, running) != "kept" {
			t.Errorf("%s: the record is %q and %q, want it as it was", step.name, get(t, again), get(t, running))
		}
		text, err := os.ReadFile(filepath.Join(with.Dir, "key"))
		if err != nil || strings.Contains(string(text), `"key":`) != (step.keys == 0) || strings.Contains(string(text), "no desktop") {
			t.Errorf("%s: the file is %s, %v", step.name, text, err)
		}
	}
	onlyTheUserReads(t, with.Dir)
}

// A process that died while it made the store has left a copy of the key.
func TestACopyOfTheKeyThatACrashHasLeft(t *testing.T) {
	o := &userstore.Options{Dir: t.TempDir()}
	f := open(t, o)
	left := filepath.Join(o.Dir, "key-123")
	if err := os.Link(filepath.Join(o.Dir, "key"), left); err != nil {
		t.Fatal(err)
	}
	if err := f.MoveKey(t.Context(), new(chain)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy of the key, after MoveKey: %v, want it gone", err)
	}
}

// A move that fails changes nothing.
func TestTheKeyDoesNotMove(t *testing.T) {
	for name, tt := range map[string]struct {
		chain *chain
		says  string
	}{
		"no keychain":           {&chain{missing: errors.New("no desktop")}, "no desktop: the key stays where it is"},
		"a locked keychain":     {&chain{locked: errors.New("the user pressed cancel")}, "pressed cancel"},
		"a keychain that loses": {&chain{forgets: true}, "does not return"},
	} {
		o := &userstore.Options{Dir: t.TempDir()}
		f := open(t, o)
		put(t, f, "kept")
		before := f.Key()
		err := f.MoveKey(t.Context(), tt.chain)
		if !errors.Is(err, userstore.ErrKeychain) || !strings.Contains(err.Error(), tt.says) || f.Key() != before {
			t.Errorf("%s: MoveKey() = %v, and the key is %s, want ErrKeychain that says %q, and no change", name, err, f.Key(), tt.says)
		}
		if got := get(t, open(t, o)); got != "kept" {
			t.Errorf("%s: afterwards the record is %q", name, got)
		}
	}
	o := &userstore.Options{Dir: t.TempDir()}
	f := open(t, o)
	if err := os.Remove(filepath.Join(o.Dir, "key")); err != nil {
		t.Fatal(err)
	}
	open(t, o) // the folder had no records: this is a new store
	if err := f.MoveKey(t.Context(), new(chain)); !errors.Is(err, userstore.ErrKey) {
		t.Errorf("MoveKey(another store is in the folder) = %v, want ErrKey", err)
	}
}

// The old key stays in a keychain that is locked again when the file has been
// written. The error names it, and the store works.
func TestTheKeyThatStaysInTheKeychain(t *testing.T) {
	c := &chain{}
	o := &userstore.Options{Dir: t.TempDir(), Keys: c}
	f := open(t, o)
	put(t, f, "kept")
	c.set(func(c *chain) { c.locked = errors.New("locked again") })
	if err := f.MoveKey(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "notes ") || !strings.HasPrefix(f.Key(), "in the file") {
		t.Errorf("MoveKey(a keychain that does not delete) = %v, and the key is %s, want the name of what is left", err, f.Key())
	}
	if got := get(t, open(t, &userstore.Options{Dir: o.Dir})); got != "kept" {
		t.Errorf("afterwards the record is %q", got)
	}
}

// Programs that start while the key moves find it.
func TestTheKeyMovesWhileProgramsStart(t *testing.T) {
	o := &userstore.Options{Dir: t.TempDir()}
	var c *moving
	c = &moving{move: func() {
		f := open(t, &userstore.Options{Dir: o.Dir, Keys: &c.chain})
		if err := f.MoveKey(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}}
	o.Keys = c
	put(t, open(t, o), "kept")
	c.armed = true
	if f := open(t, o); get(t, f) != "kept" || !strings.HasPrefix(f.Key(), "in the file") {
		t.Errorf("a program that starts meanwhile: the key is %s, want it in the file", f.Key())
	}
}

// moving is a keychain from which the key is moved away right before a program
// reads it.
type moving struct {
	chain
	armed bool
	once  sync.Once
	move  func()
}

func (m *moving) Key(ctx context.Context, name string) ([]byte, error) {
	if m.armed {
		m.once.Do(m.move)
	}
	return m.chain.Key(ctx, name)
}
