//go:build linux

package fleet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// TestG4_StoreGoneForAWhile kills the database while four processes work, and
// starts it again later. Processes with a valid token go on, nobody is logged
// out, and tokens that could not be written are written when the database
// answers again.
func TestG4_StoreGoneForAWhile(t *testing.T) {
	onEvery(t, serverStores, func(t *testing.T, kind string) {
		f := newFleet(t, kind)
		if !f.db.Own() {
			t.Skip("needs a database of its own to kill")
		}
		f.setup.Recheck = time.Nanosecond // every call asks the store
		outage(f, scale(10, 100))
	})
}

func outage(f *fleet, n int) {
	valid, expired, writing := users(0, n), users(1000, n), users(2000, n)
	everybody := slices.Concat(valid, expired, writing)
	f.login(2*time.Hour, everybody...)
	workers := f.start(4)
	f.callAll(workers, everybody, worked)
	calls := f.holdBeforeWrite(workers[0], writing)

	f.db.Kill(f.T)
	workers[0].must(order{Do: "release"})
	for i, user := range writing { // the tokens are served from memory
		f.wantWorks("whose token is not written", user, workers[0].await(calls[i]))
		workers[0].awaitEvent(user, string(grant.EventUnsaved))
	}
	f.callAll(workers, valid, worked)
	for _, user := range expired {
		f.fake.ExpireAccess(user)
	}
	f.callAll(workers, expired, temporary)

	f.db.Start(f.T)
	for _, user := range writing {
		workers[0].awaitEvent(user, string(grant.EventSaved))
	}
	workers = append(workers, f.start(1)...)
	each(8, everybody, func(user string) {
		for _, m := range together(workers, func(w *worker) message { return w.final(user) }) {
			f.wantWorks("after the outage", user, m)
		}
	})
	refreshes := f.refreshes()
	for _, user := range slices.Concat(expired, writing) {
		if got := refreshes[user]; got != 1 {
			f.Errorf("user %s: refresh requests = %d, want 1", user, got)
		}
	}
	if got, want := f.fake.TokenCalls("refresh_token"), len(expired)+len(writing); got != want || len(f.ended()) > 0 {
		f.Errorf("refreshes = %d, ended grants = %v, want %d and none", got, f.ended(), want)
	}
}

// callAll has all workers call for each user, and wants a kind of outcome.
func (f *fleet) callAll(workers []*worker, subjects []string, want string) {
	f.Helper()
	each(8, subjects, func(user string) {
		for _, m := range together(workers, func(w *worker) message { return w.call(user) }) {
			if m.Kind != want {
				f.Errorf("user %s: call = %s, want %q", user, m, want)
			}
		}
	})
}

// holdBeforeWrite lets the access tokens of users expire, and brings w to the
// point where it has new ones and is about to write them. It returns the calls
// under way.
func (f *fleet) holdBeforeWrite(w *worker, subjects []string) []chan message {
	f.Helper()
	calls := make([]chan message, len(subjects))
	for i, user := range subjects {
		f.fake.ExpireAccess(user)
		w.arm(user, beforeWrite)
		calls[i] = w.begin(order{Do: "call", Subject: user})
	}
	for i, user := range subjects {
		w.awaitPoint(user, beforeWrite, calls[i])
	}
	return calls
}
