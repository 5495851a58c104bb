package testworld

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/authtrip/authtrip/storage"
)

// A HookedStore lets a test watch, fail and delay every operation of a store.
type HookedStore struct {
	storage.Store
	mu   sync.Mutex // guards hook; never held while hook is called
	hook func(ctx context.Context, op string) error
}

// On sets the hook, which is called before each operation. Nil removes it.
func (s *HookedStore) On(hook func(ctx context.Context, op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// call calls the hook.
func (s *HookedStore) call(ctx context.Context, op string) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, op)
}

// Get implements storage.Store.
func (s *HookedStore) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := s.call(ctx, "get"); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

// Put implements storage.Store.
func (s *HookedStore) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := s.call(ctx, "put"); err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, key, value, old)
}

// Delete implements storage.Store.
func (s *HookedStore) Delete(ctx context.Context, key string, old storage.Version) error {
	if err := s.call(ctx, "delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, old)
}

// ErrStore is how an operation fails that [Failing] names.
var ErrStore = errors.New("the disk is on fire")

// Failing returns a hook that fails the named operations: "get", "put" or
// "delete".
func Failing(ops ...string) func(context.Context, string) error {
	return func(_ context.Context, op string) error {
		if slices.Contains(ops, op) {
			return ErrStore
		}
		return nil
	}
}

// Hanging is a hook that never answers.
func Hanging(ctx context.Context, _ string) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
