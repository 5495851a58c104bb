package main_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// person is somebody with a browser without scripts.
type person struct {
	t      *testing.T
	app    *program
	client *http.Client
}

func newPerson(t *testing.T, app *program) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, app, &http.Client{Jar: jar, Timeout: patience}}
}

// page is an answer, after all redirects.
type page struct {
	status int
	url    *url.URL
	text   string
}

func (p *person) get(target string) page {
	p.t.Helper()
	return p.do(http.MethodGet, target, nil)
}

// press presses a button of the app.
func (p *person) press(path string, form url.Values) page {
	p.t.Helper()
	return p.do(http.MethodPost, p.app.url+path, form)
}

func (p *person) do(method, target string, form url.Values) page {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL, string(text)}
}

var field = regexp.MustCompile(`name="(ticket|user)" value="([^"]+)"`)

// connect goes through the consent page, and gives the answer of one of its
// buttons.
func (p *person) connect(answer string) page {
	p.t.Helper()
	consent := p.get(p.app.url + "/authorize")
	form := url.Values{"answer": {answer}}
	for _, m := range field.FindAllStringSubmatch(consent.text, -1) {
		form.Set(m[1], m[2])
	}
	if len(form) != 3 {
		p.t.Fatalf("GET /authorize led to %d %q, want a consent page", consent.status, consent.text)
	}
	return p.do(http.MethodPost, consent.url.String(), form)
}

func (p *person) home() page {
	p.t.Helper()
	return p.get(p.app.url + "/")
}

// eventsNow reads the first event of the stream.
func (p *person) eventsNow() string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.app.url+"/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	for lines := bufio.NewScanner(resp.Body); lines.Scan() && lines.Text() != ""; {
		b.WriteString(lines.Text() + "\n")
	}
	return b.String()
}

// counts is what the page counts.
type counts struct{ calls, rejected, refreshes, logins int }

func (g page) counts(t *testing.T) counts {
	t.Helper()
	read := func(id string) int {
		_, after, found := strings.Cut(g.text, `id="`+id+`">`)
		digits, _, _ := strings.Cut(after, "<")
		n, err := strconv.Atoi(digits)
		if !found || err != nil {
			t.Fatalf("the page at %s (%d) has no counter %q: %s", g.url.Path, g.status, id, g.text)
		}
		return n
	}
	return counts{read("calls"), read("rejected"), read("refreshes"), read("logins")}
}

// wantFresh checks the page of a login that nothing has happened to yet.
func (g page) wantFresh(t *testing.T, what string) {
	t.Helper()
	g.want(t, what, http.StatusOK, "Connected as")
	if strings.Contains(g.text, `id="result"`) {
		t.Errorf("%s: the page has a result from before the login: %s", what, g.text)
	}
}

func (g page) want(t *testing.T, what string, status int, texts ...string) {
	t.Helper()
	if g.status != status {
		t.Fatalf("%s = %d, want %d: %s", what, g.status, status, g.text)
	}
	for _, text := range texts {
		if !strings.Contains(g.text, text) {
			t.Fatalf("%s: the page lacks %q: %s", what, text, g.text)
		}
	}
}
