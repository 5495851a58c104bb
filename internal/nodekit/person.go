package nodekit

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// A Person is a browser without scripts, and the person before it.
type Person struct {
	t      *testing.T
	client *http.Client
}

// NewPerson returns a person who has been nowhere.
func NewPerson(t *testing.T) *Person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Person{t, &http.Client{Jar: jar, Timeout: Patience}}
}

// In returns the same person in another part of the test.
func (p *Person) In(t *testing.T) *Person { return &Person{t, p.client} }

// Beside does something while the test goes on. The test waits for it at its
// end, because a person also reads the page after the last answer.
func (p *Person) Beside(f func()) {
	var done sync.WaitGroup
	done.Go(f)
	p.t.Cleanup(done.Wait)
}

// A Page is an answer, after all redirects.
type Page struct {
	Status int
	Path   string
	Text   string
}

// Get opens a page.
func (p *Person) Get(target string) Page { return p.send(http.MethodGet, target, nil) }

// Post sends a form, as from a page of the same site.
func (p *Person) Post(target string, form url.Values) Page {
	return p.send(http.MethodPost, target, form)
}

func (p *Person) send(method, target string, form url.Values) Page {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(p.t.Context()), method, target, strings.NewReader(form.Encode()))
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
	return Page{resp.StatusCode, resp.Request.URL.Path, string(text)}
}

var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	prompt = regexp.MustCompile(`name="prompt" value="([^"]+)"`)
	abort  = regexp.MustCompile(`href="([^"]+/abort)"`)
)

// Decide goes through the pages of oidc-provider: login, and consent. It
// returns the page of the app after them.
func (p *Person) Decide(at Page, user string, allow bool) Page {
	p.t.Helper()
	for range 4 {
		form, asked := action.FindStringSubmatch(at.Text), prompt.FindStringSubmatch(at.Text)
		if form == nil || asked == nil {
			return at
		}
		if link := abort.FindStringSubmatch(at.Text); !allow && link != nil {
			at = p.Get(link[1])
			continue
		}
		at = p.Post(form[1], url.Values{"prompt": {asked[1]}, "login": {user}, "password": {"any"}})
	}
	p.t.Fatalf("oidc-provider asks again and again: %s", at.Text)
	return at
}
