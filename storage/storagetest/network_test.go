package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
)

func TestNetworkWithoutFaults(t *testing.T) {
	var network *storagetest.Network
	storagetest.Run(t, func(*testing.T) storage.Store {
		network = storagetest.NewNetwork(storage.NewMemory(), nil)
		return network.Process("a")
	}, &storagetest.Options{
		Reopen: func(*testing.T) storage.Store { return network.Process("b") },
		Swaps:  1000,
	})
}

// TestNetworkFaults applies each fault to a Get, a Put and a Delete of a
// caller that waits a minute.
func TestNetworkFaults(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	type effect int
	const (
		none effect = iota
		atOnce
		anHourLater
	)
	tests := map[string]struct {
		fault  storagetest.Fault
		err    error // of the call
		after  time.Duration
		effect effect
	}{
		"none":                         {storagetest.Fault{}, nil, 0, atOnce},
		"slow request":                 {storagetest.Fault{Delay: time.Second}, nil, time.Second, atOnce},
		"request slower than ctx":      {storagetest.Fault{Delay: hour}, errTimeout, minute, none},
		"slow answer":                  {storagetest.Fault{AnswerDelay: time.Second}, nil, time.Second, atOnce},
		"answer slower than ctx":       {storagetest.Fault{AnswerDelay: hour}, errTimeout, minute, atOnce},
		"slow both ways":               {storagetest.Fault{Delay: time.Second, AnswerDelay: time.Second}, nil, 2 * time.Second, atOnce},
		"error without effect":         {storagetest.Fault{Err: errDisk}, errDisk, 0, none},
		"slow error without effect":    {storagetest.Fault{Delay: time.Second, Err: errDisk}, errDisk, time.Second, none},
		"conflict":                     {storagetest.Fault{Err: storage.ErrConflict}, storage.ErrConflict, 0, none},
		"effect whose answer is lost":  {storagetest.Fault{Err: errDisk, Applied: true}, errDisk, 0, atOnce},
		"slow error after the effect":  {storagetest.Fault{Err: errDisk, Applied: true, AnswerDelay: time.Second}, errDisk, time.Second, atOnce},
		"hang":                         {storagetest.Fault{Hang: true}, errTimeout, minute, none},
		"mute":                         {storagetest.Fault{Hang: true, Applied: true}, errTimeout, minute, atOnce},
		"late effect after an error":   {storagetest.Fault{Err: errDisk, Late: hour}, errDisk, 0, anHourLater},
		"late effect after no answer":  {storagetest.Fault{Hang: true, Late: hour}, errTimeout, minute, anHourLater},
		"late effect without a reason": {storagetest.Fault{Late: hour}, nil, 0, atOnce},
	}
	for name, tt := range tests {
		for _, kind := range []storagetest.Kind{storagetest.Get, storagetest.Put, storagetest.Delete} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					memory := storage.NewMemory()
					v, err := memory.Put(t.Context(), "k", []byte("old"), 0)
					if err != nil {
						t.Fatal(err)
					}
					network := newNetwork(t, memory, func(storagetest.Op) storagetest.Fault { return tt.fault })
					ctx, cancel := context.WithTimeoutCause(t.Context(), minute, errTimeout)
					defer cancel()
					start := time.Now()
					err = call(ctx, network.Process("a"), string(kind), v)
					if after := time.Since(start); !errors.Is(err, tt.err) || after != tt.after {
						t.Errorf("%s = %v after %v, want %v after %v", kind, err, after, tt.err, tt.after)
					}
					wantState(t, memory, "when the call returns", after(string(kind), tt.effect == atOnce))
					time.Sleep(hour - 1)
					synctest.Wait()
					wantState(t, memory, "almost an hour later", after(string(kind), tt.effect == atOnce))
					time.Sleep(time.Nanosecond)
					synctest.Wait()
					wantState(t, memory, "an hour later", after(string(kind), tt.effect != none))
				})
			})
		}
	}
}

var errTimeout = errors.New("waited long enough")

// newNetwork returns a network around store with these faults.
func newNetwork(t *testing.T, store storage.Store, fault func(storagetest.Op) storagetest.Fault) *storagetest.Network {
	network := storagetest.NewNetwork(store, &storagetest.NetworkOptions{Fault: fault})
	t.Cleanup(network.Close)
	return network
}

func wantState(t *testing.T, s storage.Store, when, want string) {
	t.Helper()
	if got := state(t, s); got != want {
		t.Errorf("%s the store has %q, want %q", when, got, want)
	}
}

