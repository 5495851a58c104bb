package sqlitestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
)

// hangs is how long anything may take. After that, a test reports that it
// hangs.
const hangs = 2 * time.Minute

const (
	childPath = "SQLITESTORE_TEST_PATH" // set in the processes that the tests start
	childRole = "SQLITESTORE_TEST_ROLE"
	processes = 4
	eachChild = 250
)

// TestChild is what the other processes run. It is no test by itself.
func TestChild(t *testing.T) {
	path := os.Getenv(childPath)
	switch os.Getenv(childRole) {
	case "":
		t.Skip("started by other tests")
	case "counter":
		s := open(t, path, nil)
		for range eachChild {
			if err := increment(s, "counter"); err != nil {
				t.Fatalf("increment = %v, want no error", err)
			}
		}
	case "victim":
		s := open(t, path, nil)
		for i := 0; ; i++ {
			if err := increment(s, "counter"); err != nil {
				t.Fatalf("increment = %v, want no error", err)
			}
			fmt.Println(i) // says that writes have begun
		}
	case "holder":
		db := openDB(t, path)
		db.SetMaxOpenConns(1)
		execute(t, db, os.Getenv("SQLITESTORE_TEST_LOCK"))
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
		execute(t, db, "COMMIT")
	}
}

func child(t *testing.T, role, path string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(append(os.Environ(), childRole+"="+role, childPath+"="+path), env...)
	return cmd
}

// increment adds one to the number under key by compare-and-swap, as often as
// it takes.
func increment(s storage.Store, key string) error {
	for {
		r, err := s.Get(context.Background(), key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		n, err := strconv.Atoi("0" + string(r.Value()))
		if err != nil {
			return err
		}
		_, err = s.Put(context.Background(), key, []byte(strconv.Itoa(n+1)), r.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

// TestProcesses increments one counter in several processes, which also create
// the database: no increment may be lost.
func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	var children sync.WaitGroup
	for range processes {
		children.Go(func() {
			if out, err := child(t, "counter", path).CombinedOutput(); err != nil {
				t.Errorf("a process ended with %v:\n%s", err, out)
			}
		})
	}
	children.Wait()
	want := strconv.Itoa(processes * eachChild)
	if r, err := open(t, path, nil).Get(t.Context(), "counter"); err != nil || string(r.Value()) != want {
		t.Errorf("counter = %q, %v after %s increments by %d processes, want %s", r.Value(), err, want, processes, want)
	}
}

// TestKilled kills a process again and again while it writes: what is there
// must be whole, and the store must go on.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	before := 0
	for range 5 {
		kill(t, path)
		s := open(t, path, nil)
		r, err := s.Get(t.Context(), "counter")
		if err != nil {
			t.Fatalf("Get() after a process died = %v, want no error", err)
		}
		n, err := strconv.Atoi(string(r.Value()))
		if err != nil || n <= before {
			t.Errorf("counter = %q, want more than %d", r.Value(), before)
		}
		before = n
		closeStore(t, s)
		var whole string
		if err := openDB(t, path).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&whole); err != nil || whole != "ok" {
			t.Errorf("integrity_check = %q, %v, want ok", whole, err)
		}
	}
}

// kill starts a process that writes, and kills it when it has.
func kill(t *testing.T, path string) {
	t.Helper()
	cmd := child(t, "victim", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Errorf("the process wrote nothing: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("Kill() = %v, want no error", err)
	}
	_ = cmd.Wait() // it was killed
}

// hold lets another process take a lock of the database, until release.
func hold(t *testing.T, path, begin string) (release func()) {
	t.Helper()
	cmd := child(t, "holder", path, "SQLITESTORE_TEST_LOCK="+begin)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the process says %q, %v, want locked", line, err)
	}
	return sync.OnceFunc(func() {
		if err := in.Close(); err != nil {
			t.Errorf("Close() = %v, want no error", err)
		}
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process that held the lock ended with %v", err)
		}
	})
}

// errCause is why the tests cancel.
var errCause = errors.New("cancelled on purpose")

