package nativeapp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	byBrowser = 0
	byDevice  = 1
	byAddress = 2
)

func TestPick(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no command opens a browser
	t.Setenv("WSL_DISTRO_NAME", "")
	for name, tt := range map[string]struct {
		env      map[string]string
		redirect string
		browser  bool // Options.Open is set
		off      bool // LoginOptions.NoBrowser
		device   int  // what is picked where the server has device codes
		paste    int  // and where it has none
	}{
		"a desktop":                         {nil, "http://127.0.0.1/cb", true, false, byBrowser, byBrowser},
		"a desktop, localhost":              {nil, "http://localhost:8080/cb", true, false, byBrowser, byBrowser},
		"no browser is wanted":              {nil, "http://127.0.0.1/cb", true, true, byDevice, byAddress},
		"no browser is there":               {nil, "http://127.0.0.1/cb", false, false, byDevice, byAddress},
		"ssh by SSH_CONNECTION":             {map[string]string{"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "http://127.0.0.1/cb", true, false, byDevice, byAddress},
		"ssh by SSH_TTY":                    {map[string]string{"SSH_TTY": "/dev/pts/1"}, "http://127.0.0.1/cb", true, false, byDevice, byAddress},
		"ssh by SSH_CLIENT":                 {map[string]string{"SSH_CLIENT": "10.0.0.1 1 22"}, "http://127.0.0.1/cb", true, false, byDevice, byAddress},
		"the redirect URL is a web page":    {nil, "https://app.example/cb", true, false, byDevice, byAddress},
		"the redirect URL is an app's":      {nil, "com.example.app:/cb", true, false, byDevice, byAddress},
		"a screen, and no command opens it": {map[string]string{"DISPLAY": ":0"}, "http://127.0.0.1/cb", false, false, byDevice, byAddress},
	} {
		for _, device := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, device codes %t", name, device), func(t *testing.T) {
				w := newWorld(t)
				w.local(t)
				t.Setenv("BROWSER", "")
				for name, value := range tt.env {
					t.Setenv(name, value)
				}
				w.redirect = tt.redirect
				w.changed = func(p *provider.Provider) {
					if !device {
						p.DeviceAuthorizationURL = ""
					}
				}
				o := new(nativeapp.Options)
				if tt.browser {
					o.Open = w.browser(nil)
				}
				want := tt.paste
				if device {
					want = tt.device
				}
				if got := nativeapp.Pick(w.app(o), tt.off); got != want {
					t.Errorf("pick() = %d, want %d", got, want)
				}
			})
		}
	}
}

// person is what a user does at a terminal: the user reads Out, and writes In.
type person struct {
	w     *world
	lines func(answer *url.URL) []string // what the user enters
	in    *io.PipeWriter
	once  sync.Once
	mu    sync.Mutex // guards read
	read  strings.Builder
}

// terminal returns the terminal of a user.
func (w *world) terminal(lines func(answer *url.URL) []string) (*person, io.Reader) {
	r, in := io.Pipe()
	w.Cleanup(func() { _ = in.Close() })
	return &person{w: w, lines: lines, in: in}, r
}

// Write shows text to the user, who opens the page in it on another machine.
func (p *person) Write(text []byte) (int, error) {
	p.mu.Lock()
	p.read.Write(text)
	p.mu.Unlock()
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "https://") {
			p.once.Do(func() { go p.enter(line) })
		}
	}
	return len(text), nil
}

func (p *person) enter(target string) {
	answer, err := p.w.fake.Authorize(p.w.Context(), "", target)
	if err != nil {
		p.w.Error(err)
		_ = p.in.Close()
		return
	}
	u, err := url.Parse(answer)
	if err != nil {
		p.w.Error(err)
	}
	for _, line := range p.lines(u) {
		_, _ = io.WriteString(p.in, line)
	}
}

func (p *person) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.read.String()
}