// TestNetworkLateEffectIsFenced has another process write before the late
// effect: compare-and-swap must refuse it.
func TestNetworkLateEffectIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storage.NewMemory()
		network := newNetwork(t, memory, func(op storagetest.Op) storagetest.Fault {
			if op.Process == "slow" {
				return storagetest.Fault{Err: errDisk, Late: time.Minute}
			}
			return storagetest.Fault{}
		})
		value := []byte("slow")
		if _, err := network.Process("slow").Put(t.Context(), "k", value, 0); !errors.Is(err, errDisk) {
			t.Errorf("Put() = %v, want %v", err, errDisk)
		}
		copy(value, "????") // the network has a copy
		if _, err := network.Process("fast").Put(t.Context(), "k", []byte("fast"), 0); err != nil {
			t.Errorf("Put() = %v, want no error", err)
		}
		network.Close()
		wantState(t, memory, "after the late effect", "fast")
	})
}

func TestNetworkCloseWaitsForLateEffects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storage.NewMemory()
		network := newNetwork(t, memory, func(storagetest.Op) storagetest.Fault {
			return storagetest.Fault{Err: errDisk, Late: time.Minute}
		})
		value := []byte("late")
		_, _ = network.Process("a").Put(t.Context(), "k", value, 0)
		copy(value, "????") // the network has a copy
		network.Close()
		network.Close()
		wantState(t, memory, "after Close", "late")
	})
}

func TestNetworkCountsOperations(t *testing.T) {
	var ops []string
	network := newNetwork(t, storage.NewMemory(), func(op storagetest.Op) storagetest.Fault {
		ops = append(ops, fmt.Sprintf("%s %s %s %d", op.Process, op.Kind, op.Key, op.N))
		return storagetest.Fault{}
	})
	a, again, b := network.Process("a"), network.Process("a"), network.Process("b")
	v, err := a.Put(t.Context(), "k", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []storage.Store{a, again, b} {
		if _, err := s.Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = a.Get(t.Context(), "other")
	_ = b.Delete(t.Context(), "k", v)
	for key, err := range a.(storage.Lister).Keys(t.Context()) {
		t.Errorf("Keys() of an empty store yields %q, %v", key, err)
	}
	want := "a Put k 1, a Get k 1, a Get k 2, b Get k 1, a Get other 1, b Delete k 1, a Keys  1"
	if got := strings.Join(ops, ", "); got != want {
		t.Errorf("the operations are %q, want %q", got, want)
	}
}

func TestNetworkCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := map[string]storagetest.Fault{
			"lost":  {Hang: true},
			"mute":  {Hang: true, Applied: true},
			"late":  {Err: errDisk, Late: time.Minute},
			"error": {Err: errDisk},
		}
		var mu sync.Mutex
		var commits []string
		network := storagetest.NewNetwork(storage.NewMemory(), &storagetest.NetworkOptions{
			Fault: func(op storagetest.Op) storagetest.Fault { return faults[op.Process] },
			Committed: func(op storagetest.Op, r storage.Record) {
				mu.Lock()
				defer mu.Unlock()
				commits = append(commits, fmt.Sprintf("%s %s %s=%s@%d", op.Process, op.Kind, op.Key, r.Value(), r.Version))
			},
		})
		for _, process := range []string{"late", "lost", "mute", "error"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, _ = network.Process(process).Put(ctx, process, []byte("v"), 0)
			cancel()
		}
		well := network.Process("well")
		_, _ = well.Put(t.Context(), "mute", nil, 7) // a conflict
		_ = well.Delete(t.Context(), "mute", 1)
		network.Close()
		want := "mute Put mute=v@1, well Delete mute=@0, late Put late=v@2"
		if got := strings.Join(commits, ", "); got != want {
			t.Errorf("the commits are %q, want %q", got, want)
		}
	})
}

func TestNetworkGetOfAnotherValue(t *testing.T) {
	memory := storage.NewMemory()
	if err := call(t.Context(), memory, "Put", 0); err != nil {
		t.Fatal(err)
	}
	network := newNetwork(t, memory, func(op storagetest.Op) storagetest.Fault {
		return storagetest.Fault{Value: []byte("garbage of " + op.Process)}
	})
	wantState(t, network.Process("a"), "with Value", "garbage of a")
	wantState(t, memory, "below the network", "new")
}

type (
	plain     struct{ storage.Store }
	onlyList  struct{ storage.Store }
	onlyWatch struct{ storage.Store }
)

