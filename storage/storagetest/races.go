package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/authtrip/authtrip/storage"
)

func races() []part {
	return []part{
		{"OneCreatorWins", testOneCreator},
		{"OneSwapWins", testOneSwap},
		{"OneDeleteOrSwapWins", testDeleteOrSwap},
		{"NoUpdateLost", testNoUpdateLost},
		{"ReadsAreWhole", testReadsWhole},
	}
}

// racers is the number of goroutines in a race.
const racers = 100

// race calls f in many goroutines at once and returns how many received no
// error. Any other error than ErrConflict fails the test.
func race(t *testing.T, f func(i int) error) int {
	t.Helper()
	var start, done sync.WaitGroup
	var won atomic.Int64
	start.Add(1)
	for i := range racers {
		done.Go(func() {
			start.Wait()
			switch err := f(i); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, storage.ErrConflict):
				t.Errorf("call %d of a race = %v, want no error or %v", i, err, storage.ErrConflict)
			}
		})
	}
	start.Done()
	done.Wait()
	return int(won.Load())
}

// pick returns the handle of racer i. Half of the racers use the second handle.
func pick(i int, first, second storage.Store) storage.Store {
	if i%2 == 0 {
		return first
	}
	return second
}

func testOneCreator(t *testing.T, s *suite) {
	first, second := s.handles(t)
	for round := range 10 {
		key := fmt.Sprintf("k%d", round)
		won := race(t, func(i int) error {
			_, err := pick(i, first, second).Put(context.Background(), key, []byte(strconv.Itoa(i)), 0)
			return err
		})
		if won != 1 {
			t.Errorf("%d of %d creators won, want 1", won, racers)
		}
	}
}

func testOneSwap(t *testing.T, s *suite) {
	first, second := s.handles(t)
	v := put(t, first, "k", "start", 0)
	for range 10 {
		var winner atomic.Pointer[storage.Record]
		won := race(t, func(i int) error {
			value := []byte(strconv.Itoa(i))
			next, err := pick(i, first, second).Put(context.Background(), "k", value, v)
			if err == nil {
				winner.Store(new(storage.NewRecord(value, next)))
			}
			return err
		})
		if won != 1 {
			t.Fatalf("%d of %d swaps on one version won, want 1", won, racers)
		}
		v = winner.Load().Version
		want(t, second, "k", string(winner.Load().Value()), v)
	}
}

func testDeleteOrSwap(t *testing.T, s *suite) {
	first, second := s.handles(t)
	for range 10 {
		v := put(t, first, "k", "start", 0)
		var swapped, deleted atomic.Int64
		race(t, func(i int) error {
			store := pick(i/2, first, second)
			if i%2 == 0 {
				err := store.Delete(context.Background(), "k", v)
				if err == nil {
					deleted.Add(1) // the record may be deleted already
				}
				return err
			}
			_, err := store.Put(context.Background(), "k", []byte("swapped"), v)
			if err == nil {
				swapped.Add(1)
			}
			return err
		})
		if n := swapped.Load(); n > 1 || n == 1 && deleted.Load() > 0 || n == 0 && deleted.Load() == 0 {
			t.Fatalf("on one version %d swaps and %d deletes succeeded, want one swap or some deletes", n, deleted.Load())
		}
		clean(t, first, "k")
	}
}

func clean(t *testing.T, s storage.Store, key string) {
	t.Helper()
	r, err := s.Get(context.Background(), key)
	if errors.Is(err, storage.ErrNotFound) {
		return
	}
	if err != nil {
		t.Fatalf("Get(%q) = %v, want no error", key, err)
	}
	wantDelete(t, s, key, r.Version, nil)
}

// fighters is how many goroutines increment the counter at the same time. With
// all racers at once, nearly all of the time would be spent on conflicts.
const fighters = 12

// testNoUpdateLost increments one counter in many goroutines. At the end it
// must have counted every increment.
func testNoUpdateLost(t *testing.T, s *suite) {
	first, second := s.handles(t)
	each := max(1, s.o.Swaps/racers)
	ring := make(chan struct{}, fighters)
	race(t, func(i int) error {
		for range each {
			ring <- struct{}{}
			err := increment(context.Background(), pick(i, first, second), "counter")
			<-ring
			if err != nil {
				return err
			}
		}
		return nil
	})
	r, err := first.Get(context.Background(), "counter")
	if err != nil {
		t.Fatalf("Get() = %v, want no error", err)
	}
	if n := strconv.Itoa(racers * each); string(r.Value()) != n {
		t.Errorf("counter = %s after %s increments, want %s", r.Value(), n, n)
	}
}

// testReadsWhole reads while another goroutine writes. No read may return a
// part of a value, or the value of another version.
func testReadsWhole(t *testing.T, s *suite) {
	first, second := s.handles(t)
	value := func(i int) string { return fmt.Sprintf("%0*d", 1+i*100, i) }
	var mu sync.Mutex
	written := map[storage.Version]string{} // what the writer knows so far
	v := put(t, first, "k", value(0), 0)
	written[v] = value(0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				r, err := second.Get(context.Background(), "k")
				if err != nil {
					t.Errorf("Get() during writes = %v, want no error", err)
					return
				}
				mu.Lock()
				wrote, known := written[r.Version]
				mu.Unlock()
				if n, err := strconv.Atoi(string(r.Value())); err != nil || value(n) != string(r.Value()) || known && wrote != string(r.Value()) {
					t.Errorf("Get() during writes = %d bytes that nobody wrote at version %d", len(r.Value()), r.Version)
					return
				}
			}
		})
	}
	for i := range 100 {
		v = put(t, first, "k", value(i), v)
		mu.Lock()
		written[v] = value(i)
		mu.Unlock()
	}
	cancel()
	readers.Wait()
}
