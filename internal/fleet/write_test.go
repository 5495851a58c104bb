//go:build linux

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
)

// counter is the key of the record that the writers share.
const counter = "counter"

// TestProcessesKilledWhileTheyWrite has three processes add one to a number
// again and again. They are killed in the middle of it, or stopped for a while.
// What is stored is always whole, no number is written twice, and a process
// that is stopped or dead keeps nobody from writing for good.
func TestProcessesKilledWhileTheyWrite(t *testing.T) {
	onEvery(t, everyStore, func(t *testing.T, kind string) {
		f := newFleet(t, kind)
		writers := make([]*worker, 3)
		for i := range writers {
			writers[i] = f.startWriter()
		}
		for _, w := range writers {
			f.awaitWrites(w, 1)
		}
		all, rounds := slices.Clone(writers), scale(10, 100)
		for round := range rounds {
			i := round % len(writers)
			f.awaitWrites(writers[i], 3)
			if round%2 == 0 {
				writers[i].kill()
				writers[i] = f.startWriter()
				all = append(all, writers[i])
				f.awaitWrites(writers[i], 1)
				continue
			}
			writers[i].stop()
			f.awaitWrites(writers[(i+1)%len(writers)], 2)
			writers[i].resume()
		}
		for _, w := range writers {
			f.awaitWrites(w, 3)
			w.kill()
		}
		f.wantCounted(kind, all)
	})
}

// startWriter starts a process that writes again and again. Before another
// process is stopped, wait for the first write: a store of SQLite that is still
// being opened waits for a lock as long as the stopped process has it.
func (f *fleet) startWriter() *worker {
	w := f.start(1)[0]
	w.begin(order{Do: "count"})
	return w
}

// awaitWrites returns when w has ended n more attempts to write. One attempt
// alone may have ended before.
func (f *fleet) awaitWrites(w *worker, n int) {
	f.Helper()
	want := len(w.notices()) + n
	w.awaitNotice(nil, func(message) bool { want--; return want == 0 })
}

// wantCounted checks what the workers have written, after all of them ended.
func (f *fleet) wantCounted(kind string, workers []*worker) {
	f.Helper()
	written, unsure := map[int]bool{}, len(workers) // each was killed in one attempt
	for _, w := range workers {
		for _, m := range w.notices() {
			switch {
			case m.Unsure:
				unsure++
			case written[m.Count]:
				f.Errorf("the number %d was written twice", m.Count)
			case m.Count > 0:
				written[m.Count] = true
			}
		}
	}
	last, version, err := readCount(f.Context(), f.engine.store)
	if err != nil {
		f.Fatal(err)
	}
	for n := range written {
		if n > last {
			f.Errorf("the number %d was written, and the last one is %d", n, last)
		}
	}
	if missing := last - len(written); missing > unsure {
		f.Errorf("%d numbers of %d were written by nobody, want at most %d", missing, last, unsure)
	}
	if _, err := f.engine.store.Put(f.Context(), counter, countValue(last+1), version); err != nil {
		f.Errorf("Put() after all writers were killed = %v, want no error", err)
	}
	f.Logf("%s: %d processes killed while they wrote; %d writes, %d of unknown outcome", kind, len(workers), last, unsure)
}

// count adds one to the stored number until the process ends, and says each
// number that it wrote. It ends the process if the record is damaged.
func (e *engine) count(ctx context.Context, say func(message)) {
	for {
		n, version, err := readCount(ctx, e.store)
		if errors.Is(err, errTorn) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err == nil {
			err = e.writeCount(ctx, n+1, version)
		}
		switch {
		case err == nil:
			say(message{Count: n + 1})
		case !errors.Is(err, storage.ErrConflict):
			say(message{Unsure: true})
		}
	}
}

func (e *engine) writeCount(ctx context.Context, n int, old storage.Version) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a stopped process may hold a lock
	defer cancel()
	_, err := e.store.Put(ctx, counter, countValue(n), old)
	return err
}

var errTorn = errors.New("fleet: the record is damaged")

// copies is how often a record repeats its number. A damaged record shows.
const copies = 2000

func countValue(n int) []byte { return []byte(strings.Repeat(fmt.Sprintln(n), copies)) }

// readCount returns the stored number, and its version. Both are zero if there
// is none.
func readCount(ctx context.Context, store storage.Store) (int, storage.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := store.Get(ctx, counter)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return 0, 0, nil
	case errors.Is(err, storage.ErrCorrupt):
		return 0, 0, errTorn
	case err != nil:
		return 0, 0, err
	}
	first, _, _ := strings.Cut(string(r.Value()), "\n")
	n, err := strconv.Atoi(first)
	if err != nil || string(r.Value()) != string(countValue(n)) {
		return 0, 0, errTorn
	}
	return n, r.Version, nil
}
