//go:build linux

package fleet_test

import (
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// victim is a subject whose refresh is interrupted at a point.
type victim struct{ subject, point string }

// victimsAt returns n victims per point, and their subjects.
func victimsAt(n int, points ...string) (list []victim, subjects []string) {
	for _, subject := range users(0, n*len(points)) {
		list = append(list, victim{subject, points[len(list)/n]})
		subjects = append(subjects, subject)
	}
	return list, subjects
}

// TestG3_KilledProcessLosesOnlyAnUnstoredAnswer kills a process at every point
// of a refresh, and lets two other processes go on. The server ends a grant at
// the second use of a refresh token. So those users are lost whose new tokens
// had left the server and were not stored, and the processes say so. No other
// user is lost.
func TestG3_KilledProcessLosesOnlyAnUnstoredAnswer(t *testing.T) {
	onEvery(t, everyStore, func(t *testing.T, kind string) { killEverywhere(t, kind, 0) })
}

// TestG3_KilledProcessLosesNothingWithinAGraceWindow does the same at a server
// that repeats its answer for a while.
func TestG3_KilledProcessLosesNothingWithinAGraceWindow(t *testing.T) {
	onEvery(t, everyStore, func(t *testing.T, kind string) { killEverywhere(t, kind, time.Hour) })
}

func killEverywhere(t *testing.T, kind string, grace time.Duration) {
	kills(newFleet(t, kind), kind, grace)
}

func kills(f *fleet, kind string, grace time.Duration) {
	t := f.T
	f.fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow = grace })
	victims, subjects := victimsAt(scale(1, 40), refreshPoints...)
	f.loginExpired(subjects)
	each(4, victims, f.kill)
	survivors := f.successors(2)
	each(len(victims), victims, func(v victim) {
		for _, m := range together(survivors, func(w *worker) message { return w.final(v.subject) }) {
			f.wantTakenOver("killed", v, m, grace)
		}
	})
	f.wantRequests("killed", victims)
	t.Logf("%s, grace window %v: %d processes killed at each point; %d grants lost", kind, grace, len(victims)/len(refreshPoints), len(f.ended()))
}

// kill starts a process, and kills it at the victim's point.
func (f *fleet) kill(v victim) {
	w := startWorker(f.T, f.setup)
	w.arm(v.subject, v.point)
	call := w.begin(order{Do: "call", Subject: v.subject})
	w.awaitPoint(v.subject, v.point, call)
	w.kill()
}

// wantTakenOver checks what another process says about the victim's user. Where
// the refresh token was redeemed, and the new one is lost, the user must log in
// again, unless the server repeats its answer. A request that a killed process
// has just sent may not have reached the server: then the user may be lost or
// not.
func (f *fleet) wantTakenOver(interrupted string, v victim, m message, grace time.Duration) {
	f.Helper()
	_, ended := f.ended()[v.subject]
	lost := unstored(v.point) && grace == 0
	if interrupted == "killed" && v.point == requested {
		lost = ended
	}
	inDoubt := m.Kind == reauthorize && m.Reason == tokensource.ReasonInDoubt
	if ended != lost || lost && !inDoubt || !lost && m.Kind != worked {
		f.Errorf("%s, %s at %q: call = %s, ended at the server: %v, want lost: %v", v.subject, interrupted, v.point, m, ended, lost)
	}
}

// wantRequests checks how often the refresh token of each victim was sent: by
// the victim if it got so far, and by its successor unless the victim has
// stored its tokens.
func (f *fleet) wantRequests(interrupted string, victims []victim) {
	f.Helper()
	n := f.refreshes()
	for _, v := range victims {
		want := 1
		if unstored(v.point) {
			want = 2
		}
		if interrupted == "killed" && v.point == requested {
			want = max(1, min(n[v.subject], 2))
		}
		if got := n[v.subject]; got != want {
			f.Errorf("%s, %s at %q: refresh requests = %d, want %d", v.subject, interrupted, v.point, got, want)
		}
	}
}
