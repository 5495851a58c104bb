package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// demo starts a fake of X and runs the program there, several times, as a user
// would. The folder of the logins is a temporary one. A browser on this machine
// is not needed: a goroutine does what the user does in the browser.
func demo(ctx context.Context, c *command) error {
	dir, err := os.MkdirTemp("", "posts-demo")
	if err != nil {
		return err
	}
	fake, server, err := startFake()
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	d := &demonstration{command: c, fake: fake, env: append(os.Environ(),
		"POSTS_SERVER="+server.URL, "POSTS_TOKEN=", "XDG_CONFIG_HOME="+dir, "HOME="+dir, "LocalAppData="+dir, "DBUS_SESSION_BUS_ADDRESS=")}
	err = d.all(ctx)
	server.Close()
	return errors.Join(err, fake.Close(), os.RemoveAll(dir))
}

// startFake starts a fake of X on a free port of this machine.
func startFake() (*xapi.Server, *httptest.Server, error) {
	app := oauthtest.PublicApp()
	app.RedirectURLs = []string{redirectURL}
	fake, err := xapi.NewServer(&oauthtest.Options{Apps: []oauthtest.App{app}})
	if err != nil {
		return nil, nil, err
	}
	fake.Set(func(k *xapi.Knobs) { k.Authorize.AnyLoopbackPort = true })
	return fake, httptest.NewServer(fake), nil
}

// demonstration runs the program at the fake.
type demonstration struct {
	*command
	fake *xapi.Server
	env  []string
}

func (d *demonstration) all(ctx context.Context) error {
	for _, args := range [][]string{
		{"status"}, {"-no-browser", "login"}, {"whoami"}, {"post", "Hello from the command line"}, {"status"}, {"", "an hour passes"}, {"whoami"}, {"logout"}, {"status"},
	} {
		if args[0] == "" {
			fmt.Fprintf(d.out, "\n… %s: the access token has expired\n", args[1])
			d.fake.ExpireAccess("")
			continue
		}
		fmt.Fprintf(d.out, "\n$ cli %s\n", strings.Join(args, " "))
		if err := d.process(ctx, args); err != nil {
			return err
		}
	}
	return nil
}

// process runs the program in a process of its own. When it shows a URL to
// open, a user opens it elsewhere and pastes the address at the end.
func (d *demonstration) process(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env, cmd.Stdout = d.env, d.out
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	p := &person{demonstration: d}
	p.open = func(page string) { fmt.Fprintln(input, p.browse(ctx, page)) }
	cmd.Stderr = p
	return cmd.Run()
}

// person reads what the program shows, and opens the first URL of X in it.
type person struct {
	*demonstration
	open func(page string)
	done bool
}

func (p *person) Write(text []byte) (int, error) {
	fmt.Fprintf(p.err, "%s", text)
	for line := range strings.SplitSeq(string(text), "\n") {
		if !p.done && strings.Contains(line, xapi.PathAuthorize) {
			p.done = true
			go p.open(line)
		}
	}
	return len(text), nil
}

// browse is the browser on the other machine: the user consents, and the
// address at the end does not answer there. Without an address the login says
// that it has none.
func (p *person) browse(ctx context.Context, page string) (address string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	address = resp.Header.Get("Location")
	fmt.Fprintln(p.err, address)
	return address
}
