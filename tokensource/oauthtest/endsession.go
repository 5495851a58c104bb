package oauthtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// endSession is the page at which a browser logs out of the server (OpenID
// Connect RP-Initiated Logout 1.0, sections 2 and 3). The user agrees at once.
// The fake keeps no sessions of browsers, so that nothing else ends. It sends
// the browser back only to a URL that the app has registered.
func (c *call) endSession() *reply {
	if c.r.Method != http.MethodGet {
		return c.say("method", http.MethodGet)
	}
	back := c.query.Get("post_logout_redirect_uri")
	if back == "" {
		return newReply(http.StatusOK, typeText, "You are logged out.\n")
	}
	c.s.mu.Lock()
	app := c.s.apps[c.query.Get("client_id")]
	c.s.mu.Unlock()
	if app == nil || !slices.Contains(app.PostLogoutURLs, back) {
		return c.say("page", "")
	}
	c.note("logged out")
	if state := c.query.Get("state"); state != "" {
		separator := "?"
		if strings.Contains(back, "?") {
			separator = "&"
		}
		back += separator + "state=" + url.QueryEscape(state)
	}
	rep := newReply(http.StatusSeeOther, "", "")
	rep.header.Set("Location", back)
	return rep
}
