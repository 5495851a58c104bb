package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/storage"
)

// TestMemorySlowWatcher changes more keys than a slow watcher can have pending.
// The watcher must receive a zero Change, and writers must not wait for it.
func TestMemorySlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storage.NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		gate, arrived := make(chan struct{}), []string{}
		ended := make(chan error, 1)
		go func() {
			ended <- m.Watch(ctx, func(c storage.Change) {
				arrived = append(arrived, c.Key)
				<-gate
			})
		}()
		synctest.Wait() // the watcher waits in its first call
		for i := range 5000 {
			put(t, m, fmt.Sprintf("k%d", i), "value", 0)
		}
		close(gate)
		synctest.Wait()
		put(t, m, "last", "value", 0)
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch() = %v, want %v", err, context.Canceled)
		}
		if got := strings.Join(arrived, ","); got != ",,last" {
			t.Errorf("changed was called with %.100q, want two empty keys and then last", got)
		}
	})
}

func TestCheckKeyHidesKey(t *testing.T) {
	const secret = "a token/which is no key"
	if err := storage.CheckKey(secret); !errors.Is(err, storage.ErrBadKey) || strings.Contains(err.Error(), "token") {
		t.Errorf("CheckKey(%q) = %v, want %v without the key", secret, err, storage.ErrBadKey)
	}
	if err := storage.CheckValue(make([]byte, storage.MaxValue)); err != nil {
		t.Errorf("CheckValue(MaxValue bytes) = %v, want no error", err)
	}
	if err := storage.CheckValue(make([]byte, storage.MaxValue+5<<10)); !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("CheckValue(5 KiB more) = %v, want %v", err, storage.ErrTooLarge)
	}
}
