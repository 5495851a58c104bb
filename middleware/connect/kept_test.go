package connect_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
)

// failing lets the writes to the keys with a prefix fail.
func (w *world) failing(prefix string) {
	w.store.on(func(op, key string) error {
		if op != "get" && prefix != "" && strings.HasPrefix(key, prefix) {
			return errDead
		}
		return nil
	})
}

// TestStoreFails_WhileConnecting: each kind of record cannot be written for a
// while. "Try again" finishes the same login, for the user who began only, and
// otherwise the background does (G21).
func TestStoreFails_WhileConnecting(t *testing.T) {
	for _, prefix := range []string{"account.", "connection.", "grant."} {
		t.Run(prefix+" and the same user tries again", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				b := w.waiting(prefix)
				b.become("18")
				w.wantStatus("another user tries again", b.do("GET", w.retry()), http.StatusForbidden)
				w.wantErr("another user tries again", connect.ErrAccountChanged)
				b.become("17")
				b.do("GET", "/x/connect?return_to=/accounts&resume=1")
				w.wantList("after another try", "17", "x/ann")
				w.wantList("after another try", "18")
				if n := w.x.fake.TokenCalls("authorization_code"); n != 1 {
					t.Errorf("%d codes were exchanged, want 1", n)
				}
			})
		})
		t.Run(prefix+" and nobody tries again", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				w.waiting(prefix)
				time.Sleep(5 * time.Minute)
				w.wantList("five minutes later", "17", "x/ann")
				w.wantAlive("five minutes later", w.x, ann, 1)
			})
		})
		t.Run(prefix+" and the user is erased", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				w.waiting(prefix)
				time.Sleep(2 * time.Second)
				for range 3 { // the last write may be a moment old
					if w.accounts.Forget(t.Context(), "17") == nil {
						break
					}
					time.Sleep(time.Minute)
				}
				time.Sleep(2 * time.Hour)
				w.wantList("two hours later", "17")
				w.wantAlive("two hours later", w.x, ann, 0)
			})
		})
	}
}

// waiting returns the browser of user 17, whose connection of ann could not be
// stored.
func (w *world) waiting(prefix string) *browser {
	w.Helper()
	b := w.browser("17")
	back := b.consent(w.x, ann, b.begin(w.x))
	w.failing(prefix)
	a := b.do("GET", back, "Sec-Fetch-Site", "cross-site")
	w.failing("")
	w.wantErr("the callback while the store fails", middleware.ErrLoginFailed)
	if !strings.Contains(a.body, "Not finished yet") {
		w.Errorf("the page while the store fails = %s", a.body)
	}
	return b
}

// retry is where the latest page leads.
func (w *world) retry() string {
	if e, ok := errors.AsType[*middleware.Error](w.errs[len(w.errs)-1]); ok {
		return e.Retry
	}
	return ""
}

// TestStoreFails_WhileDisconnecting: the grant may be alive, so the connection
// is shown, and the page leads to another try.
func TestStoreFails_WhileDisconnecting(t *testing.T) {
	for _, prefix := range []string{"account.", "connection.", "grant."} {
		t.Run(prefix, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				b := w.browser("17")
				b.mustConnect(w.x, ann)
				w.failing(prefix)
				w.wantStatus("the disconnect", b.do("POST", "/x/disconnect?connection="+w.idOf("x")), http.StatusServiceUnavailable)
				w.wantErr("the disconnect", middleware.ErrLogoutFailed)
				w.failing("")
				if list := w.list("17"); len(list) != 1 {
					t.Errorf("Connections(17) = %+v, want one", list)
				}
				w.wantStatus("another disconnect", b.do("POST", w.retry()), http.StatusSeeOther)
				w.wantList("afterwards", "17")
				w.wantAlive("afterwards", w.x, ann, 0)
			})
		})
	}
}

// TestDisconnect_WhileTheServerIsDown: the connection ends, and the background
// revokes the tokens.
func TestDisconnect_WhileTheServerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		b := w.browser("17")
		b.mustConnect(w.x, ann)
		w.dead.Store(true) // only the requests: the store answers
		a := b.do("POST", "/x/disconnect?connection="+w.idOf("x"))
		w.wantErr("the disconnect", middleware.ErrLogoutFailed)
		if !strings.Contains(a.body, "Not everything is disconnected") {
			t.Errorf("the page = %s", a.body)
		}
		w.wantList("while the server is down", "17")
		w.dead.Store(false)
		time.Sleep(30 * time.Minute)
		w.wantAlive("later", w.x, ann, 0)
		b.mustConnect(w.x, ann)
		w.wantList("after another login", "17", "x/ann")
	})
}

// TestEvents: an app can keep a log of what its users connect.
func TestEvents(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.x, ann)
	b.do("POST", "/x/disconnect?connection="+w.idOf("x"))
	var got []string
	for _, e := range w.events {
		got = append(got, string(e.Kind)+" "+e.Account+" "+e.Subject)
	}
	want := []string{"login started 17 ", "account connected 17 " + ann, "disconnected 17 " + ann}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("events = %q, want %q", got, want)
	}
	for _, e := range w.events {
		if e.Time.IsZero() || e.RemoteAddr == "" || e.Provider != "x" || e.CorrelationID == "" {
			t.Errorf("event %q = %+v, want time, address, provider and correlation ID", e.Kind, e)
		}
	}
}

// TestLoginThatIsOver_LeavesNothing: the server refuses the code, so there is
// nothing to list.
func TestLoginThatIsOver_LeavesNothing(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	back := b.consent(w.x, ann, b.begin(w.x))
	back = strings.Replace(back, "code=", "code=x", 1)
	b.do("GET", back, "Sec-Fetch-Site", "cross-site")
	w.wantErr("a code that the server does not know", middleware.ErrLoginFailed)
	w.wantList("afterwards", "17")
}
