package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage/seal"
)

// visitor is a browser that posts the forms of the pages it sees.
type visitor struct {
	*testing.T
	http.Client
	at     *url.URL
	page   string
	status int
}

func newVisitor(t *testing.T, start string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{T: t, Client: http.Client{Jar: jar}}
	v.open(start)
	return v
}

func (v *visitor) open(target string) {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), http.MethodGet, target, nil)
	if err != nil {
		v.Fatal(err)
	}
	v.send(req)
}

func (v *visitor) send(req *http.Request) {
	v.Helper()
	req.Header.Set("Accept", "text/html")
	resp, err := v.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	v.at, v.page, v.status = resp.Request.URL, string(body), resp.StatusCode
}

var (
	forms  = regexp.MustCompile(`(?s)<form method="post"(?: action="([^"]*)")?>(.*?)</form>`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// press posts the form behind the text "after" that has this button. The pairs
// are what a person fills in.
func (v *visitor) press(after, button string, pairs ...string) {
	v.Helper()
	_, rest, ok := strings.Cut(v.page, after)
	if !ok {
		v.Fatalf("the page has no %q: %d %s", after, v.status, v.page)
	}
	for _, form := range forms.FindAllStringSubmatch(rest, -1) {
		if !strings.Contains(form[2], ">"+button+"</button>") {
			continue
		}
		values := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(form[2], -1) {
			values.Set(field[1], html.UnescapeString(field[2]))
		}
		for i := 0; i < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		target := v.at.ResolveReference(&url.URL{Path: form[1]})
		if form[1] == "" {
			target = v.at
		}
		req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, target.String(), strings.NewReader(values.Encode()))
		if err != nil {
			v.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		v.send(req)
		return
	}
	v.Fatalf("the page has no button %q: %d %s", button, v.status, v.page)
}

// connect goes to a server, gives access as a person, and comes back.
func (v *visitor) connect(server, person string) {
	v.Helper()
	v.press("", "Connect an account at "+server)
	v.press("", "Authorize app", "user", person, "answer", "allow")
}

func (v *visitor) wants(when string, texts ...string) {
	v.Helper()
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(v.page), text) {
			v.Errorf("%s, the page is %d %s, want %q on it", when, v.status, v.page, text)
		}
	}
}

func (v *visitor) wantsNot(when, text string) {
	v.Helper()
	if strings.Contains(html.UnescapeString(v.page), text) {
		v.Errorf("%s, the page is %s, want no %q on it", when, v.page, text)
	}
}

// TestInMemory and TestInPostgreSQL: one user of the app connects two accounts
// of X and one of Google. Another user cannot have them.
func TestInMemory(t *testing.T) { journey(t, "", "") }

func TestInPostgreSQL(t *testing.T) {
	journey(t, servertest.Postgres(t).URL, base64.StdEncoding.EncodeToString(seal.NewKey()))
}

// journey is the visit of an app on a database.
func journey(t *testing.T, database, key string) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	a, err := open(t.Context(), server.URL, database, key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	handler = a.handler()
	visits(t, server.URL)
}

func visits(t *testing.T, app string) {
	t.Helper()
	v := newVisitor(t, app)
	v.press("", "Log in", "name", "Alice")
	v.wants("after the login", "You are Alice", "You have connected no account yet")
	v.connect("x", "1001")
	v.connect("x", "1002")
	v.connect("google", "1001")
	v.wants("after three connections", "Ann at x", "Bob at x", "Ann at google")
	v.press("Bob at x", "Call the API")
	v.wants("after a call for the second account of X", `200 OK`, `Bob at x`, `"1002"`)
	v.press("Ann at google", "Call the API")
	v.wants("after a call for the account of Google", `200 OK`, `"name":"Ann at google"`)

	other := newVisitor(t, app)
	other.press("", "Log in", "name", "Boris")
	other.connect("x", "1001")
	other.wants("after another user has tried to connect an account of Alice", "This account is connected to another user here")
	other.open(app)
	other.wants("afterwards", "You have connected no account yet")

	v.press("Ann at x", "Disconnect")
	v.wantsNot("after a disconnect", "Ann at x")
	v.wants("after a disconnect", "Bob at x", "Ann at google")
	other.connect("x", "1001")
	other.wants("after Alice has disconnected", "Ann at x")

	v.press("", "Connect an account at x")
	page, at := v.page, v.at
	v.open(app)
	v.press("", "Log out")
	v.press("", "Log in", "name", "Carol")
	v.page, v.at = page, at
	v.press("", "Authorize app", "user", "1002", "answer", "allow")
	v.wants("after the user has changed on the way", "Somebody else was logged in here when this began")
}

// TestRun: the command says where to look, and ends with its context.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", "", in) }()
	var app string
	if _, err := fmt.Fscanf(out, "open %s and", &app); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	newVisitor(t, app).wants("at the beginning", "Your name")
	stop()
	if err := <-done; err != nil {
		t.Errorf("run = %v, want nil", err)
	}
}

// TestRun_Refuses: a database without keys, and one that cannot be reached.
func TestRun_Refuses(t *testing.T) {
	t.Setenv("APP_KEYS", "")
	for name, database := range map[string]string{
		"a database without APP_KEYS": "postgres://postgres@127.0.0.1:1/none",
		"text that is no URL":         "postgres://%zz",
	} {
		if err := run(t.Context(), "127.0.0.1:0", database, io.Discard); err == nil {
			t.Errorf("run with %s = nil, want an error", name)
		}
	}
}
