package main_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/examples/internal/chromium"
	"github.com/authtrip/authtrip/internal/nodekit"
)

// TestBrowser_Axe lets axe-core judge each page of the demo, in both colour
// schemes.
func TestBrowser_Axe(t *testing.T) {
	axe := nodekit.Script(t, "axe-core/axe.min.js")
	w := newWindow(t)
	app := start(t, t.TempDir())
	w.Open(app.url, "h1", "OAuth that stays logged in")
	w.wantNoFindings("the start page", axe)
	w.Open(app.url+"/authorize", "h1", "wants to access your account")
	w.wantNoFindings("the consent page", axe)
	w.Click("#cancel", "h1", "Access was not given")
	w.wantNoFindings("the denied page", axe)
	w.connect(app.url)
	w.Click("#google", "h1", "wants to access your account")
	w.wantNoFindings("the consent page of the second provider", axe)
	w.Click("#allow", "#accounts", "Work account at Google")
	w.Click("#accounts button", "#result", "Google answered 200 OK")
	w.wantNoFindings("the page of a user with a connected account", axe)
	w.wantFit("the page of a user with a connected account")
	w.wantContrast("#google", "#accounts button", "#crash", "#crashgrace")
	w.shoot("accounts")
	w.Prefer("dark")
	w.shoot("accounts-dark")
	w.Click(`#accounts form[action="/google/disconnect"] button`, "h1, h2", "")
	w.Until("the end of the connection", func() bool { return w.Text("#accounts") == "" })
}

// wantNoFindings expects that axe-core finds nothing on the page.
func (w *window) wantNoFindings(what, axe string) {
	w.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		w.Prefer(scheme)
		chromium.Run[bool](w.Tab, "%s; axe.run().then((r) => { window.found = r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target + ' ' + n.failureSummary).join('; ')).join('\\n') || 'none' }); true", axe)
		w.Until("verdict of axe-core", func() bool { return chromium.Run[string](w.Tab, `window.found ?? ""`) != "" })
		if found := chromium.Run[string](w.Tab, "window.found"); found != "none" {
			w.t.Errorf("%s, %s: axe-core found %s", what, scheme, strings.TrimSpace(found))
		}
		chromium.Run[bool](w.Tab, "window.found = ''; true")
	}
	w.Prefer("light")
}
