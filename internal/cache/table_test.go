package cache_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/cache"
)

// bits are hashes that are good, bad, and all equal.
var bits = map[string]uint64{"64 bits": ^uint64(0), "2 bits": 3, "no bits": 0}

// The table behaves as a map does, whatever the hashes: a random history of
// logins, reads, notifications and logouts of 60 subjects.
func TestTableIsAMap(t *testing.T) {
	for name, keep := range bits {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1000)
			w.UseBits(keep)
			random := rand.New(rand.NewPCG(1, keep))
			known, fresh := map[string]uint64{}, map[string]bool{}
			for step := uint64(1); step < 5000; step++ {
				subject := fmt.Sprint("subject ", random.IntN(60))
				switch random.IntN(6) {
				case 0, 1, 2:
					w.read(subject, step)
					known[subject], fresh[subject] = step, true
				case 3, 4:
					w.begin(subject).Forget()
					delete(known, subject)
					delete(fresh, subject)
				case 5:
					w.Invalidate(key(subject), 0)
					delete(fresh, subject)
				}
				if step%100 != 0 {
					continue
				}
				for i := range 60 {
					subject := fmt.Sprint("subject ", i)
					wantKnown, wantFresh := "none", "none"
					if version, ok := known[subject]; ok {
						wantKnown = fmt.Sprintf("%s@%d", subject, version)
					}
					if fresh[subject] {
						wantFresh = wantKnown
					}
					w.sees(t, subject, wantFresh, wantKnown)
				}
				if got := w.Len(); got != len(known) {
					t.Fatalf("Len = %d, want %d", got, len(known))
				}
			}
		})
	}
}

// The bytes of a subject up to 51 lie in the snapshot, longer ones are hashed.
func TestSubjectsOfAllLengths(t *testing.T) {
	for name, keep := range bits {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1000)
			w.UseBits(keep)
			var subjects []string
			for _, n := range []int{1, 31, 32, 50, 51, 52, 53, 255, 256, 512, 513, 1000} {
				same := strings.Repeat("x", n-1)
				subjects = append(subjects, same+"a", same+"b")
			}
			// A short subject may have the bytes that stand for a long one.
			for _, long := range subjects {
				sum := sha256.Sum256([]byte(long))
				subjects = append(subjects, string(sum[:]))
			}
			for i, subject := range subjects {
				w.sees(t, subject, "none", "none")
				w.read(subject, uint64(i+1))
			}
			for i, subject := range subjects {
				want := fmt.Sprintf("%s@%d", subject, i+1)
				w.sees(t, subject, want, want)
			}
			for _, subject := range subjects {
				w.begin(subject).Forget()
				w.sees(t, subject, "none", "none")
			}
		})
	}
}

// churn is a cache whose writers log subjects in and out while readers read. It
// uses the clocks of the machine.
type churn struct {
	*cache.Cache[record]
	w *world // for its entries, which never pass
}

func newChurn(keep uint64) *churn {
	c := &churn{cache.New(cache.Options[record]{Limit: 10_000, Idle: time.Hour}), newWorld(1)}
	c.UseBits(keep)
	return c
}

func (c *churn) login(subject string, version uint64) {
	e := c.w.entry(subject, version)
	e.Recheck, e.Refresh, e.Expiry = cache.Never, cache.Never, cache.Never
	c.Begin(key(subject), subject).Publish(e)
}

func (c *churn) logout(subject string) { c.Begin(key(subject), subject).Forget() }

// Readers find the grants that stay while the table grows and shrinks, and
// never get the token of another user, whatever the hashes.
func TestReadersDuringGrowthAndRemoval(t *testing.T) {
	for name, keep := range bits {
		t.Run(name, func(t *testing.T) {
			c := newChurn(keep)
			const staying, coming, rounds = 20, 100, 20
			for i := range staying {
				c.login(fmt.Sprint("staying ", i), 1)
			}
			var done atomic.Bool
			var readers sync.WaitGroup
			for range 2 {
				readers.Go(func() {
					for i := 0; !done.Load(); i++ {
						subject := fmt.Sprint("staying ", i%staying)
						if got, want := token(c.Fresh(subject)), subject+"@1"; got != want {
							t.Errorf("Fresh(%s) = %s, want %s", subject, got, want)
							return
						}
						subject = fmt.Sprint("coming ", i%coming)
						if got := token(c.Fresh(subject)); got != "none" && !strings.HasPrefix(got, subject+"@") {
							t.Errorf("Fresh(%s) = %s, which is another user's", subject, got)
							return
						}
					}
				})
			}
			for round := range uint64(rounds) {
				for i := range coming {
					c.login(fmt.Sprint("coming ", i), round)
				}
				for i := range coming {
					c.logout(fmt.Sprint("coming ", i))
				}
			}
			done.Store(true)
			readers.Wait()
		})
	}
}

// A caller that asks after a logout has returned gets no token, even if logins
// of other users make the table grow meanwhile.
func TestLogoutIsSeenAtOnceAcrossGrowth(t *testing.T) {
	c := newChurn(^uint64(0))
	var writers sync.WaitGroup
	for writer := range 2 {
		writers.Go(func() {
			for i := range 2000 {
				c.login(fmt.Sprint("one of many ", writer, " ", i), 1)
			}
		})
	}
	for i := range uint64(2000) {
		c.login("user", i)
		place := c.Place(key("user"), "user")
		c.logout("user")
		if got := token(c.Fresh("user")) + token(c.Load("user")) + token(c.FreshAt(place)); got != "nonenonenone" {
			t.Errorf("after a logout readers see %s, want none", got)
		}
	}
	writers.Wait()
}

// Two keys may have one hash, too. Then the cache keeps the grant that came
// last, and gives no reader the place of another user.
func TestKeysOfOneHash(t *testing.T) {
	w := newWorld(10)
	w.UseKeyBits(0)
	w.read("u", 1)
	w.read("v", 1)
	w.sees(t, "u", "none", "none")
	w.read("v", 1)
	w.sees(t, "v", "v@1", "v@1")
	w.begin("u").Forget()
	w.sees(t, "v", "none", "none")
}

// Removed grants leave vacant slots, which go when the table is rebuilt.
func TestSlotsAreBoundedUnderChurn(t *testing.T) {
	w := newWorld(1000)
	for i := range 20_000 {
		w.read(fmt.Sprint("subject ", i), 1)
		if i >= 50 {
			w.begin(fmt.Sprint("subject ", i-50)).Forget()
		}
	}
	if got, want := w.Slots(), 128; got > want {
		t.Errorf("Slots = %d with %d grants, want at most %d", got, w.Len(), want)
	}
}
