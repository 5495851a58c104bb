package main_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var connectionField = regexp.MustCompile(`name="connection" value="([^"]+)"`)

// connectSecond connects an account at the second provider.
func (p *person) connectSecond(user string) page {
	p.t.Helper()
	consent := p.press("/google/connect", url.Values{})
	ticket := field.FindStringSubmatch(consent.text)
	if ticket == nil {
		p.t.Fatalf("POST /google/connect led to %d %q, want a consent page", consent.status, consent.text)
	}
	return p.do(http.MethodPost, consent.url.String(), url.Values{"ticket": {ticket[2]}, "user": {user}, "answer": {"allow"}})
}

// connections returns the IDs of the accounts on the page.
func (g page) connections() (ids []string) {
	for _, m := range connectionField.FindAllStringSubmatch(g.text, -1) {
		if len(ids) == 0 || ids[len(ids)-1] != m[1] {
			ids = append(ids, html.UnescapeString(m[1]))
		}
	}
	return ids
}

// TestSecondProvider: a user connects two accounts at a second provider, asks
// for one of them, and disconnects it. The other one survives a restart.
func TestSecondProvider(t *testing.T) {
	dir := t.TempDir()
	app := start(t, dir)
	p := newPerson(t, app)
	if got := p.press("/google/connect", url.Values{}); got.status != http.StatusUnauthorized {
		t.Errorf("POST /google/connect before a login = %d, want 401", got.status)
	}
	p.connect("allow")
	p.connectSecond("1001").want(t, "the first account", http.StatusOK, "<b>Work account</b> at Google")
	got := p.connectSecond("1002")
	got.want(t, "the second account", http.StatusOK, "<b>Work account</b> at Google", "<b>Private account</b> at Google")
	ids := got.connections()
	if len(ids) != 2 {
		t.Fatalf("the page has the connections %q, want two", ids)
	}
	p.press("/ask", url.Values{"connection": {ids[1]}}).want(t, "ask about the second account", http.StatusOK,
		"Google answered 200 OK", "&#34;name&#34;: &#34;Private account&#34;")
	wantNoSecret(t, "the page of two accounts", p.home().text, dir)
	got = p.press("/google/disconnect", url.Values{"connection": {ids[0]}})
	got.want(t, "disconnect the first account", http.StatusOK, "<b>Private account</b> at Google")
	if strings.Contains(got.text, "<b>Work account</b> at Google") {
		t.Errorf("the page after a disconnect still shows the account: %s", got.text)
	}
	app.stop()
	p.app = startAt(t, strings.TrimPrefix(app.url, "http://"), dir)
	p.press("/ask", url.Values{"connection": {ids[1]}}).want(t, "ask after a restart", http.StatusOK, "Google answered 200 OK")
	p.press("/ask", url.Values{"connection": {ids[0]}}).want(t, "ask about an account that is disconnected", http.StatusOK, "no such connection")
}
