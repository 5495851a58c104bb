package grant_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

const (
	everySecond = time.Second
	oneRound    = 256 * 5 / 4 * time.Second // in which a Keeper looks at every part of the index
)

// G20: A revocation that the server has not confirmed waits in the store until
// any process has made it, and after a week it is reported and dropped.
func TestG20_AnotherProcessRevokesWhatAProcessLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Revoke.RefreshOnlyItself = true })
		doomed := w.Process(nil)
		w.Login(doomed)
		w.revocationsFail(2)
		testworld.WantIs(t, doomed.Logout(t.Context(), w.User), tokensource.ErrTemporary)
		if err := doomed.Close(); err != nil {
			t.Fatal(err)
		}
		if g := w.inspect(); g.Unrevoked != 2 || g.Refreshable {
			t.Errorf("stored is %+v, want two tokens to revoke and none in use", g)
		}
		w.Process(&grant.Options{DueInterval: everySecond})
		time.Sleep(2*time.Minute + oneRound)
		w.wantEnded()
		w.wantNothingAlive()
	})
}

func TestG20_APauseFollowsEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(&grant.Options{DueInterval: 30 * time.Second}) // a round takes two hours
		w.Login(g)
		w.revocationsFail(-1)
		if err := g.Logout(t.Context(), w.User); err == nil {
			t.Error("Logout() = nil though the server answers 503")
		}
		const day = 24 * time.Hour
		time.Sleep(day)
		attempts := 0
		for _, r := range w.Fake.Requests() {
			if r.Path == xapi.PathRevoke {
				attempts++
			}
		}
		// Two tokens, and pauses that double from 10 seconds to an hour.
		if attempts < 14 || attempts > 2*(9+24) {
			t.Errorf("requests to revoke in a day = %d, want 14 to 66", attempts)
		}
		if n := w.Saw(grant.EventUnrevoked); n != 0 {
			t.Errorf("EventUnrevoked was seen %d times in a day, want none", n)
		}
		time.Sleep(6*day + 6*time.Hour)
		if n := w.Saw(grant.EventUnrevoked); n != 1 {
			t.Errorf("EventUnrevoked was seen %d times in a week, want once", n)
		}
		if n := len(w.grants()); n != 0 {
			t.Errorf("grants in the store after the end = %d, want none", n)
		}
	})
}

// A login over a grant with too many tokens to revoke reports the one that it
// drops when it is stored, and not when a write of it fails.
func TestADroppedRevocationIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		w.revocationsFail(-1)
		for range 17 {
			w.Login(g)
		}
		before := w.Saw(grant.EventUnrevoked)
		full := w.inspect().Unrevoked
		conflicts := 3
		w.Store.On(func(_ context.Context, op string) error {
			if op != "put" || conflicts == 0 {
				return nil
			}
			conflicts--
			return storage.ErrConflict
		})
		w.Login(g)
		if n := w.Saw(grant.EventUnrevoked) - before; n != 1 || conflicts != 0 || w.inspect().Unrevoked != full {
			t.Errorf("%d events, %d conflicts left, %d tokens to revoke, want 1, none and %d", n, conflicts, w.inspect().Unrevoked, full)
		}
	})
}

// A tombstone keeps late writes out for a day.
func TestG7_ATombstoneIsSweptAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(&grant.Options{DueInterval: time.Minute})
		w.Login(g)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		key := w.keyOf(w.User)
		time.Sleep(23 * time.Hour)
		if n := len(w.grants()); n != 1 {
			t.Errorf("grants in the store 23 hours after the logout = %d, want the tombstone", n)
		}
		time.Sleep(time.Hour + 60*oneRound)
		if n := len(w.grants()); n != 0 {
			t.Errorf("grants in the store a day after the logout = %d, want none", n)
		}
		part, err := w.Store.Store.Get(t.Context(), grant.PartOf(key))
		if err != nil || strings.Contains(string(part.Value()), key) {
			t.Errorf("the index of due work still names the grant, %v", err)
		}
		_, err = g.Source(w.User).Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

