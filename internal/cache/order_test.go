package cache_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/cache"
)

// Outcomes are published in another order than the one of the events in the
// store. Each row is what happens in one process, and what its readers see at
// the end.
func TestOrder(t *testing.T) {
	const u = "u"
	for _, test := range []struct {
		name         string
		do           func(w *world)
		fresh, known string
	}{
		{"a read", func(w *world) { w.read(u, 1) }, "u@1", "u@1"},
		{"a read after a read", func(w *world) { w.read(u, 1); w.read(u, 2) }, "u@2", "u@2"},
		{"a read of what is known is fresh again", func(w *world) {
			w.read(u, 1)
			w.clock.sleep(time.Minute)
			w.read(u, 1)
		}, "u@1", "u@1"},
		{"a slow read does not hide a newer token", func(w *world) {
			w.read(u, 1)
			slow := w.begin(u)
			w.begin(u).Publish(over(1, w.entry(u, 2)))
			slow.Publish(w.entry(u, 1))
		}, "u@2", "u@2"},
		{"a slow read of which nobody knows when it was answered", func(w *world) {
			slow := w.begin(u)
			w.begin(u).Publish(over(5, w.entry(u, 6)))
			slow.Publish(w.entry(u, 7))
		}, "none", "u@6"},
		{"a write is newer than the read of what it replaced", func(w *world) {
			write := w.begin(u)
			w.read(u, 1)
			write.Publish(over(1, w.entry(u, 2)))
		}, "u@2", "u@2"},
		{"two writes, answered in the wrong order", func(w *world) {
			first, second := w.begin(u), w.begin(u)
			second.Publish(over(2, w.entry(u, 3)))
			first.Publish(over(1, w.entry(u, 2)))
		}, "u@3", "u@3"},
		{"a write that another process may have overtaken", func(w *world) {
			write := w.begin(u)
			w.read(u, 9)
			write.Publish(over(1, w.entry(u, 2)))
		}, "none", "u@2"},
		{"a slow write that leaves the token as it was", func(w *world) {
			slow := w.begin(u)
			w.begin(u).Publish(over(3, w.entry(u, 4)))
			e := w.entry(u, 2)
			e.Over = 1
			slow.Publish(e)
		}, "none", "u@4"},
		{"two slow reads of records that show their order", func(w *world) {
			first, second := w.begin(u), w.begin(u)
			e, f := w.entry(u, 8), w.entry(u, 2)
			e.Record.serial, f.Record.serial = 1, 2
			first.Publish(e)
			second.Publish(f)
		}, "u@2", "u@2"},
		{"two slow reads of records that show their order, the older one last", func(w *world) {
			first, second := w.begin(u), w.begin(u)
			e, f := w.entry(u, 8), w.entry(u, 2)
			e.Record.serial, f.Record.serial = 2, 1
			first.Publish(e)
			second.Publish(f)
		}, "u@8", "u@8"},
		{"a write and a read of its outcome", func(w *world) {
			write := w.begin(u)
			w.read(u, 2)
			write.Publish(over(1, w.entry(u, 2)))
		}, "u@2", "u@2"},
		{"a renewal is newer than a slow read of the token that it replaces", func(w *world) {
			slow, renewal := w.begin(u), w.begin(u)
			slow.Publish(w.entry(u, 1))
			e := w.entry(u, 7)
			e.Rejected = w.entry(u, 1).Token.AccessToken
			renewal.Publish(e)
		}, "u@7", "u@7"},
		{"a renewal does not replace a third token", func(w *world) {
			slow, renewal := w.begin(u), w.begin(u)
			slow.Publish(w.entry(u, 3))
			e := w.entry(u, 7)
			e.Rejected = w.entry(u, 1).Token.AccessToken
			renewal.Publish(e)
		}, "none", "u@3"},
		{"a third outcome does not decide the order of two", func(w *world) {
			a, b, c := w.begin(u), w.begin(u), w.begin(u)
			a.Publish(w.entry(u, 1))
			b.Publish(w.entry(u, 2))
			c.Publish(w.entry(u, 1))
		}, "none", "u@1"},

		{"a notification", func(w *world) { w.read(u, 1); w.Invalidate(key(u), 2) }, "none", "u@1"},
		{"a notification of another key", func(w *world) { w.read(u, 1); w.Invalidate(key("v"), 2) }, "u@1", "u@1"},
		{"a notification of what is known", func(w *world) { w.read(u, 1); w.Invalidate(key(u), 1) }, "u@1", "u@1"},
		{"a notification of what was replaced", func(w *world) {
			w.begin(u).Publish(over(1, w.entry(u, 2)))
			w.Invalidate(key(u), 1)
		}, "u@2", "u@2"},
		{"a notification of any version", func(w *world) { w.read(u, 1); w.Invalidate(key(u), 0) }, "none", "u@1"},
		{"a notification of any key", func(w *world) { w.read(u, 1); w.Invalidate("", 0) }, "none", "u@1"},
		{"a read after a notification", func(w *world) { w.read(u, 1); w.Invalidate(key(u), 2); w.read(u, 2) }, "u@2", "u@2"},

		{"a notification during the first read", func(w *world) {
			read := w.begin(u)
			w.Invalidate(key(u), 2)
			read.Publish(w.entry(u, 1))
		}, "none", "u@1"},
		{"a notification during a later read does not lose what was read", func(w *world) {
			w.read(u, 1)
			read := w.begin(u)
			w.Invalidate(key(u), 3)
			read.Publish(w.entry(u, 2))
		}, "none", "u@2"},
		{"a notification, during a read, of what it returns", func(w *world) {
			read := w.begin(u)
			w.Invalidate(key(u), 1)
			read.Publish(w.entry(u, 1))
		}, "u@1", "u@1"},
		{"notifications of two versions during a read", func(w *world) {
			read := w.begin(u)
			w.Invalidate(key(u), 2)
			w.Invalidate(key(u), 1)
			read.Publish(w.entry(u, 1))
		}, "none", "u@1"},
		{"a notification of all keys during a read", func(w *world) {
			read := w.begin(u)
			w.Invalidate("", 0)
			read.Publish(w.entry(u, 1))
		}, "none", "u@1"},
		{"a hundred notifications during a read", func(w *world) {
			read := w.begin(u)
			for range 100 {
				w.Invalidate(key(u), 1)
			}
			read.Publish(w.entry(u, 1))
		}, "none", "u@1"},
		{"a notification during a write of our own", func(w *world) {
			write := w.begin(u)
			w.Invalidate(key(u), 2) // its own
			w.Invalidate(key(u), 3) // a login elsewhere
			write.Publish(over(1, w.entry(u, 2)))
		}, "none", "u@2"},
		{"notifications, during a write, of it and of what it replaced", func(w *world) {
			write := w.begin(u)
			w.Invalidate(key(u), 1)
			w.Invalidate(key(u), 2)
			write.Publish(over(1, w.entry(u, 2)))
		}, "u@2", "u@2"},
		{"a notification during a read that ended without an outcome", func(w *world) {
			w.read(u, 1)
			read := w.begin(u)
			w.Invalidate(key(u), 2)
			read.End()
		}, "none", "u@1"},

		{"a logout", func(w *world) { w.read(u, 1); w.begin(u).Forget() }, "none", "none"},
		{"a logout of what is not there", func(w *world) { w.begin(u).Forget() }, "none", "none"},
		{"a logout during a read", func(w *world) {
			read := w.begin(u)
			w.begin(u).Forget()
			read.Publish(w.entry(u, 1))
		}, "none", "none"},
		{"a logout during a write", func(w *world) {
			w.read(u, 1)
			write := w.begin(u)
			w.begin(u).Forget()
			write.Publish(over(1, w.entry(u, 2)))
		}, "none", "none"},
		{"a login after a logout", func(w *world) {
			w.begin(u).Forget()
			w.begin(u).Publish(w.entry(u, 3))
		}, "u@3", "u@3"},
		{"a logout and a login during a write", func(w *world) {
			write := w.begin(u)
			w.begin(u).Forget()
			w.begin(u).Publish(w.entry(u, 3))
			write.Publish(over(1, w.entry(u, 2)))
		}, "none", "u@3"},

		{"more time for an old token", func(w *world) {
			old := w.read(u, 1)
			w.clock.sleep(time.Minute)
			e := old.Entry()
			e.Recheck = w.Now().Add(time.Minute)
			w.Extend(key(u), old, e)
		}, "u@1", "u@1"},
		{"more time for a token that a notification outdated", func(w *world) {
			old := w.read(u, 1)
			e := old.Entry()
			w.Invalidate(key(u), 2)
			w.Extend(key(u), old, e)
		}, "none", "u@1"},
		{"more time for a token that two notifications outdated", func(w *world) {
			w.read(u, 1)
			w.Invalidate(key(u), 2)
			old := w.Load(u)
			e := old.Entry()
			e.Recheck = w.Now().Add(time.Minute)
			w.Invalidate(key(u), 3)
			w.Extend(key(u), old, e)
		}, "none", "u@1"},
		{"more time for a token that was replaced", func(w *world) {
			old := w.read(u, 1)
			w.read(u, 2)
			w.Extend(key(u), old, old.Entry())
		}, "u@2", "u@2"},
		{"more time for a token that was removed", func(w *world) {
			old := w.read(u, 1)
			w.begin(u).Forget()
			w.Extend(key(u), old, old.Entry())
			w.Extend(key(u), nil, old.Entry())
		}, "none", "none"},
		{"more time in the middle of a read", func(w *world) {
			old := w.read(u, 1)
			read := w.begin(u)
			w.Extend(key(u), old, old.Entry())
			read.Publish(w.entry(u, 2))
		}, "u@2", "u@2"},
		{"a grant without a token", func(w *world) {
			e := w.entry(u, 1)
			e.Token, e.Header = nil, ""
			e.Recheck = cache.Moment{}
			w.begin(u).Publish(e)
		}, "none", "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(10)
			test.do(w)
			w.sees(t, u, test.fresh, test.known)
			if s := w.Load(u); s != nil && test.fresh == "none" && !s.Entry().Recheck.Passed(w.Now()) {
				t.Errorf("Recheck of %s has not passed", token(s))
			}
		})
	}
}

