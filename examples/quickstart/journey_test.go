package main_test

import (
	"net"
	"testing"
)

// TestBrowser walks through the demo with Chromium.
func TestBrowser(t *testing.T) {
	w := newWindow(t)
	app := start(t, t.TempDir())
	tests := []struct {
		name string
		walk func(t *testing.T, w *window, app *program)
	}{
		{"approve", approve},
		{"kill", killed},
		{"proof", proof},
		{"parallel tabs", parallelTabs},
		{"logout", logOut},
		{"deny", deny},
		{"expired flow", expiredFlow},
		{"withdrawn", withdrawn},
	}
	for _, tt := range tests {
		if !t.Run(tt.name, func(t *testing.T) { tt.walk(t, &window{w.For(t), t}, app) }) {
			break // each goes on where the one before has ended
		}
	}
}

// TestBrowser_IPv6 connects at an address that the consent page's policy cannot
// name.
func TestBrowser_IPv6(t *testing.T) {
	w := newWindow(t)
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no ::1: %v", err)
	}
	l.Close()
	app := startAt(t, "[::1]:0", t.TempDir())
	w.connect(app.url)
	w.Click("#call", "#result", "GET /2/users/me answered 200 OK")
}

func approve(t *testing.T, w *window, app *program) {
	w.Open(app.url, "h1", "OAuth that stays logged in")
	w.shoot("start")
	w.Click("#connect", "h1", "wants to access your account")
	w.shoot("consent")
	w.Click("#allow", "#account", "Connected as X Developers (@XDevelopers)")
	w.See("#logins", "1")
	w.Click("#call", "#result", "GET /2/users/me answered 200 OK")
	w.See("#result pre", "XDevelopers")
}

// killed: the timeline shows the 401, the one refresh, and the call that
// succeeds.
func killed(t *testing.T, w *window, app *program) {
	w.Click("#clear", "#calls", "0")
	w.Click("#kill", "#result", "no longer accepts")
	w.Click("#call", "#result", "answered 200 OK")
	w.See("#rejected", "1")
	w.See("#refreshes", "1")
	w.See(".rows li.refresh", "grant_type=refresh_token refresh_token=••••")
	w.shoot("killed")
}

func proof(t *testing.T, w *window, app *program) {
	w.Click("#clear", "#calls", "0")
	live := w.tab() // it is not reloaded: what it shows has come by the event stream
	live.Open(app.url, "#calls", "0")
	w.Click("#killmany", "#result", "200 calls, 1 refresh")
	w.See("#result", "All of them succeeded")
	w.See("#refreshes", "1")
	live.See("#refreshes", "1")
	live.See(".rows", "×200")
	w.shoot("proof")
	w.Prefer("dark")
	w.shoot("proof-dark")
	w.Prefer("light")
}

// parallelTabs finishes two logins in the reverse of the order in which they
// began.
func parallelTabs(t *testing.T, w *window, app *program) {
	first, second := w.tab(), w.tab()
	for _, tab := range []*window{first, second} {
		tab.Open(app.url+"/authorize", "h1", "wants to access your account")
	}
	for _, tab := range []*window{second, first} {
		tab.Click("#allow", "#account", "Connected as X Developers (@XDevelopers)")
		tab.Click("#call", "#result", "answered 200 OK")
	}
	// The later login has ended the tokens of the earlier one (X keeps one grant
	// per user): its tab works all the same.
	second.Click("#post", "#result", "POST /2/tweets answered 201")
}

func logOut(t *testing.T, w *window, app *program) {
	w.Open(app.url, "#account", "Connected")
	w.Click("#logout", "#notice", "You are logged out")
	w.See("#connect", "Connect an account")
	w.connect(app.url)
	w.Click("#disconnect", "#notice", "You are logged out")
	w.See(".rows", "token_type_hint=refresh_token token=••••")
	w.See("#connect", "Connect an account")
	w.shoot("logout")
}

func deny(t *testing.T, w *window, app *program) {
	w.Open(app.url+"/authorize", "h1", "wants to access your account")
	w.Click("#cancel", "h1", "Access was not given")
	w.shoot("denied")
	w.Click("a", "h1", "wants to access your account")
	w.Click("#allow", "#account", "Connected as X Developers (@XDevelopers)")
}

// expiredFlow comes back from consent when the browser has dropped the flow's
// cookie, as it does after ten minutes.
func expiredFlow(t *testing.T, w *window, app *program) {
	w.Open(app.url+"/authorize", "h1", "wants to access your account")
	w.Forget()
	w.Click("#allow", "h1", "This login is no longer valid")
	w.See("body", "took too long")
	w.shoot("expired-flow")
	w.Click("a", "h1", "wants to access your account")
	w.Click("#allow", "#account", "Connected as X Developers (@XDevelopers)")
}

func withdrawn(t *testing.T, w *window, app *program) {
	w.Click("#withdraw", "#result", "You have withdrawn access")
	w.Click("#call", "#notice", "the refresh was refused")
	w.shoot("withdrawn")
	w.connect(app.url)
	w.Click("#expire", "#result", "expires within a second")
	w.shoot("expire")
}
