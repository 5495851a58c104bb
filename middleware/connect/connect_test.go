package connect_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/middleware/connect"
)

// TestTwoAccountsOfXAndOneOfGoogle: one user of the app connects three accounts
// and ends one.
func TestTwoAccountsOfXAndOneOfGoogle(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.x, ann)
	b.mustConnect(w.google, ann)
	b.mustConnect(w.x, bob)
	w.wantList("after three logins", "17", "x/ann", "google/ann", "x/bob")
	w.wantList("of another user", "18")

	a := b.do("POST", "/x/disconnect?connection="+w.idOf("x"))
	w.wantStatus("POST /x/disconnect of ann", a, http.StatusSeeOther)
	w.wantList("after the disconnect", "17", "google/ann", "x/bob")
	w.wantAlive("after the disconnect", w.x, ann, 0)
	w.wantAlive("after the disconnect", w.x, bob, 1)
	w.wantAlive("after the disconnect", w.google, ann, 1)
}

// TestCallback_WhenTheUserOfTheAppChanged: nothing is sent to the server.
func TestCallback_WhenTheUserOfTheAppChanged(t *testing.T) {
	for name, tt := range map[string]struct {
		then   string
		kind   error
		status int
	}{
		"to another user": {"18", connect.ErrAccountChanged, http.StatusForbidden},
		"to nobody":       {"", connect.ErrNoAccount, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{})
			b := w.browser("17")
			back := b.consent(w.x, ann, b.begin(w.x))
			b.become(tt.then)
			w.wantStatus("the callback", b.do("GET", back, "Sec-Fetch-Site", "cross-site"), tt.status)
			w.wantErr("the callback", tt.kind)
			if n := w.x.fake.TokenCalls("authorization_code"); n != 0 {
				t.Errorf("the callback sent %d codes, want 0", n)
			}
			b.become("17")
			b.do("GET", back, "Sec-Fetch-Site", "cross-site")
			w.wantErr("the callback, once more as the first user", middleware.ErrFlowNotFound)
			w.wantList("afterwards", "17")
			w.wantList("afterwards", "18")
		})
	}
}

// TestConnect_WithoutAUserOfTheApp: nobody is sent to the server.
func TestConnect_WithoutAUserOfTheApp(t *testing.T) {
	w := newWorld(t, setup{})
	w.wantStatus("POST /x/connect without a session of the app", w.browser("").do("POST", "/x/connect"), http.StatusUnauthorized)
	w.wantErr("POST /x/connect without a session of the app", connect.ErrNoAccount)
	w.wantStatus("POST /x/connect while the app cannot tell", w.browser("down").do("POST", "/x/connect"), http.StatusServiceUnavailable)
}

// TestConnectedElsewhere: an account belongs to one user of the app. The
// connection of the first user lives on, also where the server keeps one grant
// of each user, so that the second login has ended the tokens of the first.
func TestConnectedElsewhere(t *testing.T) {
	for _, name := range []string{"x", "google"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{})
			s := map[string]*site{"x": w.x, "google": w.google}[name]
			w.browser("17").mustConnect(s, ann)
			w.wantStatus("the same account for another user", w.browser("18").connect(s, ann), http.StatusConflict)
			w.wantErr("the same account for another user", connect.ErrConnectedElsewhere)
			w.wantList("afterwards", "17", name+"/ann")
			w.wantList("afterwards", "18")
			c, err := w.accounts.Connection(t.Context(), "17", w.idOf(name))
			if err != nil {
				t.Fatal(err)
			}
			tok, err := s.grants.Token(c.Context(t.Context()))
			if err != nil {
				t.Fatalf("Token of the first user: %v", err)
			}
			if state := s.fake.Token(tok.AccessToken); state.Kind == "" || state.Dead != "" {
				t.Errorf("the access token of the first user is %+v, want an active one", state)
			}

			w.browser("17").do("POST", s.folder+"/disconnect?connection="+c.ID)
			w.browser("18").mustConnect(s, ann)
			w.wantList("after the first user has disconnected", "18", name+"/ann")
			w.wantList("after the first user has disconnected", "17")
		})
	}
}

// TestShared_LastConnectionRevokes: two users of the app share one account.
func TestShared_LastConnectionRevokes(t *testing.T) {
	w := newWorld(t, setup{options: connect.Options{Shared: true}})
	one, two := w.browser("17"), w.browser("18")
	one.mustConnect(w.x, ann)
	two.mustConnect(w.x, ann)
	id := w.idOf("x")
	w.wantStatus("the first disconnect", one.do("POST", "/x/disconnect?connection="+id), http.StatusSeeOther)
	w.wantAlive("after the first disconnect", w.x, ann, 1)
	w.wantList("after the first disconnect", "17")
	w.wantList("after the first disconnect", "18", "x/ann")
	w.wantStatus("the last disconnect", two.do("POST", "/x/disconnect?connection="+id), http.StatusSeeOther)
	w.wantAlive("after the last disconnect", w.x, ann, 0)
	w.wantList("after the last disconnect", "18")
}

