package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// events collects what OnEvent gets.
type events struct {
	mu   sync.Mutex // guards list
	list []tokensource.Event
}

func (e *events) on(_ context.Context, event tokensource.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// take returns the events and forgets them.
func (e *events) take() []tokensource.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.list
	e.list = nil
	return list
}

func kinds(list []tokensource.Event) (kinds []tokensource.EventKind) {
	for _, e := range list {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestEventsOfALogin(t *testing.T) {
	var got events
	w := newWorld(t, setup{options: middleware.Options{OnEvent: got.on}})
	b := newBrowser(t, w.mux)
	agent := "Mozilla/5.0\x00" + strings.Repeat("a", 300)
	callback := w.consent(b.get("/authorize", "User-Agent", agent).location())
	b.get(callback, "User-Agent", agent)
	list := got.take()
	if want := []tokensource.EventKind{middleware.EventLoginStarted, middleware.EventLoginFinished}; !slices.Equal(kinds(list), want) {
		t.Fatalf("events of a login = %v, want %v", kinds(list), want)
	}
	for _, e := range list {
		if e.Provider != "x" || e.ClientID != w.client.ClientID() || e.RemoteAddr != "192.0.2.1:1234" || e.Time.IsZero() || e.Err != nil {
			t.Errorf("event %+v lacks a fact of its request", e)
		}
		if !strings.HasPrefix(e.UserAgent, "Mozilla/5.0.aaa") || len(e.UserAgent) > 210 {
			t.Errorf("event %q has the user agent %q, want printable text of limited length", e.Kind, e.UserAgent)
		}
		if e.CorrelationID == "" || e.CorrelationID != list[0].CorrelationID {
			t.Errorf("event %q has the correlation ID %q, want that of the login, %q", e.Kind, e.CorrelationID, list[0].CorrelationID)
		}
		if text := fmt.Sprintf("%+v", e); strings.Contains(text, query(t, callback, "state")) || strings.Contains(text, query(t, callback, "code")) {
			t.Errorf("event %q shows the state or the code", e.Kind)
		}
	}
	if list[1].Subject != oauthtest.DefaultUser().ID || !slices.Contains(list[0].Scopes, "tweet.read") {
		t.Errorf("subject %q and scopes %v, want the user and what was asked for", list[1].Subject, list[0].Scopes)
	}
}

// TestEventsKeepTheIDOfTheProgram: a program that has an ID for its requests
// sees it in the events.
func TestEventsKeepTheIDOfTheProgram(t *testing.T) {
	var got events
	w := newWorld(t, setup{options: middleware.Options{OnEvent: got.on}})
	own := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mux.ServeHTTP(rw, r.WithContext(tokensource.WithCorrelationID(r.Context(), "request-7")))
	})
	w.logIn(newBrowser(t, own), "")
	for _, e := range got.take() {
		if e.CorrelationID != "request-7" {
			t.Errorf("event %q has the correlation ID %q, want the program's", e.Kind, e.CorrelationID)
		}
	}
}

func TestEventsOfRefusals(t *testing.T) {
	tests := []struct {
		name string
		do   func(w *world, b *browser)
		kind tokensource.EventKind
		err  error
	}{
		{"a forged answer", func(_ *world, b *browser) { b.get("/callback?code=c&state=" + strings.Repeat("s", 43)) }, middleware.EventRefused, middleware.ErrFlowNotFound},
		{"a forged error", func(_ *world, b *browser) { b.get("/callback?error=access_denied") }, middleware.EventRefused, middleware.ErrForged},
		{"a malformed answer", func(_ *world, b *browser) { b.get("/callback?code=a&code=b") }, middleware.EventRefused, middleware.ErrBadCallback},
		{"a prefetch", func(_ *world, b *browser) { b.get("/authorize", "Sec-Purpose", "prefetch") }, middleware.EventRefused, middleware.ErrNotNavigation},
		{"a login begun by another site", func(_ *world, b *browser) { b.do("POST", "/authorize", "Sec-Fetch-Site", "cross-site") }, middleware.EventRefused, middleware.ErrCrossOrigin},
		{"a logout by another site", func(_ *world, b *browser) { b.do("POST", "/logout", "Sec-Fetch-Site", "cross-site") }, middleware.EventRefused, middleware.ErrCrossOrigin},
		{"a path back elsewhere", func(_ *world, b *browser) { b.get("/authorize?return_to=//evil.example") }, middleware.EventRefused, middleware.ErrReturnPath},
		{"a user who denies", func(w *world, b *browser) {
			w.fake.Set(func(k *xapi.Knobs) { k.Authorize.Deny = true })
			b.get(w.consent(b.start("/")))
		}, middleware.EventLoginFailed, middleware.ErrAccessDenied},
		{"a server that fails", func(w *world, b *browser) {
			w.fake.Inject(oauthtest.Match{Path: xapi.PathToken}, oauthtest.Fault{Status: 503}, -1)
			b.get(w.consent(b.start("/")))
			w.fake.ClearFaults()
		}, middleware.EventLoginFailed, middleware.ErrLoginFailed},
	}
	for _, tt := range tests {
		var got events
		w := newWorld(t, setup{options: middleware.Options{OnEvent: got.on}})
		tt.do(w, newBrowser(t, w.mux))
		list := got.take()
		if len(list) == 0 {
			t.Errorf("%s: no event", tt.name)
			continue
		}
		last := list[len(list)-1]
		if last.Kind != tt.kind || !errors.Is(last.Err, tt.err) || last.Result() != "failed" {
			t.Errorf("%s: event %q with %v, want %q with %v", tt.name, last.Kind, last.Err, tt.kind, tt.err)
		}
		if last.CorrelationID == "" || last.Kind == middleware.EventLoginFailed && last.CorrelationID != list[0].CorrelationID {
			t.Errorf("%s: event %q has the correlation ID %q, want one, and that of the login", tt.name, last.Kind, last.CorrelationID)
		}
	}
}

// TestEventsOfALogoutHaveOneID has the events that one request causes.
func TestEventsOfALogoutHaveOneID(t *testing.T) {
	for _, path := range []string{"/logout", "/disconnect"} {
		var got events
		w := newWorld(t, setup{options: middleware.Options{OnEvent: got.on}})
		b := newBrowser(t, w.mux)
		w.logIn(b, "")
		login := got.take()[0]
		b.do("POST", path)
		list := got.take()
		if len(list) == 0 {
			t.Errorf("%s: no event", path)
			continue
		}
		for _, e := range list {
			if e.CorrelationID == "" || e.CorrelationID != list[0].CorrelationID || e.CorrelationID == login.CorrelationID {
				t.Errorf("%s: event %q has the correlation ID %q, want that of the request", path, e.Kind, e.CorrelationID)
			}
		}
	}
}
