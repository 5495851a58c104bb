package storage_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// owner is the owner of names where a test has only one.
const owner = "owner"

// name returns the storage key of parts, which must exist.
func name(t testing.TB, s storage.Store, prefix string, parts ...string) string {
	t.Helper()
	key, err := storage.Name(context.Background(), s, prefix, owner, parts...)
	if err != nil {
		t.Fatalf("Name(%q, %q) = %v, want no error", prefix, parts, err)
	}
	return key
}

func TestNameForm(t *testing.T) {
	form := regexp.MustCompile(`^grant\.[0-9a-f]{64}$`)
	memory := storage.NewMemory()
	for kind, s := range map[string]storage.Store{"plain": memory, "sealed": sealedStore(t, memory, newKeys(t))} {
		if got := name(t, s, "grant.", "issuer", "alice"); !form.MatchString(got) {
			t.Errorf("Name() in a %s store = %q, want grant. and 64 hexadecimal digits", kind, got)
		}
	}
}

// TestNameDigits fixes the digits: processes of different versions share a
// store. The literals were computed by another program.
func TestNameDigits(t *testing.T) {
	sealed := sealedStore(t, storage.NewMemory(), newKeys(t))
	put(t, sealed, storage.NameKey(owner), "\x01"+strings.Repeat("k", 32), 0)
	tests := []struct {
		kind  string
		store storage.Store
		want  string
	}{
		{"plain", storage.NewMemory(), "user.fa933f607b89a1ec9bc41115bc56aafa6ad6408b5ce34d6935b5834d20eb7895"},
		{"sealed", sealed, "user.ee604c66e07e28b12869442e50d0d7f0b0e7a2f185140688c9ab7e743422ef4e"},
	}
	for _, tt := range tests {
		if got := name(t, tt.store, "user.", "alice", "é"); got != tt.want {
			t.Errorf("Name() in a %s store = %q, want %q", tt.kind, got, tt.want)
		}
	}
}

func TestNameDependsOnEveryPart(t *testing.T) {
	memory := storage.NewMemory()
	for kind, s := range map[string]storage.Store{"plain": memory, "sealed": sealedStore(t, memory, newKeys(t))} {
		seen := map[string][]string{}
		for _, parts := range [][]string{
			{"u."}, {"u.", ""}, {"u.", "", ""}, {"u.", "ab", "c"}, {"u.", "a", "bc"}, {"u.", "abc"}, {"u.", "c", "ab"}, {"v.", "abc"},
		} {
			key := name(t, s, parts[0], parts[1:]...)
			digits := key[len(parts[0]):]
			if other, ok := seen[digits]; ok {
				t.Errorf("Name(%q) has the digits of Name(%q) in a %s store", parts, other, kind)
			}
			seen[digits] = parts
		}
	}
}

func TestNameOfASealedStore(t *testing.T) {
	memory, keys := storage.NewMemory(), newKeys(t)
	first, second := sealedStore(t, memory, keys), sealedStore(t, memory, keys)
	key := name(t, first, "user.", "alice")
	if got := name(t, second, "user.", "alice"); got != key {
		t.Errorf("Name() in another process = %q, want %q", got, key)
	}
	if got := name(t, memory, "user.", "alice"); got == key {
		t.Errorf("Name() of a sealed store = %q, the plain hash, want a keyed one", got)
	}
	if got := name(t, sealedStore(t, storage.NewMemory(), keys), "user.", "alice"); got == key {
		t.Errorf("Name() of another store with the same seal keys = %q again, want another", got)
	}
	stored := mustGet(t, memory, storage.NameKey(owner)).Value()
	if opened := mustGet(t, first, storage.NameKey(owner)).Value(); strings.Contains(string(stored), string(opened[1:])) {
		t.Errorf("the store below holds the name key as it is, want it sealed")
	}
}

