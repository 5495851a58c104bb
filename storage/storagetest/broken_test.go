package storagetest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// broken are stores that break the contract in one way each, and the subtests
// that must fail.
var broken = map[string]struct {
	open  func() storage.Store
	wants []string
}{
	"LostUpdate":     {func() storage.Store { return lostUpdate{storage.NewMemory()} }, []string{"NoUpdateLost"}},
	"BlindCreate":    {func() storage.Store { return blind{storage.NewMemory(), true} }, []string{"Create", "OneCreatorWins"}},
	"BlindSwap":      {func() storage.Store { return blind{storage.NewMemory(), false} }, []string{"Stale", "OneSwapWins"}},
	"AliasingIn":     {func() storage.Store { return &aliasing{in: true} }, []string{"CopiedIn"}},
	"AliasingOut":    {func() storage.Store { return &aliasing{out: true} }, []string{"CopiedOut"}},
	"VersionReuse":   {func() storage.Store { return &versionReuse{Store: storage.NewMemory()} }, []string{"VersionsNeverReturn"}},
	"IgnoresContext": {func() storage.Store { return ignoresContext{storage.NewMemory()} }, []string{"CancelledBefore", "DeadlinePassed"}},
	"HidesCause":     {func() storage.Store { return hidesCause{storage.NewMemory()} }, []string{"CancelledBefore"}},
	"FoldsCase":      {func() storage.Store { return foldsCase{storage.NewMemory()} }, []string{"KeysAreIndependent"}},
	"AnyKey":         {func() storage.Store { return anyKey{storage.NewMemory()} }, []string{"BadKeys"}},
	"TextOnly":       {func() storage.Store { return textOnly{storage.NewMemory()} }, []string{"Values"}},
	"CutsOff":        {func() storage.Store { return cutsOff{storage.NewMemory()} }, []string{"Values", "ValueTooLarge"}},
	"DeletesAny":     {func() storage.Store { return deletesAny{storage.NewMemory()} }, []string{"Delete", "Stale"}},
	"ForgetsKeys":    {func() storage.Store { return forgetsKeys{storage.NewMemory()} }, []string{"Lister"}},
	"DeafWatcher":    {func() storage.Store { return deafWatcher{storage.NewMemory()} }, []string{"Watcher"}},
	"WrongWatcher":   {func() storage.Store { return wrongWatcher{storage.NewMemory()} }, []string{"Watcher"}},
	"JoinsParts":     {func() storage.Store { return joinsParts{storage.NewMemory()} }, []string{"Namer"}},
	"StuckWatcher":   {func() storage.Store { return stuckWatcher{storage.NewMemory()} }, []string{"WatcherEnds"}},
}

const brokenEnv = "STORAGETEST_BROKEN"

// TestBrokenStores runs the suite on each broken store. Each run has a process
// of its own, because the suite must fail there.
func TestBrokenStores(t *testing.T) {
	if name := os.Getenv(brokenEnv); name != "" {
		storagetest.SetHangs(time.Second) // some of them do
		storagetest.Run(t, func(*testing.T) storage.Store { return broken[name].open() }, &storagetest.Options{Swaps: 1000})
		return
	}
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenStores$/^("+strings.Join(b.wants, "|")+")$", "-test.v")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed {
				t.Errorf("the suite on %s = %v, want it to fail", name, err)
			}
			for _, want := range b.wants {
				if !strings.Contains(string(out), "--- FAIL: TestBrokenStores/"+want+" ") {
					t.Errorf("%s on %s passes, want it to fail:\n%s", want, name, out)
				}
			}
		})
	}
}

func TestMemoryPasses(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory() }, &storagetest.Options{Swaps: 1000})
}

// lostUpdate compares and swaps in two steps.
type lostUpdate struct{ storage.Store }

func (s lostUpdate) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	r, err := s.Get(ctx, key)
	if err == nil && r.Version != old {
		return 0, storage.ErrConflict
	}
	runtime.Gosched()
	return overwrite(ctx, s.Store, key, value)
}

// blind overwrites where it should create, or where it should swap.
type blind struct {
	storage.Store
	create bool
}

func (s blind) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if s.create != (old == 0) {
		return s.Store.Put(ctx, key, value, old)
	}
	return overwrite(ctx, s.Store, key, value)
}

// overwrite stores value, whatever version is stored.
func overwrite(ctx context.Context, s storage.Store, key string, value []byte) (storage.Version, error) {
	for {
		r, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return 0, err
		}
		v, err := s.Put(ctx, key, value, r.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return v, err
		}
	}
}

