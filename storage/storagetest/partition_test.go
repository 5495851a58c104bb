package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func TestPartitionOfOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storage.NewMemory()
		v, err := memory.Put(t.Context(), "k", []byte("old"), 0)
		if err != nil {
			t.Fatal(err)
		}
		network := newNetwork(t, memory, nil)
		a, b := network.Process("a"), network.Process("b")
		network.Partition("b")
		for _, kind := range []string{"Get", "Put", "Delete"} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errTimeout)
			start := time.Now()
			err := call(ctx, b, kind, v)
			if after := time.Since(start); !errors.Is(err, errTimeout) || after != time.Minute {
				t.Errorf("%s of a process that is cut off = %v after %v, want %v after 1m", kind, err, after, errTimeout)
			}
			cancel()
			wantState(t, a, "after a "+kind+" of a process that is cut off", "old")
		}
		network.Heal("b")
		network.Heal("b")
		if err := call(t.Context(), b, "Put", v); err != nil {
			t.Errorf("Put() after Heal = %v, want no error", err)
		}
		wantState(t, a, "after Heal", "new")
	})
}

// TestPartitionDuringACall cuts a process off while its request, or its answer,
// is under way.
func TestPartitionDuringACall(t *testing.T) {
	tests := []struct {
		name  string
		fault storagetest.Fault
		want  string
	}{
		{"request under way", storagetest.Fault{Delay: 2 * time.Second}, "nothing"},
		{"answer under way", storagetest.Fault{AnswerDelay: 2 * time.Second}, "new"},
		{"late effect", storagetest.Fault{Delay: 2 * time.Second, Err: errDisk, Late: time.Second}, "nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := storage.NewMemory()
				network := newNetwork(t, memory, func(storagetest.Op) storagetest.Fault { return tt.fault })
				time.AfterFunc(time.Second, func() { network.Partition("a") })
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errTimeout)
				defer cancel()
				if err := call(ctx, network.Process("a"), "Put", 0); !errors.Is(err, errTimeout) {
					t.Errorf("Put() = %v, want %v", err, errTimeout)
				}
				network.Close()
				wantState(t, memory, "after the partition", tt.want)
			})
		})
	}
}

// received collects the changes of a Watch with their times.
type received struct {
	start   time.Time
	changes []string
	ended   chan error
	cancel  context.CancelCauseFunc
}

// listen runs a Watch of s.
func listen(t *testing.T, s storage.Store) *received {
	ctx, cancel := context.WithCancelCause(t.Context())
	h := &received{start: time.Now(), ended: make(chan error, 1), cancel: cancel}
	go func() {
		h.ended <- s.(storage.Watcher).Watch(ctx, func(c storage.Change) {
			h.changes = append(h.changes, fmt.Sprintf("%s@%d after %v", c.Key, c.Version, time.Since(h.start)))
		})
	}()
	synctest.Wait()
	return h
}

// want ends the Watch and compares what it received.
func (h *received) want(t *testing.T, err error, changes ...string) {
	t.Helper()
	h.cancel(errTimeout)
	if got := <-h.ended; !errors.Is(got, err) {
		t.Errorf("Watch() = %v, want %v", got, err)
	}
	if got, want := strings.Join(h.changes, ", "), strings.Join(changes, ", "); got != want {
		t.Errorf("the Watch received %q, want %q", got, want)
	}
}

func write(t *testing.T, s storage.Store, key string) {
	t.Helper()
	if _, err := s.Put(t.Context(), key, nil, 0); err != nil {
		t.Errorf("Put(%q) = %v, want no error", key, err)
	}
	synctest.Wait()
}

func TestNotificationsAreDelayedLostAndReordered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := map[string]storagetest.Fault{"slow": {Delay: time.Minute}, "lost": {Hang: true}}
		network := newNetwork(t, storage.NewMemory(), func(op storagetest.Op) storagetest.Fault {
			if op.Kind == storagetest.Notify && op.Process == "a" {
				return faults[op.Key]
			}
			return storagetest.Fault{}
		})
		a, b := listen(t, network.Process("a")), listen(t, network.Process("b"))
		for _, key := range []string{"slow", "lost", "quick"} {
			write(t, network.Process("c"), key)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		a.want(t, errTimeout, "@0 after 0s", "quick@3 after 2s", "slow@1 after 1m0s")
		b.want(t, errTimeout, "@0 after 0s", "slow@1 after 0s", "lost@2 after 1s", "quick@3 after 2s")
	})
}

func TestNotificationsOfAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t, storage.NewMemory(), func(op storagetest.Op) storagetest.Fault {
			if op.Kind == storagetest.Notify && op.Key == "under-way" {
				return storagetest.Fault{Delay: time.Second}
			}
			return storagetest.Fault{}
		})
		a := listen(t, network.Process("a"))
		b := network.Process("b")
		write(t, b, "before")
		write(t, b, "under-way")
		network.Partition("a")
		write(t, b, "meanwhile")
		time.Sleep(time.Minute)
		network.Heal("a")
		synctest.Wait()
		write(t, b, "after")
		a.want(t, errTimeout, "@0 after 0s", "before@1 after 0s", "@0 after 1m0s", "after@4 after 1m0s")
	})
}

func TestWatchBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t, storage.NewMemory(), func(op storagetest.Op) storagetest.Fault {
			if op.Kind == storagetest.Watch && op.N == 1 || op.Kind == storagetest.Notify && op.Key == "k" {
				return storagetest.Fault{Err: errDisk}
			}
			return storagetest.Fault{}
		})
		a := network.Process("a")
		listen(t, a).want(t, errDisk)
		second := listen(t, a)
		write(t, network.Process("b"), "k")
		second.want(t, errDisk, "@0 after 0s")
		third := listen(t, a)
		third.want(t, errTimeout, "@0 after 0s")
	})
}

// brokenWatch is a store whose Watch breaks at once.
type brokenWatch struct{ storage.Store }

func (brokenWatch) Watch(context.Context, func(storage.Change)) error { return errDisk }

func TestWatchBreaksBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t, brokenWatch{storage.NewMemory()}, nil)
		listen(t, network.Process("a")).want(t, errDisk)
	})
}
