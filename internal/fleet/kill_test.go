//go:build unix

package fleet_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// victim is a subject whose refresh is interrupted at a point.
type victim struct{ subject, point string }

// victimsAt returns n victims per point.
func victimsAt(n int, points ...string) (list []victim, subjects []string) {
	for _, subject := range users(0, n*len(points)) {
		list = append(list, victim{subject, points[len(list)%len(points)]})
		subjects = append(subjects, subject)
	}
	return list, subjects
}

// TestKilledProcessLosesOnlyAnUnstoredAnswer kills a process at every point of a refresh, again and again, and has two others
// go on. A server that ends a family at the second use of a refresh token takes those users away whose new tokens had
// left it and were not stored; they are told so. Nobody else is lost.
func TestKilledProcessLosesOnlyAnUnstoredAnswer(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range leaseStores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killEverywhere(t, kind, 0)
		})
	}
}

// TestKilledProcessLosesNothingWithinAGraceWindow does the same at a server that repeats its answer for a while.
func TestKilledProcessLosesNothingWithinAGraceWindow(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range leaseStores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killEverywhere(t, kind, time.Hour)
		})
	}
}

func killEverywhere(t *testing.T, kind string, grace time.Duration) {
	f := newFleet(t, kind)
	f.fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow = grace })
	victims, subjects := victimsAt(scale(5, 100), announced, requested, sent, answered, beforeWrite, afterWrite)
	f.loginExpired(subjects)
	each(4, victims, func(v victim) { f.kill(v) })
	killed := time.Now()

	survivors := f.start(2)
	var mu sync.Mutex // guards outcomes
	outcomes := map[string]map[string]int{}
	staggered(victims, func(v victim) {
		answers := together(survivors, func(w *worker) message { return final(w, v.subject) })
		mu.Lock()
		defer mu.Unlock()
		if outcomes[v.point] == nil {
			outcomes[v.point] = map[string]int{}
		}
		for _, m := range answers {
			if m.Kind != answers[0].Kind {
				t.Errorf("%s, killed at %q: one survivor says %q, another %q", v.subject, v.point, answers[0].Kind, m.Kind)
			}
		}
		outcomes[v.point][outcome(answers[0])]++
		lost := grace == 0 && v.point != announced && v.point != afterWrite
		m := answers[0]
		told := m.Kind == reauthorize && m.Reason == tokensource.ReasonInDoubt
		if m.Kind == worked && v.point == requested { // the server has noticed in time that nobody waits for its answer
			told = true
		}
		if lost && !told || !lost && m.Kind != worked {
			t.Errorf("%s, killed at %q: call = %s: %s, want lost: %v", v.subject, v.point, outcome(m), m.Text, lost)
		}
	})
	for _, point := range []string{announced, requested, sent, answered, beforeWrite, afterWrite} {
		t.Logf("%s, grace window %v: %d processes killed at %q: %v", kind, grace, len(victims)/6, point, outcomes[point])
	}
	t.Logf("%s, grace window %v: %d families ended at the server; settled %v after the last kill (lease %v)",
		kind, grace, len(f.ended()), time.Since(killed).Round(100*time.Millisecond), f.lease())
	f.wantRequests(victims)
}

// loginExpired has subjects authorize and lets their access tokens die: half of them in a way that the fleet knows of.
func (f *fleet) loginExpired(subjects []string) {
	f.Helper()
	half := len(subjects) / 2
	f.login(2*time.Hour, subjects[:half]...)
	f.login(-time.Second, subjects[half:]...)
	f.fake.ExpireAccess("")
}

// kill starts a process, and has it killed at v's point.
func (f *fleet) kill(v victim) {
	w := startWorker(f.T, f.setup)
	w.arm(v.subject, v.point, kill)
	call := w.begin(order{Do: "call", Subject: v.subject})
	if !w.awaitNews(message{At: v.point, Subject: v.subject}) {
		f.Errorf("call = %+v", w.await(call))
	}
	w.wantKilled()
}

// wantRequests checks that every refresh token was sent as often as it had to be: once by the victim, if it got so far, and
// once by whoever took over, if the victim had not stored its tokens.
func (f *fleet) wantRequests(victims []victim) {
	f.Helper()
	requests := f.tokenRequests()
	for _, v := range victims {
		want := 2
		if v.point == announced || v.point == afterWrite {
			want = 1
		}
		if got := requests[v.subject]; len(got) != want && (v.point != requested || len(got) != 1) {
			f.Errorf("%s, interrupted at %q: refresh requests = %v, want %d", v.subject, v.point, got, want)
		}
	}
}

// outcome says what became of a call, in a word or two.
func outcome(m message) string {
	switch {
	case m.Kind == worked:
		return "works"
	case m.Reason != "":
		return fmt.Sprintf("%s (%s)", m.Kind, m.Reason)
	}
	return m.Kind
}
