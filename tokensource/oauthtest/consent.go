package oauthtest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ticket stands for an authorization request while a person looks at the consent page. Its name is in the form, so that
// only who has seen the page can answer it.
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

	// consentPolicy allows the one style sheet that is in the page, and nothing else. Browsers apply form-action to the
	// redirect after the form too, so formTarget is added for each page.
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

func (k AuthorizeKnobs) asks() bool { return k.Consent == Ask || k.Decide != nil }

// ask shows the consent page.
func (c *call) ask(req *authRequest, user *User) *reply {
	view := consentView{App: req.app.Name, Chosen: user.ID, Style: template.CSS(consentCSS)}
	if u, err := url.Parse(req.redirectURL); err == nil {
		view.Host = u.Host
	}
	for _, scope := range req.scopes {
		view.Scopes = append(view.Scopes, inWords(scope))
	}
	c.s.mu.Lock()
	for _, id := range c.s.userOrder {
		if !c.s.users[id].suspended {
			view.Users = append(view.Users, *c.s.users[id])
		}
	}
	view.Ticket = c.s.newTicket(req)
	c.noteLocked("the user was asked")
	c.s.mu.Unlock()
	var b strings.Builder
	if err := consentPage.Execute(&b, view); err != nil {
		return problem(http.StatusInternalServerError, "")
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

// decided takes the answer of the form, once, and from its own page only.
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
	if !fresh || user == nil || user.suspended {
		return wentWrong()
	}
	rep := c.decide(t.req, user, consentOf(c.form.Get("answer")))
	if rep.status == http.StatusFound {
		rep.status = http.StatusSeeOther
	}
	return rep
}

func consentOf(button string) Consent {
	if button == "allow" {
		return Approve
	}
	return Deny
}

// formTarget is the redirect URL as a source of form-action: its origin, or its scheme if that is a private one, or if the
// host is an IPv6 address: the grammar of a source has no such hosts (CSP3 section 2.3.1), and browsers ignore what they
// cannot read.
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

// wentWrong is X's page for a request that it will not send back to anywhere.
func wentWrong() *reply {
	return newReply(http.StatusBadRequest, typeHTML, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"+
		"<meta name=\"viewport\" content=\"width=device-width\"><title>X</title></head><body>\n<h1>Something went wrong</h1>\n"+
		"<p>You weren't able to give access to the App. Go back and try logging in again.</p>\n</body></html>\n")
}

var scopeWords = map[string]string{
	"tweet.read":           "See all the posts you can see",
	"tweet.write":          "Post and repost for you",
	"tweet.moderate.write": "Hide and unhide replies to your posts",
	"users.email":          "See your email address",
	"users.read":           "See any account you can see",
	"follows.read":         "See who you follow and who follows you",
	"follows.write":        "Follow and unfollow people for you",
	"offline.access":       "Stay connected to your account until you revoke access",
	"like.read":            "See the posts you like",
	"like.write":           "Like and unlike posts for you",
	"bookmark.read":        "See your bookmarks",
	"bookmark.write":       "Add and remove bookmarks for you",
	"dm.read":              "See your direct messages",
	"dm.write":             "Send direct messages for you",
	"media.write":          "Upload media for you",
}

func inWords(scope string) string {
	if words, ok := scopeWords[scope]; ok {
		return words
	}
	area, power, _ := strings.Cut(scope, ".")
	if slices.Contains([]string{"read", "write"}, power) {
		return strings.ToUpper(power[:1]) + power[1:] + " access to: " + area
	}
	return scope
}