// A grant with something due is worked off by the next process that reads it.
func TestG20_AGrantThatIsUsedIsWorkedOffAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		g, other := w.Process(nil), w.Process(nil)
		w.save(g, w.issue())
		w.revocationsFail(2)
		w.save(g, w.issue())
		synctest.Wait()
		if n := w.live(); n != 2 {
			t.Fatalf("live refresh tokens = %d, want those of both logins: the revocation failed", n)
		}
		time.Sleep(11 * time.Second)
		if !w.Works(w.Token(other)) {
			t.Error("the second login does not work")
		}
		synctest.Wait()
		if n := w.live(); n != 1 {
			t.Errorf("live refresh tokens = %d, want that of the second login only", n)
		}
	})
}

func TestAStoreWithoutWorkCostsOneReadASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var reads, writes atomic.Int64
		w.Store.On(func(_ context.Context, op string) error {
			if op == "get" {
				reads.Add(1)
			} else {
				writes.Add(1)
			}
			return nil
		})
		g := w.Process(&grant.Options{DueInterval: everySecond})
		time.Sleep(time.Hour)
		if n := reads.Load(); n < 3500 || n > 3700 {
			t.Errorf("reads in an idle hour = %d, want about 3600", n)
		}
		if n := writes.Load(); n != 0 {
			t.Errorf("writes in an idle hour = %d, want none", n)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		before := reads.Load()
		time.Sleep(time.Hour)
		if n := reads.Load() - before; n != 0 {
			t.Errorf("reads in the hour after Close = %d, want none", n)
		}
	})
}

// The index is written before the grant. If the store takes neither, the logout
// has not happened, and says so.
func TestALogoutThatCannotBeIndexedIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := storagetest.NewFaulty(w.Store, func(op, key string, _ int) storagetest.Fault {
			if op == "Put" && strings.HasPrefix(key, "due.") {
				return storagetest.Fault{Err: testworld.ErrStore}
			}
			return storagetest.Fault{}
		})
		g := w.ProcessOn(store, nil)
		w.Login(g)
		testworld.WantIs(t, g.Logout(t.Context(), w.User), tokensource.ErrTemporary)
		if seen := w.inspect(); !seen.LoggedOut.IsZero() || !seen.Refreshable {
			t.Errorf("stored is %+v, want the living grant", seen)
		}
		if w.Saw(grant.EventLoggedOut) != 0 {
			t.Error("the hook has heard of a logout that was not stored")
		}
	})
}

// A process that is stopped between the write of the index and the write of the
// grant may find the entry gone. It enters the grant again before it writes.
func TestALogoutThatWasStoppedAfterTheIndexEntersItAgain(t *testing.T) {
	for name, mono := range map[string]time.Duration{"stopped": 5 * time.Minute, "suspended": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var c clocks
				var puts []string // since the logout began, by kind
				begun := false
				store := storagetest.NewFaulty(w.Store, func(op, key string, _ int) storagetest.Fault {
					if !begun || op != "Put" {
						return storagetest.Fault{}
					}
					kind, _, _ := strings.Cut(key, ".")
					if puts = append(puts, kind); len(puts) == 1 {
						c.wall.Store(int64(5 * time.Minute))
						c.mono.Store(int64(mono))
					}
					return storagetest.Fault{}
				})
				g := w.ProcessOn(store, &grant.Options{Clock: c.clock(), DueInterval: -1})
				w.Login(g)
				begun = true
				if err := g.Logout(t.Context(), w.User); err != nil {
					t.Errorf("Logout() = %v, want nil", err)
				}
				if len(puts) < 3 || puts[0] != "due" || puts[1] != "due" || puts[2] != "grant" {
					t.Errorf("the logout wrote %q, want the index twice before the grant", puts)
				}
			})
		})
	}
}

