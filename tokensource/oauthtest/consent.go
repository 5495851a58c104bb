package oauthtest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ticket stands for an authorization request while a person looks at the
// consent page. Its name is in the form, so that only a browser that has the
// page can answer it.
type ticket struct {
	req    *authRequest
	issued time.Time
}

const (
	ticketTTL  = 10 * time.Minute
	maxTickets = 1000
)

var (
	//go:embed consent.html
	consentHTML string
	//go:embed consent.css
	consentCSS string

	consentPage = template.Must(template.New("consent").Parse(consentHTML))

	// consentPolicy allows the one style sheet that is in the page, and nothing
	// more. Browsers apply form-action to the redirect after the form too, so
	// formTarget is added for each page.
	consentPolicy = "default-src 'none'; style-src 'sha256-" + styleHash(consentCSS) +
		"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "
)

func styleHash(css string) string {
	sum := sha256.Sum256([]byte(css))
	return base64.StdEncoding.EncodeToString(sum[:])
}

type consentView struct {
	App    string
	Host   string
	Users  []User
	Chosen string
	Scopes []string
	Ticket string
	Style  template.CSS
}

// ask shows the consent page.
func (c *call) ask(req *authRequest, user *User) *reply {
	view := consentView{App: req.app.Name, Chosen: user.ID, Style: template.CSS(consentCSS)}
	if u, err := url.Parse(req.redirectURL); err == nil {
		view.Host = u.Host
	}
	for _, scope := range req.scopes {
		words := scope
		if c.s.options.DescribeScope != nil {
			words = c.s.options.DescribeScope(scope)
		}
		view.Scopes = append(view.Scopes, words)
	}
	c.s.mu.Lock()
	for _, id := range c.s.userOrder {
		if !c.s.users[id].Suspended {
			view.Users = append(view.Users, *c.s.users[id])
		}
	}
	view.Ticket = c.s.newTicket(req)
	c.noteLocked("the user was asked")
	c.s.mu.Unlock()
	var b strings.Builder
	if err := consentPage.Execute(&b, view); err != nil {
		return newReply(http.StatusInternalServerError, typeText, "")
	}
	rep := newReply(http.StatusOK, typeHTML, b.String())
	rep.header.Set("Content-Security-Policy", consentPolicy+formTarget(req.redirectURL))
	rep.header.Set("Cache-Control", "no-store")
	rep.header.Set("Referrer-Policy", "same-origin")
	rep.header.Set("X-Content-Type-Options", "nosniff")
	return rep
}

// newTicket remembers the request. The lock must be held.
func (s *Server) newTicket(req *authRequest) string {
	now := s.now()
	maps.DeleteFunc(s.tickets, func(_ digest, t *ticket) bool { return now.Sub(t.issued) > ticketTTL })
	if len(s.tickets) >= maxTickets {
		clear(s.tickets)
	}
	name := s.randomText(43)
	s.tickets[digestOf(name)] = &ticket{req: req, issued: now}
	return name
}

// decided accepts the answer of the form, once, and from its own page only.
func (c *call) decided() *reply {
	if http.NewCrossOriginProtection().Check(c.r) != nil {
		return newReply(http.StatusForbidden, typeText, "This form can only be sent from its own page.\n")
	}
	name := digestOf(c.form.Get("ticket"))
	c.s.mu.Lock()
	t := c.s.tickets[name]
	delete(c.s.tickets, name)
	user := c.s.users[c.form.Get("user")]
	fresh := t != nil && c.s.now().Sub(t.issued) <= ticketTTL
	c.s.mu.Unlock()
	if !fresh || user == nil || user.Suspended {
		return c.say("page", "")
	}
	rep := c.decide(t.req, user, c.form.Get("answer") == "allow")
	if rep.status == http.StatusFound {
		rep.status = http.StatusSeeOther
	}
	return rep
}

// formTarget is the redirect URL as a source of form-action: its origin. It is
// only the scheme if that is a private one, or if the host is an IPv6 address:
// the grammar of a source has no such hosts (CSP3 section 2.3.1), and browsers
// ignore what they cannot read.
func formTarget(redirectURL string) string {
	u, err := url.Parse(redirectURL)
	if err != nil {
		return ""
	}
	if (u.Scheme == "http" || u.Scheme == "https") && !strings.Contains(u.Hostname(), ":") {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}