// The user opens the URL on another machine and pastes the address at the end.
func TestLoginByAnAddressThatIsPasted(t *testing.T) {
	whole := func(u *url.URL) []string { return []string{u.String() + "\n"} }
	for name, tt := range map[string]struct {
		redirect string
		lines    func(*url.URL) []string
	}{
		"the whole address":          {"http://127.0.0.1/callback", whole},
		"with a port":                {"http://127.0.0.1:9/callback", whole},
		"at localhost":               {"http://localhost:9/callback", whole},
		"a web page":                 {"https://app.example/done", whole},
		"an app's own scheme":        {"com.example.app:/done", whole},
		"a fragment at the end":      {"https://app.example/done", func(u *url.URL) []string { return []string{u.String() + "#_=_\n"} }},
		"spaces around it":           {"http://127.0.0.1/callback", func(u *url.URL) []string { return []string{"  " + u.String() + " \r\n"} }},
		"quotes around it":           {"http://127.0.0.1/callback", func(u *url.URL) []string { return []string{`"` + u.String() + "\"\n"} }},
		"the query only":             {"http://127.0.0.1/callback", func(u *url.URL) []string { return []string{u.RawQuery + "\n"} }},
		"a query with question mark": {"http://127.0.0.1/callback", func(u *url.URL) []string { return []string{"?" + u.RawQuery + "\n"} }},
		"without a scheme":           {"http://127.0.0.1:9/callback", func(u *url.URL) []string { return []string{strings.TrimPrefix(u.String(), "http://") + "\n"} }},
		"without a line end":         {"http://127.0.0.1/callback", func(u *url.URL) []string { return []string{u.String(), "\n"} }},
		"after empty lines":          {"http://127.0.0.1/callback", func(u *url.URL) []string { return []string{"\n\r\n", u.String() + "\n"} }},
		"after other addresses": {"http://127.0.0.1/callback", func(u *url.URL) []string {
			return []string{"https://auth.example/\n", "?code=evil&state=guess\n", "hello\n", "%zz?%zz\n", strings.Repeat("a", 100_000) + "\n", u.String() + "\n"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.local(t)
			w.redirect = tt.redirect
			w.changed = func(p *provider.Provider) {
				p.DeviceAuthorizationURL = ""
				p.AnyLoopbackPort = !strings.Contains(tt.redirect, "localhost")
			}
			user1, in := w.terminal(tt.lines)
			app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.In, o.Out = in, user1 })
			id, err := app.Login(t.Context(), &nativeapp.LoginOptions{NoBrowser: true})
			if err != nil || id.Subject != user {
				t.Fatalf("Login() = %+v, %v, want the user; the terminal shows: %s", id, err, user1.text())
			}
			w.works("after the login", app, user)
			if !strings.Contains(user1.text(), "started yourself") || strings.Contains(user1.text(), "evil") {
				t.Errorf("the terminal shows: %s", user1.text())
			}
		})
	}
}

// What follows the address in the input belongs to the program.
func TestTheRestOfTheInputIsLeft(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.changed = func(p *provider.Provider) { p.DeviceAuthorizationURL = "" }
	user1, in := w.terminal(func(u *url.URL) []string { return []string{u.String() + "\nthe rest"} })
	app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.In, o.Out = in, user1 })
	if _, err := app.Login(t.Context(), &nativeapp.LoginOptions{NoBrowser: true}); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, 100)
	if n, err := in.Read(rest); string(rest[:n]) != "the rest" {
		t.Errorf("the rest of the input is %q, %v, want all of it", rest[:n], err)
	}
}

// A browser may be on this machine after all, or ssh forwards the port.
func TestTheAnswerComesWhileAnAddressIsAwaited(t *testing.T) {
	w := newWorld(t)
	w.local(t)
	w.changed = func(p *provider.Provider) { p.DeviceAuthorizationURL = "" }
	user1, in := w.terminal(func(u *url.URL) []string {
		if status, text := w.get(u.String()); status != 200 {
			t.Errorf("the page at the end = %d %s, want 200", status, text)
		}
		return nil
	})
	app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.In, o.Out = in, user1 })
	if id, err := app.Login(t.Context(), &nativeapp.LoginOptions{NoBrowser: true}); err != nil || id.Subject != user {
		t.Errorf("Login() = %+v, %v, want the user", id, err)
	}
	if _, err := io.WriteString(user1.in, "a line for the program\n"); err != nil { // it is lost
		t.Error(err)
	}
	if strings.Contains(user1.text(), "not the address") {
		t.Errorf("after the login the terminal shows: %s", user1.text())
	}
}

func TestLoginByAnAddressThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		knobs func(*oauthtest.Knobs)
		must  map[string]string // Provider.CallbackValues
		want  error
	}{
		"the user refuses":                  {func(k *oauthtest.Knobs) { k.Authorize.Deny = true }, nil, nativeapp.ErrDenied},
		"another issuer":                    {func(k *oauthtest.Knobs) { k.Authorize.SendIss = "https://evil.example" }, nil, nativeapp.ErrResponse},
		"another shop than that of the app": {func(*oauthtest.Knobs) {}, map[string]string{"shop": "mine.example"}, nativeapp.ErrResponse},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.local(t)
			w.changed = func(p *provider.Provider) { p.DeviceAuthorizationURL, p.CallbackValues = "", tt.must }
			user1, in := w.terminal(func(u *url.URL) []string { return []string{u.String() + "&shop=another.example\n"} })
			app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.In, o.Out = in, user1 })
			w.fake.Set(tt.knobs)
			if _, err := app.Login(t.Context(), &nativeapp.LoginOptions{NoBrowser: true}); !errors.Is(err, tt.want) {
				t.Errorf("Login() = %v, want %v", err, tt.want)
			}
		})
	}
	w := newWorld(t)
	w.local(t)
	w.changed = func(p *provider.Provider) { p.DeviceAuthorizationURL = "" }
	app := w.command(t.TempDir(), nil) // its input is empty
	if _, err := app.Login(t.Context(), &nativeapp.LoginOptions{NoBrowser: true}); !errors.Is(err, nativeapp.ErrNoBrowser) || !strings.Contains(err.Error(), "input has ended") {
		t.Errorf("Login(no input) = %v, want ErrNoBrowser", err)
	}
	user1, in := w.terminal(func(*url.URL) []string { return nil })
	app = w.command(t.TempDir(), func(o *nativeapp.Options) { o.In, o.Out, o.Timeout = in, user1, 10*time.Millisecond })
	if _, err := app.Login(t.Context(), &nativeapp.LoginOptions{NoBrowser: true}); !errors.Is(err, nativeapp.ErrExpired) {
		t.Errorf("Login(the user does nothing) = %v, want ErrExpired", err)
	}
}

// If a way turns out not to work, the next one follows.
func TestLoginTriesTheNextWay(t *testing.T) {
	noBrowser := func(context.Context, string) error { return nativeapp.ErrNoBrowser }
	t.Run("the browser does not open, and a device code does", func(t *testing.T) {
		for _, name := range []string{"SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"} {
			t.Setenv(name, "")
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			var out strings.Builder
			app := w.app(&nativeapp.Options{Open: noBrowser, Out: &out})
			if id, err := app.Login(t.Context(), nil); err != nil || id.Subject != user || !strings.Contains(out.String(), "enter the code") {
				t.Errorf("Login() = %+v, %v, with %q, want the user and a code", id, err, out.String())
			}
		})
	})
	t.Run("the browser does not open, no device code, and an address does", func(t *testing.T) {
		w := newWorld(t)
		w.local(t)
		user1, in := w.terminal(func(u *url.URL) []string { return []string{u.String() + "\n"} })
		app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.Open, o.In, o.Out = noBrowser, in, user1 })
		w.fake.Inject(oauthtest.Match{Op: "device"}, oauthtest.Fault{Status: 400, Body: `{"error":"unauthorized_client"}`}, 1)
		if id, err := app.Login(t.Context(), nil); err != nil || id.Subject != user {
			t.Errorf("Login() = %+v, %v, with %q, want the user", id, err, user1.text())
		}
	})
	t.Run("the server for device codes is down", func(t *testing.T) {
		w := newWorld(t)
		w.local(t)
		app := w.command(t.TempDir(), func(o *nativeapp.Options) { o.Open = noBrowser })
		w.fake.Inject(oauthtest.Match{Op: "device"}, oauthtest.Fault{Status: 503}, 1)
		if _, err := app.Login(t.Context(), nil); err == nil || errors.Is(err, nativeapp.ErrNoBrowser) {
			t.Errorf("Login() = %v, want the failure of the server", err)
		}
	})
}
