package nodetest_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// person is a browser without scripts, and the person before it.
type person struct {
	t      *testing.T
	client *http.Client
}

func (w *world) person(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, &http.Client{Jar: jar, Timeout: patience}}
}

// in returns the same person in another part of the test.
func (p *person) in(t *testing.T) *person { return &person{t, p.client} }

// page is an answer, after all redirects.
type page struct {
	status int
	path   string
	text   string
}

func (p *person) get(target string) page { return p.send(http.MethodGet, target, nil) }

func (p *person) post(target string, form url.Values) page {
	return p.send(http.MethodPost, target, form)
}

func (p *person) send(method, target string, form url.Values) page {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
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
	return page{resp.StatusCode, resp.Request.URL.Path, string(text)}
}

var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	prompt = regexp.MustCompile(`name="prompt" value="([^"]+)"`)
	abort  = regexp.MustCompile(`href="([^"]+/abort)"`)
)

// decide goes through the pages of oidc-provider: login, and consent. It
// returns the page of the app after them.
func (p *person) decide(at page, user string, allow bool) page {
	p.t.Helper()
	for range 4 {
		form, asked := action.FindStringSubmatch(at.text), prompt.FindStringSubmatch(at.text)
		if form == nil || asked == nil {
			return at
		}
		if link := abort.FindStringSubmatch(at.text); !allow && link != nil {
			at = p.get(link[1])
			continue
		}
		at = p.post(form[1], url.Values{"prompt": {asked[1]}, "login": {user}, "password": {"any"}})
	}
	p.t.Fatalf("oidc-provider asks again and again: %s", at.text)
	return at
}