// Another process writes to the same part of the index at the same moment.
func TestG20_AnEntryThatIsOvertakenIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conflicts := 2
		store := storagetest.NewFaulty(w.Store, func(op, key string, _ int) storagetest.Fault {
			if op == "Put" && strings.HasPrefix(key, "due.") && conflicts > 0 {
				conflicts--
				return storagetest.Fault{Err: storage.ErrConflict}
			}
			return storagetest.Fault{}
		})
		g := w.ProcessOn(store, nil)
		w.Login(g)
		key := w.keyOf(w.User)
		if err := g.Logout(t.Context(), w.User); err != nil {
			t.Fatal(err)
		}
		part, err := w.Store.Store.Get(t.Context(), grant.PartOf(key))
		if err != nil || !strings.Contains(string(part.Value()), key) {
			t.Errorf("the index does not name the grant, %v", err)
		}
	})
}

// A part of a later version stops no logout either: while a deployment is under
// way, both versions run. That part is left as it is.
func TestADamagedIndexStopsNoLogout(t *testing.T) {
	tests := []struct {
		name    string
		value   string
		written bool
	}{
		{"noise", "\x01noise", true},
		{"nothing", "", true},
		{"a later format", "\x63", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.Process(nil)
				w.Login(g)
				part := grant.PartOf(w.keyOf(w.User))
				if _, err := w.Store.Store.Put(t.Context(), part, []byte(tt.value), 0); err != nil {
					t.Fatal(err)
				}
				if err := g.Logout(t.Context(), w.User); err != nil {
					t.Errorf("Logout() = %v, want none", err)
				}
				if now, err := w.Store.Store.Get(t.Context(), part); err != nil || (string(now.Value()) == tt.value) == tt.written {
					t.Errorf("the index was written: %t, %v, want %t", string(now.Value()) != tt.value, err, tt.written)
				}
				w.wantEnded()
			})
		})
	}
}

// Grants that nobody can read are looked at once an hour, and stop no others.
func TestAnUnreadableGrantDoesNotStopTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		key := w.keyOf(w.User)
		var looks atomic.Int64
		store := storagetest.NewFaulty(w.Store, func(op, k string, _ int) storagetest.Fault {
			if op == "Get" && k == key {
				looks.Add(1)
			}
			return storagetest.Fault{}
		})
		g := w.ProcessOn(store, &grant.Options{DueInterval: everySecond})
		w.Login(g)
		w.revocationsFail(2)
		if err := g.Logout(t.Context(), w.User); err == nil {
			t.Fatal("Logout() = nil though the server answers 503")
		}
		good, err := w.Store.Store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		bad, err := w.Store.Store.Put(t.Context(), key, []byte("noise"), good.Version)
		if err != nil {
			t.Fatal(err)
		}
		before := looks.Load()
		time.Sleep(6 * time.Hour)
		if n := looks.Load() - before; n < 4 || n > 7 {
			t.Errorf("looks at an unreadable grant in six hours = %d, want 4 to 7", n)
		}
		if _, err := w.Store.Store.Put(t.Context(), key, good.Value(), bad); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + oneRound)
		w.wantEnded()
	})
}

