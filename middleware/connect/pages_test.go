package connect_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/tokensource"
)

// TestPages: the default pages speak of connections and not of logins, and
// their forms lead on.
func TestPages(t *testing.T) {
	w := newWorld(t, setup{})
	w.browser("17").mustConnect(w.google, ann)
	id := w.idOf("google")
	b := w.browser("18")
	state := func(s *site) string {
		_, state, _ := strings.Cut(b.begin(s), "state=")
		state, _, _ = strings.Cut(state, "&")
		return state
	}
	for name, tt := range map[string]struct {
		a           answer
		title, form string
	}{
		"access denied":             {b.do("GET", "/x/callback?error=access_denied&state="+state(w.x)), "Not connected", ""},
		"the server failed":         {b.do("GET", "/x/callback?error=server_error&state="+state(w.x)), "Not connected", ""},
		"a state of nobody":         {b.do("GET", "/x/callback?code=c&state=s"), "This is no longer valid", ""},
		"an error without a state":  {b.do("GET", "/x/callback?error=access_denied"), "Not connected", ""},
		"two codes":                 {b.do("GET", "/x/callback?code=c&code=d&state=s"), "Not connected", ""},
		"a return path of others":   {b.do("POST", "/x/connect?return_to=https://evil.example"), "This link is not valid", ""},
		"a frame":                   {b.do("GET", "/x/connect", "Sec-Fetch-Dest", "iframe"), "Open this page yourself", ""},
		"a link of another site":    {b.do("GET", "/x/connect", "Sec-Fetch-Site", "cross-site"), "Connect an account?", `action="/x/connect"`},
		"connected elsewhere":       {b.connect(w.google, ann), "Not connected", ""},
		"a disconnect by a link":    {b.do("GET", "/google/disconnect?connection="+id), "Disconnect?", `action="/google/disconnect?connection=` + id + `"`},
		"a link without an ID":      {b.do("GET", "/google/disconnect"), "Disconnect?", ""},
		"a disconnect by a site":    {b.do("POST", "/google/disconnect?connection="+id, "Sec-Fetch-Site", "cross-site"), "Request refused", `action="/google/disconnect?connection=` + id + `"`},
		"another user's connection": {b.do("POST", "/google/disconnect?connection="+id), "No such connection", ""},
		"a method":                  {b.do("PUT", "/x/connect"), "Connect an account", ""},
		"nobody":                    {w.browser("").do("POST", "/x/connect"), "Log in first", ""},
	} {
		if !strings.Contains(tt.a.body, "<title>"+tt.title+"</title>") {
			t.Errorf("%s: the page = %s, want the title %q", name, tt.a.body, tt.title)
		}
		text := strings.ToLower(tt.a.body)
		if name != "nobody" && (strings.Contains(text, "login") || strings.Contains(text, "log in") || strings.Contains(text, "logged")) {
			t.Errorf("%s: the page speaks of a login: %s", name, tt.a.body)
		}
		if tt.form == "" && strings.Contains(tt.a.body, `method="post"`) && name != "a link without an ID" || !strings.Contains(tt.a.body, tt.form) {
			t.Errorf("%s: the page = %s, want the form %q", name, tt.a.body, tt.form)
		}
	}
}

// TestCallback_Twice: a page that is loaded twice leads on.
func TestCallback_Twice(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	back := b.consent(w.x, ann, b.begin(w.x))
	for range 2 {
		w.wantStatus("the callback", b.do("GET", back, "Sec-Fetch-Site", "cross-site"), http.StatusSeeOther)
	}
	b.become("")
	w.wantStatus("the callback without a user of the app", b.do("GET", back, "Sec-Fetch-Site", "cross-site"), http.StatusBadRequest)
	w.wantErr("the callback without a user of the app", middleware.ErrFlowNotFound)
}

// TestBegin_MoreScopesOfAConnection: the app asks for one more scope of an
// account, and keeps those that it has.
func TestBegin_MoreScopesOfAConnection(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.x, ann)
	id := w.idOf("x")
	w.mux.HandleFunc("POST /more", func(rw http.ResponseWriter, r *http.Request) {
		c, err := w.accounts.Connection(r.Context(), "17", id)
		if err != nil {
			t.Error(err)
		}
		w.x.routes.Begin(rw, r.WithContext(c.Context(r.Context())), &middleware.BeginOptions{
			ReturnTo: "/accounts", Scopes: []string{"users.read", "tweet.read", "offline.access"}, MoreScopes: []string{"like.read"},
		})
	})
	a := b.do("GET", b.consent(w.x, ann, b.do("POST", "/more").to()), "Sec-Fetch-Site", "cross-site")
	w.wantStatus("the callback", a, http.StatusSeeOther)
	got := w.list("17")[0].Grant.Scopes
	for _, want := range []string{"users.read", "tweet.read", "offline.access", "like.read"} {
		if !slices.Contains(got, want) {
			t.Errorf("scopes = %q, want also %q", got, want)
		}
	}
}

// TestConnections_InForeignContexts: a connection of one provider leaves the
// accounts of other providers in a context alone, and the zero Connection
// leaves it as it is.
func TestConnections_InForeignContexts(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.x, ann)
	b.mustConnect(w.google, bob)
	ctx := t.Context()
	for _, c := range w.list("17") {
		ctx = c.Context(ctx) //nolint:fatcontext // one value for each provider
	}
	ctx = connect.Connection{}.Context(ctx)
	for want, s := range map[string]*site{ann: w.x, bob: w.google} {
		if got, _ := s.grants.Subject(ctx); got != want {
			t.Errorf("Subject of %s = %q, want %q", s.folder, got, want)
		}
	}
	src, err := w.list("17")[0].Source()
	if err != nil {
		t.Fatal(err)
	}
	if tok, err := src.Token(t.Context()); err != nil || w.x.fake.Token(tok.AccessToken).User.ID != ann {
		t.Errorf("Token of the first connection: %v, want one of ann", err)
	}
	if _, err := (connect.Connection{}).Source(); !errors.Is(err, tokensource.ErrReauthorize) {
		t.Errorf("Source of the zero Connection = %v, want %v", err, tokensource.ErrReauthorize)
	}
}

// TestTwoUsersAtOnce: two users of the app connect one account at the same
// time, in two processes. One of them has it.
func TestTwoUsersAtOnce(t *testing.T) {
	for range 5 {
		one := newWorld(t, setup{})
		two := one.another()
		var targets [2]func() answer
		for i, b := range []*browser{one.browser("17"), two.browser("18")} {
			back := b.consent(b.google, ann, b.begin(b.google))
			targets[i] = func() answer { return b.do("GET", back, "Sec-Fetch-Site", "cross-site") }
		}
		var wg sync.WaitGroup
		var answers [2]answer
		for i, target := range targets {
			wg.Go(func() { answers[i] = target() })
		}
		wg.Wait()
		have := len(one.list("17")) + len(one.list("18"))
		if have != 1 || answers[0].StatusCode == answers[1].StatusCode {
			t.Errorf("%d connections, answers %d and %d, want one connection, and 303 for its user only",
				have, answers[0].StatusCode, answers[1].StatusCode)
		}
		one.wantAlive("afterwards", one.google, ann, 1)
	}
}