func (s onlyList) Keys(ctx context.Context) iter.Seq2[string, error] {
	return s.Store.(*storage.Memory).Keys(ctx)
}

func (s onlyWatch) Watch(ctx context.Context, changed func(storage.Change)) error {
	return s.Store.(*storage.Memory).Watch(ctx, changed)
}

// TestNetworkPowers asks a process for the optional interfaces: it must have
// those of the store, and no more.
func TestNetworkPowers(t *testing.T) {
	memory := storage.NewMemory()
	tests := []struct {
		store       storage.Store
		list, watch bool
	}{
		{plain{memory}, false, false},
		{onlyList{memory}, true, false},
		{onlyWatch{memory}, false, true},
		{memory, true, true},
	}
	for _, tt := range tests {
		p := storagetest.NewNetwork(tt.store, nil).Process("a")
		if _, ok := p.(storage.Lister); ok != tt.list {
			t.Errorf("a process of %T is a Lister = %t, want %t", tt.store, ok, tt.list)
		}
		if _, ok := p.(storage.Watcher); ok != tt.watch {
			t.Errorf("a process of %T is a Watcher = %t, want %t", tt.store, ok, tt.watch)
		}
		if err := call(t.Context(), p, "Put", 0); err != nil && !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put() through a network around %T = %v, want no error", tt.store, err)
		}
	}
}

func TestNetworkKeysFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storage.NewMemory()
		if err := call(t.Context(), memory, "Put", 0); err != nil {
			t.Fatal(err)
		}
		faults := []storagetest.Fault{{Err: errDisk}, {Hang: true}, {Delay: time.Second}}
		network := newNetwork(t, memory, func(op storagetest.Op) storagetest.Fault { return faults[op.N-1] })
		lister := network.Process("a").(storage.Lister)
		for i, want := range []struct {
			key string
			err error
		}{{"", errDisk}, {"", errTimeout}, {"k", nil}} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errTimeout)
			yielded := 0
			for key, err := range lister.Keys(ctx) {
				if yielded++; key != want.key || !errors.Is(err, want.err) {
					t.Errorf("Keys() with %+v yields %q, %v, want %q, %v", faults[i], key, err, want.key, want.err)
				}
			}
			if cancel(); yielded != 1 {
				t.Errorf("Keys() with %+v yields %d times, want once", faults[i], yielded)
			}
		}
	})
}

// run plays the same traffic of three processes under faults that are decided
// by a hash, and returns what happened.
func run(t *testing.T) (log []string) {
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t, storage.NewMemory(), func(op storagetest.Op) storagetest.Fault {
			h := uint32(2166136261)
			for _, c := range fmt.Append(nil, op) {
				h = (h ^ uint32(c)) * 16777619
			}
			d := time.Duration(1+h%1000) * time.Millisecond
			return []storagetest.Fault{
				{Delay: d}, {AnswerDelay: d}, {Hang: true}, {Hang: true, Applied: true}, {Err: errDisk, Late: d}, {Err: errDisk, Applied: true},
			}[h/1000%6]
		})
		for step := range 60 {
			name := string("abc"[step%3])
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			r, err := network.Process(name).Get(ctx, "k")
			if err == nil || errors.Is(err, storage.ErrNotFound) {
				_, err = network.Process(name).Put(ctx, "k", fmt.Append(nil, step), r.Version)
			}
			cancel()
			log = append(log, fmt.Sprintf("%s %s at %v: %v", name, r.Value(), time.Now(), err))
		}
	})
	return log
}

func TestNetworkRepeats(t *testing.T) {
	first := run(t)
	for range 5 {
		if again := run(t); !slices.Equal(first, again) {
			t.Fatalf("the same traffic gave\n%s\nand then\n%s", strings.Join(first, "\n"), strings.Join(again, "\n"))
		}
	}
}

func ExampleNetwork() {
	// Process b writes, and its answer is lost.
	network := storagetest.NewNetwork(storage.NewMemory(), &storagetest.NetworkOptions{
		Fault: func(op storagetest.Op) storagetest.Fault {
			if op.Process == "b" && op.Kind == storagetest.Put {
				return storagetest.Fault{Err: errors.New("connection lost"), Applied: true}
			}
			return storagetest.Fault{}
		},
	})
	ctx := context.Background()
	_, err := network.Process("b").Put(ctx, "key", []byte("of b"), 0)
	fmt.Println(err)
	_, err = network.Process("a").Put(ctx, "key", []byte("of a"), 0)
	fmt.Println(err)
	// Output:
	// connection lost
	// storage: version conflict
}
