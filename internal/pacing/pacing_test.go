package pacing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/pacing"
	"github.com/authtrip/authtrip/tokensource"
)

func TestBackoff(t *testing.T) {
	tests := []struct {
		name              string
		failures          uint64
		asked             time.Duration
		shortest, longest time.Duration
	}{
		{"none yet", 0, 0, time.Second / 2, time.Second},
		{"the first", 1, 0, time.Second / 2, time.Second},
		{"the third", 3, 0, 2 * time.Second, 4 * time.Second},
		{"the sixth", 6, 0, 16 * time.Second, 32 * time.Second},
		{"the seventh", 7, 0, 30 * time.Second, time.Minute},
		{"very many", 1 << 60, 0, 30 * time.Second, time.Minute},
		{"the server asks for more", 1, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute},
		{"the server asks for less", 7, time.Second, 30 * time.Second, time.Minute},
		{"the server asks for a day", 1, 24 * time.Hour, 5 * time.Minute, 5 * time.Minute},
	}
	for _, tt := range tests {
		// With these numbers as jitter, the pause is the shortest and the longest.
		for jitter, want := range map[uint64]time.Duration{0: tt.shortest, uint64(tt.longest / 2): tt.longest} {
			if got := pacing.Backoff(tt.failures, tt.asked, jitter); got != want {
				t.Errorf("%s: Backoff(%d, %v, %d) = %v, want %v", tt.name, tt.failures, tt.asked, jitter, got, want)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	for jitter, want := range map[uint64]time.Duration{0: 45 * time.Second, uint64(30 * time.Second): 75 * time.Second} {
		if got := pacing.Spread(time.Minute, jitter); got != want {
			t.Errorf("Spread(1m, %d) = %v, want %v", jitter, got, want)
		}
	}
}

var (
	outage  = &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Status: 503}
	client  = &tokensource.Error{Op: "refresh", Kind: tokensource.ErrClient, Code: "invalid_client", Status: 401}
	refused = &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Code: "invalid_grant", Status: 400}
	start   = time.Unix(1_000_000, 0)
)

// reported returns a Breaker to which each failure was reported n times.
func reported(n int, failures ...error) *pacing.Breaker {
	b := new(pacing.Breaker)
	for _, err := range failures {
		for range n {
			b.Report(err, "", start, 0)
		}
	}
	return b
}

func TestBreakerAdmits(t *testing.T) {
	tests := []struct {
		name     string
		n        int
		failures []error
		admits   bool
	}{
		{"nothing has failed", 0, nil, true},
		{"four failures", 4, []error{outage}, true},
		{"five failures", 5, []error{outage}, false},
		{"a client that is refused", 5, []error{client}, false},
		{"refused grants", 50, []error{refused}, true},
		{"a caller that has left", 50, []error{context.Canceled}, true},
		{"a success after the failures", 5, []error{outage, nil}, true},
		{"a refused grant after the failures", 5, []error{outage, refused}, true},
	}
	for _, tt := range tests {
		if err := reported(tt.n, tt.failures...).Allow(start); (err == nil) != tt.admits {
			t.Errorf("%s: Allow() = %v, want an attempt admitted: %t", tt.name, err, tt.admits)
		}
	}
}

// Each failure is followed by one attempt after a pause that grows. The outcome
// of that attempt decides about all others.
func TestBreakerAdmitsOneAttemptPerPause(t *testing.T) {
	b, now := reported(5, outage), start
	for _, pause := range []time.Duration{time.Second / 2, time.Second, 2 * time.Second, 4 * time.Second} {
		err := b.Allow(now.Add(pause - 1))
		e, _ := errors.AsType[*tokensource.Error](err)
		if e == nil || e.RetryAfter != 1 || !errors.Is(err, tokensource.ErrTemporary) || e.Status != 503 {
			t.Fatalf("Allow(before %v have passed) = %+v, want the last failure and the time that is left", pause, e)
		}
		now = now.Add(pause)
		if err := b.Allow(now); err != nil {
			t.Fatalf("Allow(after %v) = %v, want one attempt", pause, err)
		}
		if b.Allow(now) == nil {
			t.Fatalf("a second attempt is admitted %v after the last failure, before the first one has an outcome", pause)
		}
		b.Report(outage, "", now, 0)
	}
	b.Report(nil, "", now, 0)
	for range 3 {
		if err := b.Allow(now); err != nil {
			t.Errorf("Allow(after a success) = %v, want nil", err)
		}
	}
}

// A wall clock that was fast during the failures and is right again must not
// stop every attempt until it catches up (G18).
func TestBreakerAdmitsAfterTheClockWasSetBack(t *testing.T) {
	b := reported(5, outage)
	if err := b.Allow(start.Add(-48 * time.Hour)); err != nil {
		t.Errorf("Allow(48 hours before the last failure) = %v, want an attempt", err)
	}
}

// Trouble of one grant must not slow the others (G17).
func TestBreakerCountsGrants(t *testing.T) {
	for _, tt := range []struct {
		name   string
		grants int
		failed []string
		admits bool
	}{
		{"one grant fails for ever", 2, []string{"a", "a", "a", "a", "a", "a", "a", "a", "a", "a"}, true},
		{"two grants fail", 2, []string{"a", "b", "a", "b", "a"}, false},
		{"the second grant fails late", 2, []string{"a", "a", "a", "a", "a", "a", "b"}, false},
		{"two grants fail too seldom", 2, []string{"a", "b", "a", "b"}, true},
		{"five grants fail", 2, []string{"a", "b", "c", "d", "e"}, false},
		{"a program with one token", 0, []string{"a", "a", "a", "a", "a"}, false},
	} {
		b := &pacing.Breaker{Grants: tt.grants}
		for _, grant := range tt.failed {
			b.Report(outage, grant, start, 0)
		}
		if err := b.Allow(start); (err == nil) != tt.admits {
			t.Errorf("%s: Allow() = %v, want an attempt admitted: %t", tt.name, err, tt.admits)
		}
	}
}

func TestShared(t *testing.T) {
	temporary := func(status int) error {
		return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Status: status}
	}
	refusal := func(status int, code string) error {
		return &tokensource.Error{Op: "refresh", Kind: tokensource.ErrClient, Status: status, Code: code}
	}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"nobody answers", temporary(0), true},
		{"500", temporary(500), true},
		{"503", temporary(503), true},
		{"429", temporary(429), true},
		{"a page of a portal with 200", temporary(200), false},
		{"a rate limit of one user with 200", temporary(200), false},
		{"a gateway says 403", temporary(403), false},
		{"a redirect", refusal(302, ""), true},
		{"a missing page", refusal(404, ""), true},
		{"404 with a code that nobody knows", &tokensource.Error{
			Op: "refresh", Kind: tokensource.ErrClient, Status: 404, Code: "no_such_session", Unrecognized: true,
		}, false},
		{"invalid_client", refusal(401, "invalid_client"), true},
		{"invalid_client with 400", refusal(400, "invalid_client"), true},
		{"unauthorized_client of X", refusal(401, "unauthorized_client"), true},
		{"unauthorized_client for one grant type", refusal(400, "unauthorized_client"), false},
		{"a code that nobody knows", refusal(400, "token_inactive_or_so"), false},
		{"a refusal without a code", refusal(400, ""), false},
		{"invalid_grant", refused, false},
		{"500 for a dead refresh token", &tokensource.Error{Op: "refresh", Kind: tokensource.ErrReauthorize, Status: 500}, false},
		{"a caller that has left", context.Canceled, false},
		{"a success", nil, false},
	} {
		if got := pacing.Shared(tt.err); got != tt.want {
			t.Errorf("Shared(%s) = %t, want %t", tt.name, got, tt.want)
		}
	}
}

// A limit stays until an attempt succeeds. Its pauses end by themselves.
func TestBreaker_PausesEnd(t *testing.T) {
	var b pacing.Breaker
	now := time.Unix(1_700_000_000, 0)
	if b.Pauses(now) {
		t.Error("Pauses() = true before any attempt, want false")
	}
	for range 10 {
		b.Report(&tokensource.Error{Kind: tokensource.ErrTemporary, Status: 503}, "a grant", now, 0)
	}
	if !b.Pauses(now) || b.Pauses(now.Add(pacing.MaxRetryAfter)) || b.Pauses(now.Add(-365*24*time.Hour)) {
		t.Error("Pauses() after ten failures: want true now, and false after the longest pause and with a clock that was set back")
	}
	if later := now.Add(pacing.MaxRetryAfter); !b.Limits() || b.Allow(later) != nil || !b.Pauses(later) {
		t.Error("after the pause: want a limit, one attempt, and a pause while that is under way")
	}
	b.Report(nil, "a grant", now, 0)
	if b.Pauses(now) || b.Limits() {
		t.Error("Pauses() after a success = true, want false")
	}
}
