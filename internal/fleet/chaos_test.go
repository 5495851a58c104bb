//go:build unix

package fleet_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// TestChaosLosesOnlyAnswersThatWereDropped has everything fail at random: the store fails and is slow, the authorization
// server is slow, fails with 503, and drops its answer after it has redeemed a refresh token. It ends a family at the
// second use of a refresh token, and so those users are lost whose answer it dropped or gave too late, and those whose
// request got no answer twice in a row; they are told so.
func TestChaosLosesOnlyAnswersThatWereDropped(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range leaseStores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			chaos(t, kind, 0)
		})
	}
}

// TestChaosLosesNothingWithinAGraceWindow does the same at a server that repeats its answer for a while, with the policy for
// such servers.
func TestChaosLosesNothingWithinAGraceWindow(t *testing.T) {
	long(t)
	t.Parallel()
	for _, kind := range leaseStores() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			chaos(t, kind, time.Hour)
		})
	}
}

func chaos(t *testing.T, kind string, grace time.Duration) {
	f := newFleet(t, kind)
	if grace > 0 {
		f.setup.InDoubt = grant.ResendAlways
		f.fake.Set(func(k *xapi.Knobs) { k.Token.GraceWindow = grace })
	}
	everybody := users(0, scale(60, 400))
	f.login(2*time.Hour, everybody...)
	var workers []*worker
	for i := range 4 {
		s := f.setup
		s.Faults = uint64(i + 1)
		workers = append(workers, startWorker(t, s))
	}
	f.failAtRandom()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.expireAtRandom(ctx, everybody) })
	sum := f.load(workers, everybody, scale(25*time.Second, time.Minute)) // longer than a lease
	cancel()
	wg.Wait()
	f.fake.ClearFaults()

	// Those who still wait for a lease to end are waited for. A store that fails now and then may make it take longer.
	workers = append(workers, f.start(1)...)
	outcomes := f.settle(workers, everybody)
	dropped := f.dropped()
	lost, twice, late := 0, 0, 0
	for user, m := range outcomes {
		switch {
		case m.Kind == worked:
			continue
		case m.Kind != reauthorize:
			t.Errorf("user %s: call = %s: %s", user, outcome(m), m.Text)
		case grace > 0 || m.Reason != tokensource.ReasonInDoubt:
			t.Errorf("user %s is lost: %s", user, m.Text)
		case dropped[user] > 0:
		case f.unansweredTwice(user):
			twice++ // nobody can know that neither request was redeemed
		case f.answeredTooLate(workers, user):
			late++ // the machine was too busy: the answer left the server, and nobody waited for it any more
		default:
			t.Errorf("user %s is lost, and no answer was dropped: %s; requests: %v", user, m.Text, f.tokenRequests()[user])
		}
		lost++
	}
	for user, requests := range f.tokenRequests() {
		f.wantResentOnlyInDoubt(workers, user, requests)
	}
	t.Logf("%s, grace window %v: 4 processes, %d users: %v", kind, grace, len(everybody), &sum)
	t.Logf("%s, grace window %v: %d refresh requests, %v; answers dropped after redeeming: %d, of %d users; grants lost: %d, all in doubt (%d by the rule: two requests in a row without an answer; %d whose answer came too late)",
		kind, grace, f.fake.TokenCalls("refresh_token"), f.statuses(), sumOf(dropped), len(dropped), lost, twice, late)
	if len(dropped) == 0 || sum.Renewed == 0 || late > len(everybody)/10 {
		t.Error("nothing happened, or the machine was too busy for most answers: the test shows nothing")
	}
	if other := sum.Failed - sum.Temporary - sum.Reauthorize; other > 0 || grace > 0 && sum.Reauthorize > 0 {
		t.Errorf("calls that failed otherwise = %d, calls of users who were told to authorize again = %d (lost: %d)", other, sum.Reauthorize, lost)
	}
}

