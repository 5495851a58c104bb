//go:build linux

package fleet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestG3_ProcessStoppedPastItsLeaseDoesNoHarm stops processes in the middle of
// a refresh until another one has taken over, and then continues them. None of
// them sends the refresh token then, and none changes the grant that its
// successor has stored.
func TestG3_ProcessStoppedPastItsLeaseDoesNoHarm(t *testing.T) {
	onEvery(t, everyStore, func(t *testing.T, kind string) { stopEverywhere(t, kind, 0) })
}

// TestG3_ProcessStoppedPastItsLeaseLosesNothingWithinAGraceWindow does the same
// at a server that repeats its answer for a while. There the stopped process
// and its successor obtain the same tokens.
func TestG3_ProcessStoppedPastItsLeaseLosesNothingWithinAGraceWindow(t *testing.T) {
	onEvery(t, everyStore, func(t *testing.T, kind string) { stopEverywhere(t, kind, time.Hour) })
}

func stopEverywhere(t *testing.T, kind string, grace time.Duration) {
	f := newFleet(t, kind)
	f.fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow = grace })
	victims, subjects := victimsAt(scale(1, 5), refreshPoints...)
	f.loginExpired(subjects)
	sleepers := f.stop(victims)
	successor := f.successors(1)[0]
	each(len(victims), victims, func(v victim) { f.wantTakenOver("stopped", v, successor.final(v.subject), grace) })
	before := f.stored(subjects)

	said := map[string]int{}
	for _, s := range sleepers {
		s.resume()
	}
	for _, s := range sleepers {
		m := s.await(s.call)
		if m.Kind == otherwise {
			t.Errorf("%s, continued at %q: call = %s", s.subject, s.point, m)
		}
		said[s.point+": "+m.Kind]++
		f.wantTakenOver("stopped", s.victim, s.final(s.subject), grace)
		s.must(order{Do: "close"})
	}
	for subject, after := range f.stored(subjects) {
		if after != before[subject] {
			t.Errorf("user %s: a process that was continued changed the grant from %+v to %+v", subject, before[subject], after)
		}
	}
	f.wantRequests("stopped", victims)
	t.Logf("%s, grace window %v: %d processes stopped at each point; their calls, when continued: %v",
		kind, grace, len(victims)/len(refreshPoints), said)
}

// TestG1_ProcessStoppedWithinItsLeaseIsWaitedFor stops processes in the middle
// of a refresh, and continues them within their lease. Another process waits
// for them, and each refresh token is sent once.
func TestG1_ProcessStoppedWithinItsLeaseIsWaitedFor(t *testing.T) {
	onEvery(t, everyStore, func(t *testing.T, kind string) {
		f := newFleet(t, kind)
		f.setup.Timeout = 2 * patience // the lease does not end during the test
		victims, subjects := victimsAt(scale(1, 5), announced, requested, sent, answered, beforeWrite)
		f.loginExpired(subjects)
		sleepers := f.stop(victims)
		other := f.start(1)[0]
		calls := make([]chan message, len(victims))
		for i, v := range victims {
			other.arm(v.subject, waiting)
			calls[i] = other.begin(order{Do: "call", Subject: v.subject})
		}
		for i, v := range victims {
			other.awaitPoint(v.subject, waiting, calls[i])
		}
		other.must(order{Do: "release"})
		for i, s := range sleepers {
			s.resume()
			f.wantWorks("of a process stopped at "+s.point, s.subject, s.await(s.call))
			f.wantWorks("of a process that waited, "+s.point, s.subject, other.await(calls[i]))
			if n := f.refreshes()[s.subject]; n != 1 {
				t.Errorf("%s, stopped at %q: refresh requests = %d, want 1", s.subject, s.point, n)
			}
		}
	})
}

// sleeper is a process that was stopped in the middle of a refresh.
type sleeper struct {
	victim
	*worker
	call chan message
}

// stop starts one process per victim, and stops it at the victim's point. What
// made it wait there is released: it goes on as soon as it is continued.
func (f *fleet) stop(victims []victim) []sleeper {
	f.Helper()
	sleepers := make([]sleeper, len(victims))
	for i, w := range f.start(len(victims)) {
		v := victims[i]
		w.arm(v.subject, v.point)
		sleepers[i] = sleeper{v, w, w.begin(order{Do: "call", Subject: v.subject})}
	}
	for _, s := range sleepers {
		s.awaitPoint(s.subject, s.point, s.call)
		s.stop()
		s.begin(order{Do: "release"})
	}
	return sleepers
}

// stored returns the grants of users as they are stored. Tokens that are queued
// for revocation do not count: a process that was continued may queue its own.
func (f *fleet) stored(subjects []string) map[string]string {
	f.Helper()
	list := map[string]string{}
	for _, subject := range subjects {
		g, err := f.engine.grants.Grant(f.Context(), subject)
		if err != nil {
			f.Errorf("Grant(%s) = %v", subject, err)
		}
		g.Unrevoked, g.UnrevokedSince, g.RevokeTries, g.RevokeAt = 0, time.Time{}, 0, time.Time{}
		list[subject] = fmt.Sprintf("%+v", g)
	}
	return list
}