// TestNameSurvivesNewSealKeys replaces the keys of the seal, in every way that
// an AEAD can be replaced: the names must stay.
func TestNameSurvivesNewSealKeys(t *testing.T) {
	memory := storage.NewMemory()
	want := name(t, sealedStore(t, memory, ring(t, key(1))), "user.", "alice")
	for _, aead := range []seal.AEAD{ring(t, key(2), key(1)), &remote{keys: ring(t, key(2), key(1))}} {
		s := sealedStore(t, memory, aead)
		if done, err := storage.Reseal(t.Context(), s); err != nil || done.Rewritten != 1 {
			t.Fatalf("Reseal() = %+v, %v, want the name key rewritten", done, err)
		}
		if got := name(t, s, "user.", "alice"); got != want {
			t.Errorf("Name() after Reseal = %q, want %q", got, want)
		}
	}
	if got := name(t, sealedStore(t, memory, ring(t, key(2))), "user.", "alice"); got != want {
		t.Errorf("Name() without the old key = %q, want %q", got, want)
	}
}

// TestNameOfProcessesThatBeginAtOnce has many processes create the name key of
// one store at the same time.
func TestNameOfProcessesThatBeginAtOnce(t *testing.T) {
	for range 20 {
		memory, keys := storage.NewMemory(), newKeys(t)
		var begin, done sync.WaitGroup
		begin.Add(1)
		got := make([]string, 32)
		for i := range got {
			s := sealedStore(t, memory, keys)
			done.Go(func() {
				begin.Wait()
				got[i] = name(t, s, "user.", "alice")
			})
		}
		begin.Done()
		done.Wait()
		for i := range got {
			if got[i] != got[0] {
				t.Fatalf("Name() in process %d = %q, want %q as in process 0", i, got[i], got[0])
			}
		}
	}
}

// TestNameOfTheSlowerProcess has another process create the name key between
// the read and the write of this one.
func TestNameOfTheSlowerProcess(t *testing.T) {
	memory, keys := storage.NewMemory(), newKeys(t)
	faster := sealedStore(t, memory, keys)
	want := ""
	slower := sealedStore(t, storagetest.NewFaulty(memory, func(op, _ string, _ int) storagetest.Fault {
		if op == "Put" {
			want = name(t, faster, "user.", "alice")
		}
		return storagetest.Fault{}
	}), keys)
	if got := name(t, slower, "user.", "alice"); got != want || want == "" {
		t.Errorf("Name() in the slower process = %q, want %q", got, want)
	}
}

// TestNameReadsOnce counts the calls of the store below.
func TestNameReadsOnce(t *testing.T) {
	faulty := storagetest.NewFaulty(storage.NewMemory(), nil)
	s := sealedStore(t, faulty, newKeys(t))
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() { name(t, s, "user.", fmt.Sprint(i)) })
	}
	callers.Wait()
	if gets, puts := faulty.Calls("Get"), faulty.Calls("Put"); gets != 1 || puts != 1 {
		t.Errorf("50 calls of Name made %d Gets and %d Puts, want one each", gets, puts)
	}
}

// TestNameAfterFailures lets the first calls fail: no name may be returned
// that a later call does not return too.
func TestNameAfterFailures(t *testing.T) {
	disk := errors.New("disk on fire")
	tests := []struct {
		name  string
		op    string
		fault storagetest.Fault
	}{
		{"the read fails", "Get", storagetest.Fault{Err: disk}},
		{"the write fails", "Put", storagetest.Fault{Err: disk}},
		{"the write succeeds, and its answer is lost", "Put", storagetest.Fault{Err: disk, Applied: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			memory, keys := storage.NewMemory(), newKeys(t)
			s := sealedStore(t, storagetest.NewFaulty(memory, func(op, _ string, n int) storagetest.Fault {
				if op == tt.op && n == 1 {
					return tt.fault
				}
				return storagetest.Fault{}
			}), keys)
			if key, err := storage.Name(t.Context(), s, "user.", owner, "alice"); !errors.Is(err, disk) || key != "" {
				t.Errorf("Name() = %q, %v, want %v", key, err, disk)
			}
			if got, want := name(t, s, "user.", "alice"), name(t, sealedStore(t, memory, keys), "user.", "alice"); got != want {
				t.Errorf("Name() after a failure = %q, want %q as in another process", got, want)
			}
		})
	}
}

