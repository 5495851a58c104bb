package userstore_test

import (
	"bytes"
	"context"
	"io/fs"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/storage/userstore"
)

// chain is a keychain in memory. It is safe for concurrent use.
type chain struct {
	mu   sync.Mutex // guards what follows
	keys map[string][]byte

	away map[string][]byte // keys that a test has taken out

	missing error         // no keychain
	locked  error         // of all methods but Available
	hangs   chan struct{} // all methods but Available wait until it is closed
	forgets bool          // Keep keeps nothing
	changes bool          // Keep keeps another key
}

var _ userstore.KeySource = (*chain)(nil)

func (c *chain) Available(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missing
}

// enter waits if the chain hangs, whatever ctx says.
func (c *chain) enter() error {
	c.mu.Lock()
	hangs, err := c.hangs, c.locked
	c.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	return err
}

func (c *chain) Key(_ context.Context, name string) ([]byte, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.keys[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(key), nil
}

func (c *chain) Keep(_ context.Context, name string, key []byte) error {
	if err := c.enter(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = map[string][]byte{}
	}
	if c.changes {
		key[0] ^= 1
	}
	if !c.forgets {
		c.keys[name] = key
	}
	return nil
}

func (c *chain) Forget(_ context.Context, name string) error {
	if err := c.enter(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, name)
	return nil
}

// set changes the chain.
func (c *chain) set(change func(*chain)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// len returns how many keys the chain holds.
func (c *chain) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys)
}

// open opens a store, and closes it at the end of the test.
func open(t *testing.T, o *userstore.Options) *userstore.Folder {
	t.Helper()
	f, err := userstore.Open(t.Context(), "notes", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// put writes a record, and get reads it.
func put(t *testing.T, f *userstore.Folder, value string) {
	t.Helper()
	if _, err := f.Store().Put(t.Context(), "record", []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, f *userstore.Folder) string {
	t.Helper()
	r, err := f.Store().Get(t.Context(), "record")
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Value())
}
