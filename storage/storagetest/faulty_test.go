package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
)

var errDisk = errors.New("disk on fire")

// only returns a hook that injects fault into the n-th call of op.
func only(op string, n int, fault storagetest.Fault) func(string, string, int) storagetest.Fault {
	return func(o, _ string, i int) storagetest.Fault {
		if o == op && i == n {
			return fault
		}
		return storagetest.Fault{}
	}
}

func TestFaultyWithoutFaults(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store {
		return storagetest.NewFaulty(storage.NewMemory(), nil)
	}, &storagetest.Options{Swaps: 1000})
}

func TestFaultyErr(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for _, op := range []string{"Get", "Put", "Delete"} {
			t.Run(fmt.Sprint(op, applied), func(t *testing.T) {
				memory := storage.NewMemory()
				v, err := memory.Put(t.Context(), "k", []byte("old"), 0)
				if err != nil {
					t.Fatal(err)
				}
				f := storagetest.NewFaulty(memory, only(op, 1, storagetest.Fault{Err: errDisk, Applied: applied}))
				if err := call(t.Context(), f, op, v); !errors.Is(err, errDisk) {
					t.Errorf("%s = %v, want %v", op, err, errDisk)
				}
				if got, want := state(t, memory), after(op, applied); got != want {
					t.Errorf("after %s with Applied %t the store has %q, want %q", op, applied, got, want)
				}
				if got := f.Calls(op); got != 1 {
					t.Errorf("Calls(%q) = %d, want 1", op, got)
				}
			})
		}
	}
}

// call calls the method op.
func call(ctx context.Context, s storage.Store, op string, v storage.Version) error {
	switch op {
	case "Get":
		_, err := s.Get(ctx, "k")
		return err
	case "Put":
		_, err := s.Put(ctx, "k", []byte("new"), v)
		return err
	}
	return s.Delete(ctx, "k", v)
}

// state returns the stored value.
func state(t *testing.T, s storage.Store) string {
	t.Helper()
	r, err := s.Get(t.Context(), "k")
	if errors.Is(err, storage.ErrNotFound) {
		return "nothing"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Value())
}

// after returns the stored value after op, with or without its effect.
func after(op string, applied bool) string {
	switch {
	case applied && op == "Put":
		return "new"
	case applied && op == "Delete":
		return "nothing"
	}
	return "old"
}

func TestFaultyHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := storagetest.NewFaulty(storage.NewMemory(), func(string, string, int) storagetest.Fault {
			return storagetest.Fault{Hang: true}
		})
		for _, op := range []string{"Get", "Put", "Delete"} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errDisk)
			start := time.Now()
			err := call(ctx, f, op, 0)
			if took := time.Since(start); !errors.Is(err, errDisk) || took != time.Minute {
				t.Errorf("%s that hangs = %v after %v, want %v after a minute", op, err, took, errDisk)
			}
			cancel()
		}
	})
}

func TestFaultyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		f := storagetest.NewFaulty(storage.NewMemory(), only("Put", 1, storagetest.Fault{Wait: gate}))
		done := make(chan error, 1)
		go func() { done <- call(t.Context(), f, "Put", 0) }()
		synctest.Wait()
		if len(done) != 0 {
			t.Errorf("Put returned before Wait was closed")
		}
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("Put after Wait = %v, want no error", err)
		}
	})
}

func TestFaultyValue(t *testing.T) {
	memory := storage.NewMemory()
	if err := call(t.Context(), memory, "Put", 0); err != nil {
		t.Fatal(err)
	}
	f := storagetest.NewFaulty(memory, only("Get", 1, storagetest.Fault{Value: []byte("garbage")}))
	if got := state(t, f); got != "garbage" {
		t.Errorf("Get with Value = %q, want garbage", got)
	}
	if got := state(t, f); got != "new" {
		t.Errorf("the next Get = %q, want what is stored", got)
	}
}

func Example() {
	// The first write succeeds, but its caller does not learn it.
	store := storagetest.NewFaulty(storage.NewMemory(), func(op, key string, n int) storagetest.Fault {
		if op == "Put" && n == 1 {
			return storagetest.Fault{Err: errors.New("connection lost"), Applied: true}
		}
		return storagetest.Fault{}
	})
	ctx := context.Background()
	_, err := store.Put(ctx, "key", []byte("value"), 0)
	fmt.Println(err)
	r, err := store.Get(ctx, "key")
	fmt.Println(string(r.Value()), err)
	// Output:
	// connection lost
	// value <nil>
}