// TestNameBesideALateWrite lets a process create the name key, and lets the
// write arrive when another process has created it: both must have one name.
func TestNameBesideALateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := storagetest.NewNetwork(storage.NewMemory(), &storagetest.NetworkOptions{
			Fault: func(op storagetest.Op) storagetest.Fault {
				if op.Process == "slow" && op.Kind == storagetest.Put {
					return storagetest.Fault{Err: errKMS, Late: time.Minute}
				}
				return storagetest.Fault{}
			},
		})
		keys := newKeys(t)
		slow, quick := sealedStore(t, network.Process("slow"), keys), sealedStore(t, network.Process("quick"), keys)
		if key, err := storage.Name(t.Context(), slow, "user.", owner, "alice"); !errors.Is(err, errKMS) {
			t.Errorf("Name() = %q, %v, want %v", key, err, errKMS)
		}
		want := name(t, quick, "user.", "alice")
		network.Close()
		for _, s := range []storage.Store{slow, quick, sealedStore(t, network.Process("third"), keys)} {
			if got := name(t, s, "user.", "alice"); got != want {
				t.Errorf("Name() = %q, want %q in every process", got, want)
			}
		}
	})
}

func TestNameRefuses(t *testing.T) {
	memory, keys := storage.NewMemory(), newKeys(t)
	sealed := sealedStore(t, memory, keys)
	for _, prefix := range []string{"a b", "user/", strings.Repeat("p", 65)} {
		for _, s := range []storage.Store{memory, sealed} {
			if key, err := storage.Name(t.Context(), s, prefix, owner, "alice"); !errors.Is(err, storage.ErrBadKey) || key != "" {
				t.Errorf("Name(prefix %.20q) = %q, %v, want %v", prefix, key, err, storage.ErrBadKey)
			}
		}
	}
	stranger := sealedStore(t, memory, newKeys(t))
	if key, err := storage.Name(t.Context(), stranger, "user.", owner, "alice"); !errors.Is(err, seal.ErrUnknownKey) || key != "" {
		t.Errorf("Name() with other seal keys = %q, %v, want %v", key, err, seal.ErrUnknownKey)
	}
}

// TestAppsWithTheirOwnSealKeysShareAStore has two apps with different owners
// and different keys. Neither may meet the records of the other.
func TestAppsWithTheirOwnSealKeysShareAStore(t *testing.T) {
	memory := storage.NewMemory()
	seen := map[string]string{}
	for _, app := range []string{"https://x.example one", "https://x.example two", "https://y.example one", ""} {
		keys := newKeys(t)
		for range 2 { // two processes
			s := sealedStore(t, memory, keys)
			key, err := storage.Name(t.Context(), s, "user.", app, "alice")
			if err != nil {
				t.Fatalf("Name(owner %q) = %v, want no error", app, err)
			}
			if other, ok := seen[key]; ok && other != app {
				t.Errorf("Name(owner %q) = %q, as with owner %q", app, key, other)
			}
			seen[key] = app
		}
		if key, err := storage.Name(t.Context(), memory, "user.", app, "alice"); err != nil || seen[key] != "" {
			t.Errorf("Name(owner %q) without keys = %q, %v, want another key for each owner", app, key, err)
		} else {
			seen[key] = app + " plain"
		}
	}
	if len(seen) != 8 {
		t.Errorf("4 owners with and without keys have %d names, want 8", len(seen))
	}
}