// TestDisconnect_OfSomebodyElse: only the user whose connection it is ends it,
// by a POST of this site.
func TestDisconnect_OfSomebodyElse(t *testing.T) {
	w := newWorld(t, setup{})
	w.browser("17").mustConnect(w.x, ann)
	id := w.idOf("x")
	for name, tt := range map[string]struct {
		user, method, target string
		headers              []string
		kind                 error
		status               int
	}{
		"another user":         {"18", "POST", "/x/disconnect?connection=" + id, nil, connect.ErrNoConnection, http.StatusNotFound},
		"nobody":               {"", "POST", "/x/disconnect?connection=" + id, nil, connect.ErrNoAccount, http.StatusUnauthorized},
		"another site":         {"17", "POST", "/x/disconnect?connection=" + id, []string{"Sec-Fetch-Site", "cross-site"}, middleware.ErrCrossOrigin, http.StatusForbidden},
		"a link":               {"17", "GET", "/x/disconnect?connection=" + id, nil, middleware.ErrMethod, http.StatusMethodNotAllowed},
		"no connection":        {"17", "POST", "/x/disconnect", nil, connect.ErrNoConnection, http.StatusNotFound},
		"two connections":      {"17", "POST", "/x/disconnect?connection=" + id + "&connection=" + id, nil, connect.ErrNoConnection, http.StatusNotFound},
		"text of somebody":     {"17", "POST", "/x/disconnect?connection=%22%3E%3Cb%3E", nil, connect.ErrNoConnection, http.StatusNotFound},
		"an app that is down":  {"down", "POST", "/x/disconnect?connection=" + id, nil, nil, http.StatusServiceUnavailable},
		"the other provider's": {"18", "POST", "/google/disconnect?connection=" + id, nil, connect.ErrNoConnection, http.StatusNotFound},
	} {
		a := w.browser(tt.user).do(tt.method, tt.target, tt.headers...)
		w.wantStatus(name, a, tt.status)
		if tt.kind != nil {
			w.wantErr(name, tt.kind)
		}
	}
	w.wantList("afterwards", "17", "x/ann")
	w.wantAlive("afterwards", w.x, ann, 1)
}

// TestConnect_FromAnotherSite: another site must not begin a connection,
// because the browser may be logged in at the server as somebody else.
func TestConnect_FromAnotherSite(t *testing.T) {
	w := newWorld(t, setup{})
	for name, tt := range map[string]struct {
		method, site string
		status       int
	}{
		"a form of this site":                  {"POST", "same-origin", http.StatusSeeOther},
		"a link of this site":                  {"GET", "same-origin", http.StatusSeeOther},
		"the address bar":                      {"GET", "none", http.StatusSeeOther},
		"a link of another site":               {"GET", "cross-site", http.StatusForbidden},
		"a link of a sibling":                  {"GET", "same-site", http.StatusForbidden},
		"a form of another site":               {"POST", "cross-site", http.StatusForbidden},
		"a link in a browser that says little": {"GET", "", http.StatusForbidden},
	} {
		a := w.browser("17").do(tt.method, "/x/connect", "Sec-Fetch-Site", tt.site)
		w.wantStatus(name, a, tt.status)
		if tt.status == http.StatusForbidden {
			w.wantErr(name, middleware.ErrCrossOrigin)
		}
	}
}

// TestConnections_ShowWithdrawnAccessAsDead: the user has withdrawn access at
// the server.
func TestConnections_ShowWithdrawnAccessAsDead(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.browser("17")
	b.mustConnect(w.google, ann)
	b.mustConnect(w.google, bob)
	if err := w.google.fake.RevokeGrant(ann, w.google.grants.Client().ClientID()); err != nil {
		t.Fatal(err)
	}
	c, err := w.accounts.Connection(t.Context(), "17", w.idOf("google"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := c.Context(t.Context())
	tok, err := w.google.grants.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.google.grants.Renew(ctx, tok); err == nil {
		t.Fatal("Renew after the user has withdrawn access: no error")
	}
	w.wantList("after the user has withdrawn access", "17", "google/ann refused", "google/bob")
	b.mustConnect(w.google, ann)
	w.wantList("after another login", "17", "google/ann", "google/bob")
}

// TestOnConnect: the app knows who connects what before anything is stored, and
// can refuse.
func TestOnConnect(t *testing.T) {
	var asked []string
	var w *world
	w = newWorld(t, setup{options: connect.Options{OnConnect: func(_ context.Context, account string, c connect.Connection) error {
		asked = append(asked, account+" "+c.Provider+" "+c.User.Username+" "+c.ID)
		w.wantList("in OnConnect", "17")
		if account == "18" {
			return fmt.Errorf("not in your plan: %w", middleware.ErrRefused)
		}
		return nil
	}}})
	w.browser("17").mustConnect(w.x, ann)
	if want := "17 x ann " + w.idOf("x"); len(asked) != 1 || asked[0] != want {
		t.Errorf("OnConnect got %q, want %q", asked, want)
	}
	w.browser("17").do("POST", "/x/disconnect?connection="+w.idOf("x"))
	w.wantStatus("a connection that OnConnect refuses", w.browser("18").connect(w.x, bob), http.StatusForbidden)
	w.wantErr("a connection that OnConnect refuses", middleware.ErrRefused)
	w.wantList("afterwards", "18")
	w.wantAlive("afterwards", w.x, bob, 0)
}
