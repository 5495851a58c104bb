//go:build unix

package fleet_test

import (
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestProcessStoppedPastItsLeaseDoesNoHarm stops processes in the middle of a refresh until another one has taken over, and
// then continues them: none of them sends the refresh token any more, and none overwrites what its successor has stored.
func TestProcessStoppedPastItsLeaseDoesNoHarm(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range leaseStores() {
		for name, grace := range map[string]time.Duration{"": 0, ", grace window": time.Hour} {
			t.Run(kind+name, func(t *testing.T) {
				t.Parallel()
				stopEverywhere(t, kind, grace)
			})
		}
	}
}

// TestProcessStoppedWithinItsLeaseIsWaitedFor stops processes that have new tokens in their hands, and continues them soon:
// everybody waits for them, and the refresh token is sent once.
func TestProcessStoppedWithinItsLeaseIsWaitedFor(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range leaseStores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stopForAMoment(t, kind)
		})
	}
}

func stopForAMoment(t *testing.T, kind string) {
	f := newFleet(t, kind)
	f.setup.Timeout = 20 * time.Second // a lease that outlasts the start of all these processes
	victims, subjects := victimsAt(scale(2, 10), answered, beforeWrite, afterWrite)
	f.loginExpired(subjects)
	sleepers := f.stop(victims)
	others := f.start(1)
	calls := make([]<-chan message, len(victims))
	for i, v := range victims {
		calls[i] = others[0].begin(order{Do: "call", Subject: v.subject})
	}
	<-time.After(2 * time.Second) // a fraction of the lease, and enough for a process to notice that it was stopped
	for _, s := range sleepers {
		s.resume()
	}
	outcomes := map[string]int{}
	for i, s := range sleepers {
		for _, m := range []message{s.await(s.call), others[0].await(calls[i])} {
			outcomes[s.point+": "+outcome(m)]++
			f.wantWorks("after a process was stopped at "+s.point, s.subject, m)
		}
		if n := len(f.tokenRequests()[s.subject]); n != 1 {
			t.Errorf("%s, stopped at %q: refresh requests = %d, want 1", s.subject, s.point, n)
		}
	}
	t.Logf("%s: %d processes stopped at each point for a moment; they and another one: %v", kind, len(victims)/3, outcomes)
}

// sleeper is a process that has stopped in the middle of a refresh.
type sleeper struct {
	victim
	*worker
	call <-chan message
}

func stopEverywhere(t *testing.T, kind string, grace time.Duration) {
	f := newFleet(t, kind)
	f.fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow = grace })
	points := []string{announced, requested, sent, answered, beforeWrite, afterWrite}
	victims, subjects := victimsAt(scale(2, 10), points...)
	f.loginExpired(subjects)
	sleepers := f.stop(victims)

	successor := f.start(1)[0]
	var mu sync.Mutex // guards taken
	taken := map[string]int{}
	staggered(victims, func(v victim) {
		m := final(successor, v.subject)
		mu.Lock()
		defer mu.Unlock()
		taken[v.point+": "+outcome(m)]++
		f.wantTakenOver(v, m, grace)
	})
	before := f.records()
	woken, superseded := f.wake(sleepers, grace)
	overwritten := 0
	for key, version := range f.records() {
		if version != before[key] {
			overwritten++
			t.Errorf("a record changed from version %v to %v when the processes woke", before[key], version)
		}
	}
	f.wantRequests(victims)
	t.Logf("%s, grace window %v: %d processes stopped at each point; the successor: %v; when woken: %v; "+
		"dropped their tokens for the stored ones: %d; records overwritten: %d", kind, grace, len(victims)/len(points), taken, woken, superseded, overwritten)
}

// stop starts one process per victim, and waits until it has stopped in the middle of the refresh.
func (f *fleet) stop(victims []victim) []sleeper {
	sleepers := make([]sleeper, len(victims))
	for i, w := range f.start(len(victims)) {
		v := victims[i]
		w.arm(v.subject, v.point, stop)
		sleepers[i] = sleeper{v, w, w.begin(order{Do: "call", Subject: v.subject})}
	}
	for _, s := range sleepers {
		s.awaitNews(message{At: s.point, Subject: s.subject})
	}
	return sleepers
}

func (f *fleet) wantTakenOver(v victim, m message, grace time.Duration) {
	f.Helper()
	lost := v.point != announced && v.point != afterWrite && grace == 0
	if lost && (m.Kind != reauthorize || m.Reason != tokensource.ReasonInDoubt) || !lost && m.Kind != worked {
		f.Errorf("%s, stopped at %q: the successor's call = %s: %s, want lost: %v", v.subject, v.point, outcome(m), m.Text, lost)
	}
}

// wake continues the processes, and checks what they say: the call that was interrupted may fail for now, and the next one
// is as good as the successor's. It returns what the interrupted calls said, and how many processes gave their tokens up.
func (f *fleet) wake(sleepers []sleeper, grace time.Duration) (said map[string]int, superseded int) {
	f.Helper()
	said = map[string]int{}
	for _, s := range sleepers {
		s.resume()
	}
	for _, s := range sleepers {
		m := s.await(s.call)
		said[s.point+": "+outcome(m)]++
		if m.Kind == otherwise {
			f.Errorf("%s, woken at %q: call = %s", s.subject, s.point, m.Text)
		}
		f.wantTakenOver(s.victim, final(s.worker, s.subject), grace)
		if m := s.do(order{Do: "close"}); m.Kind != worked {
			f.Errorf("%s, woken at %q: Close() = %s", s.subject, s.point, m.Text)
		}
		superseded += s.count(string(grant.EventSuperseded))
	}
	return said, superseded
}

// records returns the version of everything stored.
func (f *fleet) records() map[string]storage.Version {
	f.Helper()
	list := map[string]storage.Version{}
	for key, err := range f.engine.store.(storage.Lister).Keys(f.Context()) {
		if err != nil {
			f.Fatal(err)
		}
		r, err := f.engine.store.Get(f.Context(), key)
		if err != nil {
			f.Fatal(err)
		}
		list[key] = r.Version
	}
	return list
}
