package cache_test

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/cache"
)

// A token is used only while the wall clock and the monotonic clock both say
// that it is valid (G18).
func TestBothClocksEndAToken(t *testing.T) {
	for _, test := range []struct {
		name       string
		mono, wall time.Duration // what the clocks do after the read
		want       string
	}{
		{"nothing", 0, 0, "u@1"},
		{"just before the recheck", 30*time.Second - 1, 30*time.Second - 1, "u@1"},
		{"the recheck", 30 * time.Second, 30 * time.Second, "none"},
		{"the machine sleeps for five hours", 0, 5 * time.Hour, "none"},
		{"the wall clock is set back by an hour, in use", 29 * time.Second, -time.Hour, "u@1"},
		{"the wall clock is set back by an hour, for long", time.Minute, -time.Hour, "none"},
	} {
		w := newWorld(10)
		w.read("u", 1)
		w.clock.now = cache.Moment{Mono: w.clock.now.Mono + test.mono, Wall: w.clock.now.Wall + int64(test.wall)}
		if got := token(w.Fresh("u")); got != test.want {
			t.Errorf("%s: Fresh = %s, want %s", test.name, got, test.want)
		}
	}

	// The end of the token, where it need not be read again before.
	for _, test := range []struct {
		name       string
		mono, wall time.Duration
		want       string
	}{
		{"just before the expiry", time.Hour - 1, time.Hour - 1, "u@1"},
		{"the expiry", time.Hour, time.Hour, "none"},
		{"the wall clock is set back by a day", time.Hour, -24 * time.Hour, "none"},
		{"the machine sleeps", time.Minute, 2 * time.Hour, "none"},
	} {
		w := newWorld(10)
		e := w.entry("u", 1)
		e.Recheck, e.Refresh = cache.Never, cache.Never
		w.begin("u").Publish(e)
		w.clock.now = cache.Moment{Mono: w.clock.now.Mono + test.mono, Wall: w.clock.now.Wall + int64(test.wall)}
		if got := token(w.Fresh("u")); got != test.want {
			t.Errorf("%s: Fresh = %s, want %s", test.name, got, test.want)
		}
	}
}

// A refresh that is due ends the time in which nobody looks.
func TestRefreshIsSeen(t *testing.T) {
	w := newWorld(10)
	e := w.entry("u", 1)
	e.Recheck = cache.Never
	w.begin("u").Publish(e)
	w.clock.sleep(50*time.Minute - 1)
	w.sees(t, "u", "u@1", "u@1")
	w.clock.sleep(1)
	w.sees(t, "u", "none", "u@1")
}

// A token that is read again after the wall clock was set back ends no later.
func TestReadingAgainDoesNotLengthenALife(t *testing.T) {
	for name, test := range map[string]struct {
		next string // the token that is read again
		want string
	}{"the same token": {"u@1", "none"}, "another token": {"u@2", "u@2"}} {
		w := newWorld(10)
		end := time.Unix(0, w.Now().Wall).Add(time.Hour)
		entry := func(token string) cache.Entry[record] {
			e := w.entry("u", 1)
			e.Token = &oauth2.Token{AccessToken: token, Expiry: end}
			e.Recheck, e.Refresh, e.Expiry = cache.Never, cache.Never, w.Now().At(end)
			return e
		}
		w.begin("u").Publish(entry("u@1"))
		w.clock.now.Wall -= int64(10 * time.Hour)
		w.begin("u").Publish(entry(test.next))
		w.clock.sleep(2 * time.Hour)
		if got := token(w.Fresh("u")); got != test.want {
			t.Errorf("%s: Fresh = %s, want %s", name, got, test.want)
		}
	}
}

func TestMoment(t *testing.T) {
	wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := cache.Moment{Mono: time.Minute, Wall: wall.UnixNano()}
	for _, test := range []struct {
		name      string
		got, want cache.Moment
	}{
		{"Add(1s)", now.Add(time.Second), cache.Moment{Mono: time.Minute + time.Second, Wall: now.Wall + 1e9}},
		{"At(in an hour)", now.At(wall.Add(time.Hour)), now.Add(time.Hour)},
		{"At(an hour ago)", now.At(wall.Add(-time.Hour)), now.Add(-time.Hour)},
		{"At(zero)", now.At(time.Time{}), cache.Never},
		{"At(year 9999)", now.At(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), cache.Never},
		{"At(year 1)", now.At(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)), cache.Moment{}},
	} {
		if test.got != test.want {
			t.Errorf("%s = %v, want %v", test.name, test.got, test.want)
		}
	}
	if !(cache.Moment{}).Passed(cache.Moment{}) || cache.Never.Passed(now) {
		t.Error("the zero Moment has not passed, or Never has")
	}
}