// aliasing keeps the caller's slice, or returns its own.
type aliasing struct {
	in, out bool
	value   []byte
	version storage.Version
}

func (s *aliasing) Get(context.Context, string) (storage.Record, error) {
	if s.out {
		return storage.NewRecord(s.value, s.version), nil
	}
	return storage.NewRecord(append([]byte(nil), s.value...), s.version), nil
}

func (s *aliasing) Put(_ context.Context, _ string, value []byte, _ storage.Version) (storage.Version, error) {
	s.version++
	s.value = value
	if !s.in {
		s.value = append([]byte(nil), value...)
	}
	return s.version, nil
}

func (s *aliasing) Delete(context.Context, string, storage.Version) error { return nil }

// versionReuse counts versions from one again after a delete.
type versionReuse struct {
	storage.Store
	mu   sync.Mutex // guards base; never held across I/O
	base storage.Version
}

func (s *versionReuse) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	s.mu.Lock()
	base := s.base
	s.mu.Unlock()
	if old != 0 {
		old += base
	}
	v, err := s.Store.Put(ctx, key, value, old)
	if err != nil {
		return 0, err
	}
	return v - base, nil
}

func (s *versionReuse) Delete(ctx context.Context, key string, old storage.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.Store.Delete(ctx, key, old+s.base)
	if err == nil {
		s.base += old
	}
	return err
}

type ignoresContext struct{ storage.Store }

func (s ignoresContext) Get(_ context.Context, key string) (storage.Record, error) {
	return s.Store.Get(context.Background(), key)
}

func (s ignoresContext) Put(_ context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	return s.Store.Put(context.Background(), key, value, old)
}

func (s ignoresContext) Delete(_ context.Context, key string, old storage.Version) error {
	return s.Store.Delete(context.Background(), key, old)
}

// hidesCause returns ctx.Err() instead of the cause.
type hidesCause struct{ storage.Store }

func (s hidesCause) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := ctx.Err(); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

type foldsCase struct{ storage.Store }

func (s foldsCase) Get(ctx context.Context, key string) (storage.Record, error) {
	return s.Store.Get(ctx, strings.ToLower(key))
}

func (s foldsCase) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	return s.Store.Put(ctx, strings.ToLower(key), value, old)
}

// anyKey returns ErrNotFound for a bad key.
type anyKey struct{ storage.Store }

func (s anyKey) Get(ctx context.Context, key string) (storage.Record, error) {
	if storage.CheckKey(key) != nil {
		return storage.Record{}, storage.ErrNotFound
	}
	return s.Store.Get(ctx, key)
}

// textOnly loses bytes that are not UTF-8.
type textOnly struct{ storage.Store }

func (s textOnly) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	return s.Store.Put(ctx, key, []byte(strings.ToValidUTF8(string(value), "?")), old)
}

// cutsOff keeps no more than 64 KiB.
type cutsOff struct{ storage.Store }

func (s cutsOff) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	return s.Store.Put(ctx, key, value[:min(len(value), 64<<10)], old)
}

// deletesAny deletes a record, whatever version is stored.
type deletesAny struct{ storage.Store }

func (s deletesAny) Delete(ctx context.Context, key string, _ storage.Version) error {
	r, err := s.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, r.Version)
}

type forgetsKeys struct{ *storage.Memory }

func (s forgetsKeys) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range s.Memory.Keys(ctx) {
			if key != "k100" && !yield(key, err) {
				return
			}
		}
	}
}

// deafWatcher notifies of nothing after the zero Change.
type deafWatcher struct{ storage.Store }

func (deafWatcher) Watch(ctx context.Context, changed func(storage.Change)) error {
	changed(storage.Change{})
	<-ctx.Done()
	return context.Cause(ctx)
}

// wrongWatcher notifies of versions that never existed.
type wrongWatcher struct{ *storage.Memory }

func (s wrongWatcher) Watch(ctx context.Context, changed func(storage.Change)) error {
	return s.Memory.Watch(ctx, func(c storage.Change) {
		if c.Version != 0 {
			c.Version += 1000
		}
		changed(c)
	})
}

// stuckWatcher does not return when ctx ends.
type stuckWatcher struct{ storage.Store }

func (stuckWatcher) Watch(_ context.Context, changed func(storage.Change)) error {
	changed(storage.Change{})
	select {}
}

// joinsParts forgets where one part of a name ends and the next begins.
type joinsParts struct{ storage.Store }

func (joinsParts) Name(_ context.Context, _ string, parts ...string) (string, error) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:]), nil
}
