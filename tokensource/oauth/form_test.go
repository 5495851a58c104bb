package oauth_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/sendguard"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// A check that fails sends no byte of the form, and leaves no doubt.
func TestTheLastCheckStopsTheRequest(t *testing.T) {
	late := errors.New("the intent has ended")
	for _, op := range operations {
		w := newWorld(t)
		asked := 0
		ctx := sendguard.With(t.Context(), func() error { asked++; return late })
		err := op.run(ctx, w.Client)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		testworld.WantIs(t, err, late)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.InDoubt || asked == 0 {
			t.Errorf("%s = %v after %d checks, want no doubt", op.name, err, asked)
		}
		for _, r := range w.Fake.Requests() {
			if len(r.Raw().PostForm) != 0 {
				t.Errorf("%s: the form was sent although the check failed", op.name)
			}
		}
	}
}

// patient waits before it reads the body, as a process does that is stopped.
type patient struct {
	http.RoundTripper
	pause time.Duration
	body  *strings.Builder
	again bool // it reads the body that GetBody returns, as after a connection that broke
}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(p.pause)
	body := req.Body
	if p.again {
		body.Close()
		body, _ = req.GetBody()
	}
	_, err := io.Copy(p.body, body)
	body.Close()
	if err != nil {
		return nil, err
	}
	return nil, errors.New("the connection broke")
}

// The check runs directly before the first byte, and once for each body.
func TestWhenTheLastCheckRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var sent strings.Builder
		w.Options.HTTPClient = &http.Client{Transport: patient{pause: 5 * time.Second, body: &sent}}
		var at []time.Duration
		began := time.Now()
		ctx := sendguard.With(t.Context(), func() error { at = append(at, time.Since(began)); return nil })
		_, err := w.NewClient(&w.Options).Refresh(ctx, someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || !e.InDoubt || !strings.Contains(sent.String(), someRefresh) {
			t.Errorf("Refresh() = %v with %d bytes sent, want doubt", err, sent.Len())
		}
		if len(at) != 1 || at[0] != 5*time.Second {
			t.Errorf("the check ran at %v, want once, after 5s", at)
		}
	})
}

// After the deadline of the context no byte of the form can be read, also when
// net/http repeats the request on a new connection.
func TestAfterTheDeadlineNothingIsSent(t *testing.T) {
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			var sent strings.Builder
			client := w.NewClient(&oauth.Options{
				HTTPClient: &http.Client{Transport: patient{pause: time.Minute, body: &sent, again: again}}, Timeout: 10 * time.Second,
			})
			_, err := client.Refresh(t.Context(), someRefresh)
			if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.InDoubt || sent.Len() != 0 {
				t.Errorf("repeated %t: Refresh() = %v with %d bytes sent, want none and no doubt", again, err, sent.Len())
			}
		})
	}
}

// A redirect would read the body a second time. It is not followed, so that a
// form is checked once for each request.
func TestACheckThatPassesSendsTheForm(t *testing.T) {
	w := newWorld(t)
	checks := 0
	ctx := sendguard.With(t.Context(), func() error { checks++; return nil })
	w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 307, Header: http.Header{"Location": {"/elsewhere"}}}, 1)
	_, err := w.Client.Refresh(ctx, someRefresh)
	testworld.WantIs(t, err, tokensource.ErrClient)
	if r := w.only(); r.Raw().PostForm.Get("refresh_token") != someRefresh || checks != 1 {
		t.Errorf("the form was sent after %d checks, want the whole form after 1", checks)
	}
}
