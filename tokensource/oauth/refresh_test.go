package oauth_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestRefresh(t *testing.T) {
	for name, s := range map[string]setting{"confidential": confidential(), "public": public()} {
		w := newWorld(t)
		client := w.at(s)
		_, refresh, err := w.Fake.IssueToken(w.User, s.r.ClientID, testworld.Scopes...)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := client.Refresh(t.Context(), refresh)
		if err != nil {
			t.Fatalf("%s: Refresh() = %v", name, err)
		}
		if !w.Works(tok) || tok.RefreshToken == "" || tok.RefreshToken == refresh {
			t.Errorf("%s: the tokens do not work, or the refresh token is the old one", name)
		}
		wire.WantParams(t, name, w.Fake.Requests(oauthtest.Match{Op: "token"})[0].Raw().PostForm, map[string]string{
			"grant_type": "refresh_token", "refresh_token": refresh, "client_id": s.r.ClientID,
		})
		_, err = client.Refresh(t.Context(), refresh)
		testworld.WantReason(t, err, tokensource.ReasonRefused)
		if err == nil || !strings.Contains(err.Error(), "another login") {
			t.Errorf("%s: %v, want what may have happened", name, err)
		}
	}
}

func TestRefreshWithoutARefreshToken(t *testing.T) {
	for want, s := range map[string]setting{"offline.access": confidential(), "which scope or parameter": generic()} {
		w := newWorld(t)
		_, err := w.at(s).Refresh(t.Context(), "")
		testworld.WantReason(t, err, tokensource.ReasonNoRefreshToken)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Refresh() = %v, want %q", err, want)
		}
		if n := len(w.Fake.Requests()); n != 0 {
			t.Errorf("requests = %d, want none", n)
		}
	}
}

func TestRefreshKeepsTheOldTokenIfTheServerDoes(t *testing.T) {
	w := newWorld(t)
	w.Fake.Set(func(k *xapi.Knobs) { k.Token.OmitRefresh = true })
	_, refresh, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		tok, err := w.Client.Refresh(t.Context(), refresh)
		if err != nil || tok.RefreshToken != "" {
			t.Fatalf("Refresh() = %v, want a token without a refresh token (RFC 6749 section 6)", err)
		}
	}
}

// What is lost on the way, and whether the server may have redeemed the
// refresh token all the same.
func TestLostAnswers(t *testing.T) {
	tests := []struct {
		name    string
		fault   oauthtest.Fault
		status  int
		inDoubt bool
		after   time.Duration // when the caller is told
		cause   error
	}{
		{"no answer", oauthtest.Fault{Hang: true}, 0, true, 20 * time.Second, context.DeadlineExceeded},
		{"no answer, though done", oauthtest.Fault{Hang: true, Commit: true}, 0, true, 20 * time.Second, context.DeadlineExceeded},
		{"an answer that comes too late", oauthtest.Fault{Delay: time.Minute, Commit: true}, 0, true, 20 * time.Second, context.DeadlineExceeded},
		{"one byte a second", oauthtest.Fault{Pause: time.Second, Commit: true}, 200, true, 20 * time.Second, context.DeadlineExceeded},
		{"a slow error", oauthtest.Fault{Status: 400, Body: strings.Repeat(" ", 99), Pause: time.Second}, 400, false, 20 * time.Second, context.DeadlineExceeded},
		{"dropped", oauthtest.Fault{Drop: true}, 0, true, 0, io.EOF},
		{"done, then dropped", oauthtest.Fault{Drop: true, Commit: true}, 0, true, 0, io.EOF},
		{"cut short", oauthtest.Fault{Truncate: 20, Commit: true}, 200, true, 0, io.ErrUnexpectedEOF},
		{"another yes, cut short", oauthtest.Fault{Status: 202, Body: "accepted", Truncate: 4}, 202, true, 0, io.ErrUnexpectedEOF},
		{"an error cut short", oauthtest.Fault{Status: 503, Body: "busy busy", Truncate: 4}, 503, false, 0, io.ErrUnexpectedEOF},
		{"connection reset", oauthtest.Fault{Reset: true}, 0, true, 0, nil},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
			_, refresh, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err = w.Client.Refresh(t.Context(), refresh)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			if tt.cause != nil {
				testworld.WantIs(t, err, tt.cause)
			}
			e, ok := errors.AsType[*tokensource.Error](err)
			if !ok || e.Status != tt.status || e.InDoubt != tt.inDoubt {
				t.Errorf("%s: %v, want status %d, in doubt %v", tt.name, err, tt.status, tt.inDoubt)
			}
			if got := time.Since(began); got != tt.after {
				t.Errorf("%s: it took %v, want %v", tt.name, got, tt.after)
			}
			if _, found := errors.AsType[*url.Error](err); found {
				t.Errorf("%s: %v: a *url.Error tells the URL", tt.name, err)
			}
			w.only()
		})
	}
}

// unreachable is a network in which no connection comes about.
type unreachable struct{ err error }

func (u unreachable) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Body.Close()
	return nil, u.err
}