// wantCancelled calls f, cancels its context while it waits, and fails the test
// unless it returns the cause soon.
func wantCancelled(t *testing.T, call string, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	result := make(chan error, 1)
	go func() { result <- f(ctx) }()
	select {
	case err := <-result:
		t.Errorf("%s while another process holds the lock = %v, want it to wait", call, err)
		cancel(nil)
		return
	case <-time.After(50 * time.Millisecond):
	}
	cancel(errCause)
	select {
	case err := <-result:
		wantError(t, call+" with an ended ctx", err, "sqlitestore", errCause)
	case <-time.After(hangs):
		t.Errorf("%s did not return within %v after its ctx ended", call, hangs)
	}
}

// TestLocked calls the methods while another process holds the write lock:
// reads go on, writes wait as long as ctx lasts, and then until the lock is
// free.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	stores := map[string]*sqlitestore.Store{"Open": open(t, path, nil)}
	db := openDB(t, path+"?_pragma=busy_timeout(600000)")
	stores["New"] = attach(t, db, nil)
	for name, s := range stores {
		t.Run(name, func(t *testing.T) {
			v := put(t, s, name, "value", 0)
			release := hold(t, path, "BEGIN IMMEDIATE")
			defer release()
			want(t, s, name, "value", v)
			wantCancelled(t, "Put", func(ctx context.Context) error {
				_, err := s.Put(ctx, name, []byte("late"), v)
				return err
			})
			wantCancelled(t, "create", func(ctx context.Context) error {
				_, err := s.Put(ctx, "new", nil, 0)
				return err
			})
			wantCancelled(t, "Delete", func(ctx context.Context) error { return s.Delete(ctx, name, v) })
			want(t, s, name, "value", v)
			wantWaits(t, s, name, v, release)
		})
	}
}

// wantWaits fails the test unless Put waits until release has been called, and
// then succeeds.
func wantWaits(t *testing.T, s storage.Store, key string, v storage.Version, release func()) {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		_, err := s.Put(context.Background(), key, []byte("after"), v)
		result <- err
	}()
	select {
	case err := <-result:
		t.Errorf("Put() while another process holds the lock = %v, want it to wait", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	select {
	case err := <-result:
		if err != nil {
			t.Errorf("Put() after the lock was released = %v, want no error", err)
		}
	case <-time.After(hangs):
		t.Errorf("Put() did not return within %v after the lock was released", hangs)
	}
}

// TestOpenLocked opens a database that another process has locked as a whole,
// so that not even WAL can be switched on.
func TestOpenLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	execute(t, openDB(t, path), "CREATE TABLE other (id INTEGER)")
	release := hold(t, path, "BEGIN EXCLUSIVE")
	defer release()
	wantCancelled(t, "Open", func(ctx context.Context) error {
		s, err := sqlitestore.Open(ctx, path, nil)
		if err == nil {
			closeStore(t, s)
		}
		return err
	})
	opened := make(chan *sqlitestore.Store, 1)
	go func() {
		s, err := sqlitestore.Open(context.Background(), path, nil)
		if err != nil {
			t.Errorf("Open() of a locked database = %v, want no error", err)
		}
		opened <- s
	}()
	release()
	if s := <-opened; s != nil {
		put(t, s, "k", "value", 0)
		closeStore(t, s)
	}
}

// TestCloseWhileLocked closes a store whose Put waits for another process: it
// must not wait any longer.
func TestCloseWhileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.db")
	s := open(t, path, nil)
	release := hold(t, path, "BEGIN IMMEDIATE")
	defer release()
	result := make(chan error, 1)
	go func() {
		_, err := s.Put(context.Background(), "k", nil, 0)
		result <- err
	}()
	select {
	case err := <-result:
		t.Fatalf("Put() while another process holds the lock = %v, want it to wait", err)
	case <-time.After(50 * time.Millisecond):
	}
	closeStore(t, s)
	wantError(t, "Put() during Close", <-result, "closed", nil)
}
