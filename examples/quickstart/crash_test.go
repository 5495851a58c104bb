package main_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestCrash: a process dies between redeeming the refresh token and storing the
// new one. The next process waits until the dead one cannot write any more, and
// sends the refresh token once more. That is the end of the grant, except where
// the server has a grace window.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the end of an intent")
	}
	t.Run("grace", func(t *testing.T) {
		t.Parallel()
		app := start(t, t.TempDir())
		p := newPerson(t, app)
		p.connect("allow")
		before := p.home().counts(t)
		got := p.press("/crash", url.Values{"grace": {"yes"}})
		got.want(t, "crash", http.StatusOK, "A process died.", "The call was answered with 200", "Connected as")
		if n := got.counts(t); n.refreshes-before.refreshes != 2 {
			t.Errorf("a crash took the page from %+v to %+v, want two refreshes", before, n)
		}
		events := p.eventsNow()
		if !strings.Contains(events, "the worker dies now") {
			t.Errorf("GET /events = %s, want the refresh of the worker", events)
		}
		wantNoSecret(t, "GET /events", events, app.dir)
	})
	t.Run("no grace", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t, start(t, t.TempDir()))
		p.connect("allow")
		p.press("/crash", url.Values{}).want(t, "crash", http.StatusOK, `id="notice"`, "in doubt", `id="connect"`)
		p.connect("allow").wantFresh(t, "connect again")
	})
}