// Publish returns what readers see, so that a caller passes on nothing older.
func TestPublishReturnsWhatIsSeen(t *testing.T) {
	w := newWorld(10)
	slow, gone := w.begin("u"), w.begin("v")
	w.read("u", 2)
	w.begin("v").Forget()
	if got := token(slow.Publish(w.entry("u", 1))); got != "u@2" {
		t.Errorf("Publish of a slow read = %s, want u@2", got)
	}
	if got := gone.Publish(w.entry("v", 1)); got != nil {
		t.Errorf("Publish of a read before a logout = %s, want nil", token(got))
	}
}

// A grant without a token is never fresh, whatever its times.
func TestNoTokenIsNotFresh(t *testing.T) {
	w := newWorld(10)
	e := w.entry("u", 1)
	e.Token, e.Header = nil, ""
	if w.begin("u").Publish(e); w.Fresh("u") != nil || w.Load("u").Entry() != e {
		t.Error("a grant without a token is fresh, or not known")
	}
}

// An outcome that was overtaken does not come back when what overtook it has
// been evicted.
func TestOvertakenByWhatWasEvicted(t *testing.T) {
	w := newWorld(1)
	slow := w.begin("u")
	w.read("u", 2)
	w.read("v", 1)
	if got := slow.Publish(w.entry("u", 1)); got != nil {
		t.Errorf("Publish = %s, want nil", token(got))
	}
	w.sees(t, "u", "none", "none")
}

func TestEntryIsWhatWasPublished(t *testing.T) {
	w := newWorld(10)
	want := over(1, w.entry("u", 2))
	got := w.begin("u").Publish(want).Entry()
	if want.Changed = false; got != want {
		t.Errorf("Entry = %+v, want %+v", got, want)
	}
}

// An Op that has ended is not kept.
func TestOpsEnd(t *testing.T) {
	w := newWorld(10)
	ops := []*cache.Op[record]{w.begin("u"), w.begin("u"), w.begin("u")}
	for ended, i := range []int{1, 0, 2} {
		ops[i].End()
		ops[i].End()
		if got, want := w.Ops(), 2-ended; got != want {
			t.Errorf("Ops = %d, want %d", got, want)
		}
	}
	w.read("u", 1)
	w.begin("u").Forget()
	if got := w.Ops(); got != 0 {
		t.Errorf("Ops = %d, want 0", got)
	}
}
