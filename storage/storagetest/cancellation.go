package storagetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
)

func cancellation() []part {
	return []part{
		{"CancelledBefore", testCancelledBefore},
		{"DeadlinePassed", testDeadlinePassed},
		{"CancelledAmongWriters", testCancelledAmongWriters},
	}
}

// errCause is the cause with which the suite cancels.
var errCause = errors.New("storagetest: cancelled on purpose")

// hangs is how long a method may run after its ctx has ended. After that, the
// suite reports that the method hangs. Only the tests of this package change
// it.
var hangs = 2 * time.Minute

func testCancelledBefore(t *testing.T, s *suite) {
	store := s.open(t)
	v := put(t, store, "k", "value", 0)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errCause)
	_, err := store.Get(ctx, "k")
	wantCause(t, "Get", err, errCause)
	_, err = store.Put(ctx, "k", []byte("late"), v)
	wantCause(t, "Put", err, errCause)
	_, err = store.Put(ctx, "new", []byte("late"), 0)
	wantCause(t, "Put", err, errCause)
	wantCause(t, "Delete", store.Delete(ctx, "k", v), errCause)
	want(t, store, "k", "value", v)
	wantNone(t, store, "new")
}

func testDeadlinePassed(t *testing.T, s *suite) {
	store := s.open(t)
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	_, err := store.Get(ctx, "k")
	wantCause(t, "Get", err, context.DeadlineExceeded)
	_, err = store.Put(ctx, "k", nil, 0)
	wantCause(t, "Put", err, context.DeadlineExceeded)
	wantCause(t, "Delete", store.Delete(ctx, "k", 0), context.DeadlineExceeded)
}

func wantCause(t *testing.T, call string, err, cause error) {
	t.Helper()
	if !errors.Is(err, cause) {
		t.Errorf("%s with an ended ctx = %v, want an error that wraps its cause %q", call, err, cause)
	}
}

// testCancelledAmongWriters cancels half of the writers of one key while all of
// them write. Each of those must return the cause. Every write that succeeded
// must be there.
func testCancelledAmongWriters(t *testing.T, s *suite) {
	store := s.open(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	const each, increments = 8, 10
	var stay, leave sync.WaitGroup
	for i := range each {
		leave.Go(func() {
			for {
				if err := increment(ctx, store, "k"); err != nil {
					wantCause(t, "increment", err, errCause)
					return
				}
			}
		})
		stay.Go(func() {
			for range increments {
				if err := increment(context.Background(), store, "k"); err != nil {
					t.Errorf("increment by writer %d = %v, want no error", i, err)
				}
			}
		})
	}
	stay.Wait()
	cancel(errCause)
	wantDone(t, &leave)
	r, err := store.Get(context.Background(), "k")
	if err != nil {
		t.Fatalf("Get() = %v, want no error", err)
	}
	if n, err := strconv.Atoi(string(r.Value())); err != nil || n < each*increments {
		t.Errorf("counter = %q, want at least %d", r.Value(), each*increments)
	}
}

// wantDone fails the test if wg hangs.
func wantDone(t *testing.T, wg *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(hangs):
		t.Fatalf("calls did not return within %v after their ctx ended", hangs)
	}
}

// increment adds one to the number under key by compare-and-swap, and repeats
// after a conflict.
func increment(ctx context.Context, s storage.Store, key string) error {
	for {
		r, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		n, err := strconv.Atoi("0" + string(r.Value()))
		if err != nil {
			return err
		}
		_, err = s.Put(ctx, key, []byte(strconv.Itoa(n+1)), r.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}