// The grants whose publication is longest ago are evicted. So the grants in use
// stay, and a seeded simulation repeats.
func TestEviction(t *testing.T) {
	for _, test := range []struct {
		limit int
		come  string // users in turn
		want  string // the users whose grants are cached at the end
	}{
		{0, "ab", "b"},
		{1, "ab", "b"},
		{2, "abc", "bc"},
		{3, "abcd", "bcd"},
		{3, "abcad", "acd"},
		{4, "abcde", "bcde"},
		{8, "abcdefghai", "adefghi"},
	} {
		w := newWorld(test.limit)
		for _, user := range test.come {
			w.read(string(user), 1)
		}
		var got []string
		for user := 'a'; user < 'z'; user++ {
			if w.Load(string(user)) != nil {
				got = append(got, string(user))
			}
		}
		if strings.Join(got, "") != test.want || w.Len() != len(got) {
			t.Errorf("limit %d, %s: %v stay of %d, want %s", test.limit, test.come, got, w.Len(), test.want)
		}
	}
}

// A user whose grant was evicted can come back. A Place that was removed stays
// empty.
func TestPlaceOfAnEvictedGrant(t *testing.T) {
	w := newWorld(1)
	w.read("u", 1)
	place := w.Place(key("u"), "u")
	w.read("v", 1)
	w.read("u", 2)
	if got := token(w.FreshAt(place)); got != "none" {
		t.Errorf("FreshAt of a removed Place = %s, want none", got)
	}
	if w.FreshAt(nil) != nil {
		t.Error("FreshAt(nil) is a token, want none")
	}
	w.sees(t, "u", "u@2", "u@2")
}

// Grants that nobody uses are removed in time, and then the table shrinks.
func TestIdleGrantsAreRemoved(t *testing.T) {
	w := newWorld(10_000)
	for i := range 1000 {
		w.read(fmt.Sprint("idle ", i), 1)
	}
	slots := w.Slots()
	for _, subject := range []string{"in use", "doubtful"} {
		w.read(subject, 1)
	}
	e := w.entry("long", 1)
	e.Recheck, e.Refresh, e.Expiry = w.Now().Add(24*time.Hour), cache.Never, cache.Never
	w.begin("long").Publish(e)
	doubtful := w.Place(key("doubtful"), "doubtful")
	for range 60 {
		w.read("in use", 1)
		w.read("doubtful", 1)
		w.Invalidate(key("doubtful"), 0)
		w.clock.sleep(30 * time.Second)
	}
	if got := w.Len(); got != 3 {
		t.Errorf("Len = %d after half an hour, want 3", got)
	}
	w.sees(t, "long", "long@1", "long@1")
	w.sees(t, "in use", "none", "in use@1")
	w.sees(t, "doubtful", "none", "doubtful@1")
	if w.Place(key("doubtful"), "doubtful") != doubtful {
		t.Error("a grant in use was removed after a notification, and read anew")
	}
	if got := w.Slots(); got >= slots/8 {
		t.Errorf("Slots = %d, of %d before, want fewer", got, slots)
	}
}

// Two lines of the processor's cache: more would cost another wait for memory.
func TestSnapshotHas128Bytes(t *testing.T) {
	if got := reflect.TypeFor[cache.Snapshot[record]]().Size(); got != 128 {
		t.Errorf("a Snapshot has %d bytes, want 128", got)
	}
}

func TestReadersAllocateNothing(t *testing.T) {
	c := newChurn(^uint64(0))
	for _, n := range []int{19, 51, 52, 512} {
		subject := strings.Repeat("x", n)
		c.login(subject, 1)
		place := c.Place(key(subject), subject)
		for name, read := range map[string]func() bool{
			"Fresh":   func() bool { return c.Fresh(subject) != nil },
			"FreshAt": func() bool { return c.FreshAt(place) != nil },
			"Load":    func() bool { return c.Load(subject) != nil },
		} {
			got := testing.AllocsPerRun(1000, func() {
				if !read() {
					t.Errorf("%s finds nothing", name)
				}
			})
			if got != 0 {
				t.Errorf("%s of %d bytes: %v allocations, want none", name, n, got)
			}
		}
	}
}

// A user costs a Snapshot and its rest, a Place, two or three slots, and an
// entry of the index by storage keys. Tokens, names and records are not
// counted.
func TestMemoryOfAUser(t *testing.T) {
	const users, most = 50_000, 300
	w := newWorld(users)
	subjects := make([]string, users)
	for i := range subjects {
		subjects[i] = fmt.Sprintf("%019d", i)
	}
	e := w.entry("u", 1)
	before := heap()
	for _, subject := range subjects {
		w.begin(subject).Publish(e)
	}
	if got := (heap() - before) / users; got > most {
		t.Errorf("a user takes %d bytes, want at most %d", got, most)
	}
	runtime.KeepAlive(slices.Concat(subjects, []string{fmt.Sprint(w.Len())}))
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