// TestKeepNames seals a store that has records. Its names must stay, in every
// process and with new seal keys.
func TestKeepNames(t *testing.T) {
	memory := storage.NewMemory()
	want := name(t, memory, "user.", "alice")
	first := sealedStore(t, memory, ring(t, key(1)))
	for range 2 {
		if err := storage.KeepNames(t.Context(), first, owner); err != nil {
			t.Errorf("KeepNames() = %v, want no error", err)
		}
	}
	if got := name(t, first, "user.", "alice"); got != want {
		t.Errorf("Name() = %q, want %q as without keys", got, want)
	}
	both := sealedStore(t, memory, ring(t, key(2), key(1)))
	if _, err := storage.Reseal(t.Context(), both); err != nil {
		t.Errorf("Reseal() = %v, want no error", err)
	}
	for i, s := range []storage.Store{both, sealedStore(t, memory, ring(t, key(2)))} {
		if got := name(t, s, "user.", "alice"); got != want {
			t.Errorf("Name() in store %d = %q, want %q as before", i, got, want)
		}
	}
	other, err := storage.Name(t.Context(), both, "user.", "another owner", "alice")
	if plain, e := storage.Name(t.Context(), memory, "user.", "another owner", "alice"); err != nil || e != nil || other == plain {
		t.Errorf("Name() of another owner = %q, %v, %v, want a keyed one", other, err, e)
	}
	if err := storage.KeepNames(t.Context(), both, "another owner"); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("KeepNames() of an owner with a name key = %v, want %v", err, storage.ErrConflict)
	}
	if err := storage.KeepNames(t.Context(), memory, owner); err == nil {
		t.Error("KeepNames() of a store without keys = nil, want an error")
	}
	if err := storage.KeepNames(t.Context(), sealedStore(t, memory, newKeys(t)), owner); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("KeepNames() with other seal keys = %v, want %v", err, seal.ErrUnknownKey)
	}
}

func TestNameRefusesADamagedKey(t *testing.T) {
	good := strings.Repeat("k", 32)
	for _, value := range []string{"", "\x01", "\x01" + good[1:], "\x01" + good + "k", "\x02" + good} {
		s := sealedStore(t, storage.NewMemory(), newKeys(t))
		put(t, s, storage.NameKey(owner), value, 0)
		if key, err := storage.Name(t.Context(), s, "user.", owner, "alice"); !errors.Is(err, storage.ErrCorrupt) || key != "" {
			t.Errorf("Name() with the name key %q = %q, %v, want %v", hex.EncodeToString([]byte(value)), key, err, storage.ErrCorrupt)
		}
	}
}

// TestNameWaitsNoLongerThanItsContext has the store hang: the caller that reads
// and the callers that wait for it must return in time, and a later caller
// must succeed.
func TestNameWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sealedStore(t, storagetest.NewFaulty(storage.NewMemory(), func(op, _ string, n int) storagetest.Fault {
			return storagetest.Fault{Hang: op == "Get" && n == 1}
		}), newKeys(t))
		reader, stopReader := context.WithTimeoutCause(t.Context(), time.Hour, errKMS)
		defer stopReader()
		waiter, stopWaiter := context.WithTimeoutCause(t.Context(), time.Minute, errKMS)
		defer stopWaiter()
		start := time.Now()
		read, waited := make(chan error), make(chan error)
		go func() {
			_, err := storage.Name(reader, s, "user.", owner, "alice")
			read <- err
		}()
		synctest.Wait()
		go func() {
			_, err := storage.Name(waiter, s, "user.", owner, "alice")
			waited <- err
		}()
		if err, after := <-waited, time.Since(start); !errors.Is(err, errKMS) || after != time.Minute {
			t.Errorf("Name() that waits = %v after %v, want %v after 1m", err, after, errKMS)
		}
		if err, after := <-read, time.Since(start); !errors.Is(err, errKMS) || after != time.Hour {
			t.Errorf("Name() that reads = %v after %v, want %v after 1h", err, after, errKMS)
		}
		name(t, s, "user.", "alice")
	})
}

// A program that has a new owner every second does not remember all of them.
// An owner that is used all the time costs no read of the store.
func TestNamesOfManyOwners(t *testing.T) {
	reads := 0
	counting := storagetest.NewFaulty(storage.NewMemory(), func(op, _ string, _ int) storagetest.Fault {
		if op == "Get" {
			reads++
		}
		return storagetest.Fault{}
	})
	s := sealedStore(t, counting, newKeys(t))
	named := func(owner string) (read bool) {
		before := reads
		if _, err := storage.Name(t.Context(), s, "grant.", owner, "alice"); err != nil {
			t.Fatal(err)
		}
		return reads > before
	}
	named("always")
	named("once")
	for i := range 40_000 {
		named(fmt.Sprint("owner-", i))
		if i%1000 == 0 && named("always") {
			t.Errorf("after %d other owners, the name key of one in use was read again", i)
		}
	}
	if !named("once") {
		t.Error("the name key of the first of 40,000 owners is still in memory")
	}
}
