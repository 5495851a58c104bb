package mcp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

var ticket = regexp.MustCompile(`name="ticket" value="([^"]+)"`)

// browser follows redirects and keeps cookies. Its user authorizes the app on
// the consent page of the fake.
type browser struct{ *http.Client }

func newBrowser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{&http.Client{Jar: jar}}
}

// visit opens a page and answers the consent page if one comes. It returns the
// last page.
func (b browser) visit(ctx context.Context, page string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	at, text, err := b.read(req)
	if err != nil {
		return "", err
	}
	asked := ticket.FindStringSubmatch(text)
	if asked == nil {
		return text, nil
	}
	form := url.Values{"ticket": {asked[1]}, "user": {oauthtest.DefaultUser().ID}, "answer": {"allow"}}
	if req, err = http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode())); err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, text, err = b.read(req)
	return text, err
}

// read sends a request, and returns the URL and the text of the page at the end
// of all redirects.
func (b browser) read(req *http.Request) (at, text string, err error) {
	req.Header.Set("Accept", "text/html")
	resp, err := b.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: HTTP %d: %s", resp.Request.URL.Path, resp.StatusCode, body)
	}
	return resp.Request.URL.String(), string(body), err
}

// newTools returns an MCP server of the SDK with one tool, at a site whose
// authorization server asks the user on a page.
func newTools(t *testing.T) (*site, *issuer) {
	t.Helper()
	i := newIssuer(t, true)
	i.Set(func(k *oauthtest.Knobs) { k.Authorize.Ask = true })
	tools := sdk.NewServer(&sdk.Implementation{Name: "tools", Version: "v1.0.0"}, nil)
	sdk.AddTool(tools, &sdk.Tool{Name: "greet", Description: "greets"},
		func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "hello"}}}, nil, nil
		})
	s := newSite(t, i)
	s.tools = sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return tools }, nil)
	return s, i
}

// greet calls the tool, as a program that has just started.
func greet(ctx context.Context, transport *sdk.StreamableClientTransport) error {
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "v1.0.0"}, nil).Connect(ctx, transport, nil)
	if err != nil {
		return err
	}
	result, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "greet", Arguments: map[string]any{}})
	if err != nil {
		return errors.Join(err, session.Close())
	}
	text, ok := result.Content[0].(*sdk.TextContent)
	if !ok || text.Text != "hello" {
		err = fmt.Errorf("the tool says %v", result.Content)
	}
	return errors.Join(err, session.Close())
}

// One run of the program ends and another begins. In the first one the user
// logs in on the consent page, and later the token is refreshed.
func TestACommandFromTheFirst401ToTheNextRun(t *testing.T) {
	for way, asHandler := range map[string]bool{"Client": false, "OAuthHandler": true} {
		t.Run(way, func(t *testing.T) {
			s, i := newTools(t)
			store, pages := storage.NewMemory(), make(chan error, 10)
			run := func(test func(call func() error)) {
				h, err := mcp.New(s.endpoint, store, &mcp.Options{Name: "app", InsecureLoopback: true, Open: func(ctx context.Context, page string) error {
					ctx, b := context.WithoutCancel(ctx), newBrowser(t)
					go func() { _, err := b.visit(ctx, page); pages <- err }()
					return nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				transport := &sdk.StreamableClientTransport{Endpoint: s.endpoint, HTTPClient: h.Client(), DisableStandaloneSSE: true}
				if asHandler {
					transport = &sdk.StreamableClientTransport{Endpoint: s.endpoint, OAuthHandler: h, DisableStandaloneSSE: true}
				}
				test(func() error { return greet(t.Context(), transport) })
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
			run(func(call func() error) {
				if err := call(); err != nil {
					t.Fatalf("the call with a login = %v", err)
				}
				i.ExpireAccess(oauthtest.DefaultUser().ID)
				if err := call(); err != nil {
					t.Errorf("the call after the expiry = %v", err)
				}
			})
			run(func(call func() error) {
				if err := call(); err != nil {
					t.Errorf("the call of the next run = %v", err)
				}
			})
			if err := <-pages; err != nil {
				t.Errorf("the browser: %v", err)
			}
			got := fmt.Sprint(len(pages), i.registered.Load(), i.TokenCalls("authorization_code"), i.TokenCalls("refresh_token"))
			if got != "0 1 1 1" {
				t.Errorf("further logins, registrations, exchanges, refreshes = %s, want 0 1 1 1", got)
			}
		})
	}
}

// webApp is a web app with one page, which calls the tool.
type webApp struct {
	url   string
	start func() *mcp.Login // starts the app again

	handler http.Handler
}

func newWebApp(t *testing.T, s *site, i *issuer) *webApp {
	t.Helper()
	keys, err := seal.NewKeys(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	app, store := &webApp{}, storage.NewMemory()
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.handler.ServeHTTP(w, r) }))
	t.Cleanup(listener.Close)
	app.url = listener.URL
	i.redirects = []string{app.url + "/callback"}
	app.start = func() *mcp.Login {
		o := &mcp.Options{Name: "app", RedirectURL: i.redirects[0], InsecureLoopback: true}
		login, err := mcp.Open(t.Context(), s.endpoint, store, keys, o, &middleware.Options{AfterLogin: "/tool"})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		login.Mount(mux)
		mux.Handle("/tool", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			transport := &sdk.StreamableClientTransport{Endpoint: s.endpoint, HTTPClient: login.Client(), DisableStandaloneSSE: true}
			if err := greet(r.Context(), transport); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			fmt.Fprint(w, "greeted")
		})))
		app.handler = mux
		return login
	}
	return app
}

// The user of a web app logs in, a page calls the tool, the token expires, and
// the app starts again.
func TestAWebAppFromTheLoginToTheNextRun(t *testing.T) {
	for name, tt := range map[string]struct {
		forgets bool
		want    string // registrations, exchanges, refreshes
	}{
		"at a server that knows the app": {false, "1 1 1"},
		"at a server that forgets it":    {true, "2 2 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, i := newTools(t)
			app, b := newWebApp(t, s, i), newBrowser(t)
			login := app.start()
			see := func(when string, good bool) {
				if text, err := b.visit(t.Context(), app.url+"/tool"); (text == "greeted" && err == nil) != good {
					t.Errorf("the page %s = %q, %v, want good: %t", when, text, err, good)
				}
			}
			see("with a login", true)
			if tt.forgets {
				i.forget()
			}
			i.ExpireAccess(oauthtest.DefaultUser().ID)
			see("after the expiry", !tt.forgets)
			for range 2 {
				if err := login.Close(); err != nil {
					t.Error(err)
				}
				login = app.start()
				see("of the next run", true)
			}
			if err := login.Close(); err != nil {
				t.Error(err)
			}
			got := fmt.Sprint(i.registered.Load(), i.TokenCalls("authorization_code"), i.TokenCalls("refresh_token"))
			if got != tt.want {
				t.Errorf("registrations, exchanges, refreshes = %s, want %s", got, tt.want)
			}
		})
	}
}