func TestWhatNeverLeftIsNotInDoubt(t *testing.T) {
	for _, cause := range []error{
		&net.DNSError{Err: "no such host", Name: "api.x.com", IsNotFound: true},
		&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")},
	} {
		w := newWorld(t)
		client := w.NewClient(&oauth.Options{HTTPClient: &http.Client{Transport: unreachable{cause}}})
		for _, op := range operations {
			err := op.run(t.Context(), client)
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			testworld.WantIs(t, err, cause)
			if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.InDoubt || e.Status != 0 {
				t.Errorf("%s: %v, want no doubt and no status", op.name, err)
			}
		}
	}
}

func TestTimeoutAndContext(t *testing.T) {
	left := errors.New("the user has left")
	tests := []struct {
		name    string
		timeout time.Duration
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		after   time.Duration
		cause   error
	}{
		{"default", 0, context.WithCancel, 20 * time.Second, context.DeadlineExceeded},
		{"shorter", 3 * time.Second, context.WithCancel, 3 * time.Second, context.DeadlineExceeded},
		{"longer", time.Minute, context.WithCancel, time.Minute, context.DeadlineExceeded},
		{"the caller's deadline", 0, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, time.Second, context.DeadlineExceeded},
		{"the caller's cause", 0, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, time.Second, left)
		}, time.Second, left},
	}
	for _, tt := range tests {
		for _, op := range operations {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, 1)
				client := w.NewClient(&oauth.Options{
					HTTPClient: &http.Client{Transport: w.Fake.Transport()}, Timeout: tt.timeout,
				})
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				began := time.Now()
				err := op.run(ctx, client)
				testworld.WantIs(t, err, tokensource.ErrTemporary)
				testworld.WantIs(t, err, tt.cause)
				if got := time.Since(began); got != tt.after {
					t.Errorf("%s, %s: gave up after %v, want %v", tt.name, op.name, got, tt.after)
				}
			})
		}
	}
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, op := range operations {
		err := op.run(ctx, w.Client)
		testworld.WantIs(t, err, context.Canceled)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.InDoubt {
			t.Errorf("%s: %v, want no doubt", op.name, err)
		}
	}
	if n := len(w.Fake.Requests()); n != 0 {
		t.Errorf("requests = %d, want none", n)
	}
}

// A time is compared with the clock of the server, which may not be that of
// this machine.
func TestPausesByTheClockOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.ClockSkew = -2 * time.Hour })
		at := time.Now().Add(90*time.Second - 2*time.Hour)
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 503, Header: http.Header{"Retry-After": {at.UTC().Format(http.TimeFormat)}}}, 1)
		_, err := w.Client.Refresh(t.Context(), someRefresh)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter != 90*time.Second {
			t.Errorf("Refresh() = %v, want a pause of 90 seconds", err)
		}
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 429, Header: http.Header{
			"X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {strconv.FormatInt(at.Unix(), 10)},
		}}, 1)
		_, err = w.Client.Identity(t.Context(), &oauth2.Token{AccessToken: someAccess})
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Kind != tokensource.ErrTemporary || e.RetryAfter != 90*time.Second {
			t.Errorf("Identity() = %v, want a pause of 90 seconds", err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		tests := []struct {
			value string
			want  time.Duration
		}{
			{"", 0},
			{"0", 0},
			{"7", 7 * time.Second},
			{" 7 ", 7 * time.Second},
			{"3600", time.Hour},
			{"3601", time.Hour},
			{"2147483647", time.Hour},
			{"-5", 0},
			{"+5", 0},
			{"1.5", 2 * time.Second},
			{"0.5", time.Second},
			{"299.997", 300 * time.Second},
			{"7.", 7 * time.Second},
			{"1.5.2", 0},
			{".", 0},
			{"0x10", 0},
			{"NaN", 0},
			{"Inf", 0},
			{"1_0", 0},
			{"1e3", 0},
			{"soon", 0},
			{"7 seconds", 0},
			{at(90 * time.Second), 90 * time.Second},
			{time.Now().Add(90 * time.Second).UTC().Format(time.RFC850), 90 * time.Second},
			{at(-time.Hour), 0},
			{at(48 * time.Hour), time.Hour},
			{"Mon, 32 Jan 2026 00:00:00 GMT", 0},
		}
		w := newWorld(t)
		for _, tt := range tests {
			for _, status := range []int{429, 503} {
				w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: status, Header: http.Header{"Retry-After": {tt.value}}}, len(operations))
				for _, op := range operations {
					err := op.run(t.Context(), w.Client)
					e, ok := errors.AsType[*tokensource.Error](err)
					if !ok || e.RetryAfter != tt.want {
						t.Errorf("%s with Retry-After %q = %v, want RetryAfter %v", op.name, tt.value, err, tt.want)
					}
					if said := strings.Contains(err.Error(), "retry after"); said != (tt.want > 0) {
						t.Errorf("%s with Retry-After %q = %v", op.name, tt.value, err)
					}
				}
			}
		}
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 401, Header: http.Header{"Retry-After": {"7"}}}, 1)
		_, err := w.Client.Refresh(t.Context(), someRefresh)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter != 0 {
			t.Errorf("Refresh() = %v, want no RetryAfter: nothing will change by itself", err)
		}
	})
}