// wantResentOnlyInDoubt checks that a refresh token was used again only after a request whose answer did not arrive.
func (f *fleet) wantResentOnlyInDoubt(workers []*worker, user string, requests []oauthtest.Request) {
	f.Helper()
	again, unanswered := 0, 0
	for _, r := range requests {
		if slices.ContainsFunc(r.Notes, func(note string) bool { return strings.HasPrefix(note, "refresh token used again") }) {
			again++
		}
		if r.Status != http.StatusOK { // also one that the fake took no notice of may have been sent again
			unanswered++
		}
	}
	for _, w := range workers {
		unanswered += w.gaveUpOn(user)
	}
	if again > unanswered {
		f.Errorf("user %s: %d refresh tokens were used again, after %d requests without tokens: %v", user, again, unanswered, requests)
	}
}

// failAtRandom has the authorization server fail in several ways.
func (f *fleet) failAtRandom() {
	refresh := oauthtest.Match{GrantType: "refresh_token"}
	for i, fault := range []struct {
		probability float64
		oauthtest.Fault
	}{
		{0.02, oauthtest.Fault{Commit: true, Drop: true}},
		{0.01, oauthtest.Fault{Commit: true, Delay: f.setup.Timeout + time.Second}}, // the client gives up
		{0.02, oauthtest.Fault{Drop: true}},
		{0.10, oauthtest.Fault{Status: http.StatusServiceUnavailable, Body: xapi.HTMLPage}},
		{0.50, oauthtest.Fault{Delay: 20 * time.Millisecond, Jitter: 500 * time.Millisecond}},
	} {
		refresh.Probability, refresh.Seed = fault.probability, uint64(i)
		f.fake.Inject(refresh, fault.Fault, -1)
	}
}

// settle has all processes call for every user until the outcome is final, and returns it: it must be the same for all.
func (f *fleet) settle(workers []*worker, users []string) map[string]message {
	f.Helper()
	var mu sync.Mutex // guards outcomes
	outcomes := map[string]message{}
	staggered(users, func(user string) {
		ask := func() []message { return together(workers, func(w *worker) message { return final(w, user) }) }
		differ := func(answers []message) bool {
			return slices.ContainsFunc(answers, func(m message) bool { return m.Kind != answers[0].Kind })
		}
		answers := ask()
		if differ(answers) { // the access token may have died between two answers
			answers = ask()
		}
		if differ(answers) {
			f.Errorf("user %s: the processes say %+v", user, answers)
		}
		mu.Lock()
		defer mu.Unlock()
		outcomes[user] = answers[0]
	})
	return outcomes
}

// dropped counts the answers that the server dropped after it had redeemed a refresh token, by user.
func (f *fleet) dropped() map[string]int {
	n := map[string]int{}
	for user, requests := range f.tokenRequests() {
		for _, r := range requests {
			if r.Status == 0 && slices.Contains(r.Notes, "refreshed") {
				n[user]++
			}
		}
	}
	return n
}

// gaveUpOn counts the token requests for user whose time has passed in the process.
func (w *worker) gaveUpOn(user string) int {
	return w.countAll(func(m message) bool { return m.At == gaveUp && m.Subject == user })
}

// answeredTooLate reports whether the last tokens for user were for a process that has given up on a request.
func (f *fleet) answeredTooLate(workers []*worker, user string) bool {
	for _, r := range slices.Backward(f.tokenRequests()[user]) {
		if r.Status == http.StatusOK {
			process := r.Raw().Header.Get(processHeader)
			return slices.ContainsFunc(workers, func(w *worker) bool {
				return strconv.Itoa(w.cmd.Process.Pid) == process && w.gaveUpOn(user) > 0
			})
		}
	}
	return false
}

// unansweredTwice reports whether the last two requests for user got no answer.
func (f *fleet) unansweredTwice(user string) bool {
	requests := f.tokenRequests()[user]
	n := len(requests)
	return n >= 2 && requests[n-1].Status == 0 && requests[n-2].Status == 0
}

// statuses counts the answers to refresh requests by status; 0 means none.
func (f *fleet) statuses() map[int]int {
	n := map[int]int{}
	for _, r := range f.fake.Requests(oauthtest.Match{Op: "token"}) {
		n[r.Status]++
	}
	return n
}

func sumOf(m map[string]int) (n int) {
	for v := range maps.Values(m) {
		n += v
	}
	return n
}
