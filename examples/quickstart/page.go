package main

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/middleware/connect"
	"github.com/authtrip/authtrip/tokensource/grant"
)

var (
	//go:embed assets
	assets embed.FS

	//go:embed page.html
	pageHTML string

	pages = template.Must(template.New("page").Parse(pageHTML))
)

// pageView is what the page shows.
type pageView struct {
	Fake     bool
	Notice   string
	At       string       // the ID of the button that has the focus
	Who      string       // the user's name
	Grant    *grant.Grant // nil if nobody is logged in
	Token    string       // how long the access token lives
	Result   result
	Accounts []connect.Connection // at the second provider
	Many     int
	Timeline timelineView
}

type timelineView struct {
	Counters counters
	Rows     []*row
}

// page shows the app to who is logged in, and how to log in to everybody else.
func (a *app) page(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	view := pageView{Fake: a.upstream.fake != nil, Notice: notices[query.Get("notice")], At: query.Get("at"), Many: manyCalls}
	view.Timeline.Counters, view.Timeline.Rows, _ = a.timeline.view()
	if session, ok := a.login.Session(r); ok {
		grant, err := a.grants.Grant(r.Context(), session.User.Subject)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		view.Grant, view.Token = &grant, lifetime(time.Until(grant.Expiry))
		view.Who = called(session.User)
		view.Result = a.results.of(session.User.Subject)
		if a.second != nil {
			if view.Accounts, err = a.second.accounts.Connections(r.Context(), session.User.Subject); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
	}
	var text bytes.Buffer
	if err := pages.Execute(&text, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	a.protect(w.Header())
	_, _ = text.WriteTo(w) // the browser may be gone
}

// notices are what the page can be told to say, by name: a link cannot make it
// say anything else.
var notices = map[string]string{
	"ended": "Access was withdrawn at X: the refresh was refused. The grant is marked dead and is never tried again, " +
		"until you connect.",
	"doubt": "A process died after it had redeemed the refresh token and before it could store the new one. The next process waited, and sent " +
		"the refresh token once more. X took the second use for theft and ended the grant. Nobody can know that outcome from here, so it is " +
		"called in doubt: you are asked to connect again.",
	"bye": "You are logged out in this browser. After a log out, the grant lives on. After a disconnect, both tokens are revoked " +
		"at X, and the stored grant is deleted: the wire shows which it was.",
}

func (a *app) protect(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	// Browsers apply form-action to redirects too, and a button may lead to a
	// login.
	targets := originOf(a.upstream.provider.AuthorizationURL)
	if a.second != nil {
		targets += " " + originOf(a.second.provider.AuthorizationURL)
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
		"img-src 'self'; form-action 'self' "+targets+"; base-uri 'none'; frame-ancestors 'none'")
}

// lifetime says in words how long a token has to live.
func lifetime(left time.Duration) string {
	switch {
	case left <= 0:
		return "has expired: the next call refreshes first"
	case left < 2*time.Minute:
		return "expires in " + left.Round(time.Second).String()
	}
	left = left.Round(time.Minute)
	return "expires in " + left.String()[:len(left.String())-len("0s")]
}