// An entry is never due sooner than a writer needs to write the grant.
// Otherwise another process could remove it before that.
func TestIndexOfDueWork(t *testing.T) {
	at := func(minute int) time.Time { return time.Unix(int64(60*minute), 0) }
	part := []grant.DueEntry{{Key: "a", At: at(1)}, {Key: "c", At: at(9)}}
	tests := []struct {
		name    string
		key     string
		due     int
		want    []grant.DueEntry
		changed bool
	}{
		{"a new one", "b", 7, []grant.DueEntry{part[0], {Key: "b", At: at(7)}, part[1]}, true},
		{"a new one that is overdue", "b", 0, []grant.DueEntry{part[0], {Key: "b", At: at(5)}, part[1]}, true},
		{"sooner than before", "c", 7, []grant.DueEntry{part[0], {Key: "c", At: at(7)}}, true},
		{"later than before", "c", 12, part, false},
		{"due already", "a", 7, []grant.DueEntry{{Key: "a", At: at(5)}, part[1]}, true},
	}
	for _, tt := range tests {
		got, changed := grant.Entered(part, tt.key, at(tt.due), at(5))
		if !slices.Equal(got, tt.want) || changed != tt.changed {
			t.Errorf("%s: with(%s, %v) = %v, %t, want %v, %t", tt.name, tt.key, at(tt.due), got, changed, tt.want, tt.changed)
		}
	}
	if got := grant.WorkedOff(part, part[0], time.Time{}); !slices.Equal(got, part[1:]) {
		t.Errorf("after(a, never) = %v, want it removed", got)
	}
	if got := grant.WorkedOff(part, part[0], at(20)); got[0].At != at(20) {
		t.Errorf("after(a, again) = %v, want the new time", got)
	}
	changed := grant.DueEntry{Key: "a", At: at(0)} // another process has entered it since
	if got := grant.WorkedOff(part, changed, time.Time{}); !slices.Equal(got, part) {
		t.Errorf("after(a, changed meanwhile) = %v, want it left alone", got)
	}
}

func TestIndexOfDueWorkIsBounded(t *testing.T) {
	var full []grant.DueEntry
	for i := range 8192 {
		full = append(full, grant.DueEntry{Key: fmt.Sprintf("grant.%064d", i), At: time.Unix(60, 0)})
	}
	if got, changed := grant.Entered(full, "grant.b", time.Unix(0, 0), time.Unix(0, 0)); len(got) != 8192 || changed {
		t.Errorf("a full part has %d entries after another one, want 8192", len(got))
	}
	if got, changed := grant.Entered(full, full[7].Key, time.Unix(0, 0), time.Unix(0, 0)); len(got) != 8192 || !changed {
		t.Error("an entry of a full part cannot be changed")
	}
}

// Tokens of a refresh cannot be stored while the background writer revokes
// others. It writes them when it has done that.
func TestTheBackgroundWriterGoesOnWithWhatHasComeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		var refuse atomic.Bool
		store := &writeStore{Store: w.Store, before: func(g grant.Grant) error {
			if refuse.Load() && g.RedeemingSince.IsZero() {
				return testworld.ErrStore
			}
			return nil
		}}
		g, other := w.ProcessOn(store, nil), w.Process(nil)
		w.save(g, w.issue())
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Delay: 10 * time.Second}, 2)
		second := w.issue()
		w.save(g, second) // the tokens of the first login are being revoked now
		refuse.Store(true)
		third := w.renew(g, second)
		refuse.Store(false)
		time.Sleep(time.Minute)
		if got := w.Token(other); got.AccessToken != third.AccessToken {
			t.Error("the renewed tokens are not stored")
		}
	})
}

func FuzzIndexOfDueWork(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte("\x01\x05grant\x02"))
	f.Add([]byte("\x01\x01a\x02\x01b\x04"))
	f.Add([]byte("\x02\x01a\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, again, err := grant.RecodePart(b)
		if err != nil {
			if len(b) == 0 || b[0] == 1 {
				t.Errorf("decodePart(%q) = %v, want no error", b, err)
			}
			return
		}
		if m, _, err := grant.RecodePart(again); err != nil || m != n {
			t.Errorf("decodePart(encodePart(%d entries)) = %d entries, %v", n, m, err)
		}
	})
}

func TestIndexOfDueWorkRefusesOneOfALaterVersion(t *testing.T) {
	if _, _, err := grant.RecodePart([]byte{99}); err == nil || !strings.Contains(err.Error(), "upgrade") || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("decodePart(format 99) = %v, want an error that says what to do", err)
	}
}
