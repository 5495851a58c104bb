package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// recorder collects events, each as "kind reason device result".
type recorder struct {
	mu   sync.Mutex // guards list
	list []tokensource.Event
}

func (r *recorder) on(_ context.Context, e tokensource.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
}

// take returns the events since the last call.
func (r *recorder) take() (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Reason)))
	}
	r.list = nil
	return lines
}

// Each beginning and end of a session is reported, with the user, the browser
// and the reason.
func TestSessionEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events recorder
		w := newWorld(t, setup{options: middleware.Options{OnEvent: events.on}})
		user := oauthtest.DefaultUser().ID
		b := newBrowser(t, w.mux)
		want := func(what, lines string) {
			t.Helper()
			for _, e := range events.list {
				if e.Subject != user && e.Kind != middleware.EventLoginStarted || e.Provider != "x" || e.ClientID != w.client.ClientID() || e.Time.IsZero() {
					t.Errorf("%s: event %+v, want user, provider, client and time", what, e)
				}
				if strings.HasPrefix(string(e.Kind), "session") && e.Session == "" {
					t.Errorf("%s: event %+v, want a session", what, e)
				}
			}
			if got := strings.Join(events.take(), ", "); got != lines {
				t.Errorf("%s: events = %q, want %q", what, got, lines)
			}
		}
		w.logInAs(b, firefox)
		first := w.sessions(t, 1)[0].ID
		last := events.list[len(events.list)-1]
		if last.Session != first || last.RemoteAddr == "" || last.UserAgent != firefox || last.CorrelationID == "" || last.CorrelationID != events.list[0].CorrelationID {
			t.Errorf("event = %+v, want session %s, where it is and one correlation ID for the login", last, first)
		}
		want("a login", "login started, login finished")
		w.logInAs(b, firefox)
		want("a login in the same browser", "login started, session ended replaced, login finished")
		b.do(http.MethodPost, "/logout", "User-Agent", safari)
		if e := events.list[0]; e.UserAgent != safari || e.RemoteAddr == "" {
			t.Errorf("event of a logout = %+v, want where it is", e)
		}
		want("a logout", "session ended logout")
		w.logIn(b, "")
		want("a login", "login started, login finished")
		if err := w.login.EndSessions(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		want("EndSessions", "session ended ended")
		w.logIn(b, "")
		w.fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Status: 503}, -1)
		events.take()
		b.do(http.MethodPost, "/disconnect")
		if e := events.list[0]; e.Err == nil || e.Result() != "failed" {
			t.Errorf("event of a disconnect that the server has not confirmed = %+v, want its error", e)
		}
		want("a disconnect while the server fails", "disconnected, session ended disconnected")
		w.fake.ClearFaults()
		time.Sleep(time.Hour)
		w.logIn(b, "")
		events.take()
		if err := w.login.Forget(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		want("Forget", "session ended forgotten")
	})
}

// A page with Last-Modified is not stored by a browser or a proxy, whatever the
// request asks for. So nobody sees it after the logout.
func TestM6_PagesAreNotCached(t *testing.T) {
	w := newWorld(t, setup{})
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	files := http.FileServerFS(fstest.MapFS{"private/report.html": {Data: []byte("secret"), ModTime: modified}})
	w.mux.Handle("/private/", w.login.Require(files))
	w.mux.Handle("/own/", w.login.Require(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Cache-Control", "private, max-age=60")
	})))
	b := newBrowser(t, w.mux)
	w.logIn(b, "")
	for _, tt := range []struct {
		target  string
		headers []string
		status  int
		want    string
	}{
		{"/private/report.html", nil, 200, "no-store"},
		{"/private/report.html", []string{"If-Modified-Since", modified.Format(http.TimeFormat)}, 304, "no-store"},
		{"/private/report.html", []string{"Range", "bytes=0-1"}, 206, "no-store"},
		{"/own/page", nil, 200, "private, max-age=60"},
	} {
		a := b.get(tt.target, tt.headers...)
		wantStatus(t, tt.target, a, tt.status)
		if got := a.Header.Get("Cache-Control"); got != tt.want {
			t.Errorf("%s %v: Cache-Control = %q, want %q", tt.target, tt.headers, got, tt.want)
		}
	}
	b.do(http.MethodPost, "/logout")
	a := b.get("/private/report.html", "If-Modified-Since", modified.Format(http.TimeFormat))
	wantStatus(t, "the page after the logout", a, http.StatusSeeOther)
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("after the logout: Cache-Control = %q, want no-store", got)
	}
}
