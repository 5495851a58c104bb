// The program cli is a command that acts for its user at X, and stays logged
// in. Try it without an account, at a fake of X:
//
//	go run ./examples/cli demo
//
// With an app of your own at X: register it as a native app with the redirect
// URL http://127.0.0.1:8765/callback, set POSTS_CLIENT_ID to its client ID, and
// begin with "login".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
)

const usage = `Usage: cli [-account NAME] [-no-browser] COMMAND

  login         log in at X, in the browser or by a URL to open elsewhere
  whoami        say who X thinks you are
  post TEXT     post a text
  status        say who is logged in, and where the login is kept
  default NAME  make an account the default
  key PLACE     move the key of the logins into the "keychain" or a "file"
  logout        log out, and revoke the tokens at X
  demo          do all of this at a fake of X: no account is needed

Environment:
  POSTS_CLIENT_ID  the client ID of your app at X
  POSTS_TOKEN      an access token to use as it is, such as in a CI run
  POSTS_SERVER     the URL of a fake of X to use in place of X

Flags:
`

func main() {
	// The command "timeout" and many supervisors send SIGTERM. A refresh that has
	// begun is finished all the same. A second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], &command{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// command is one run of the program.
type command struct {
	in       io.Reader
	out, err io.Writer
	account  string
	off      bool // no browser
	args     []string
	app      *nativeapp.App
}

// errUsage means that the arguments are wrong.
var errUsage = errors.New("usage")

// run carries out a command and returns the status of the process.
func run(ctx context.Context, args []string, c *command) int {
	flags := flag.NewFlagSet("cli", flag.ContinueOnError)
	flags.SetOutput(c.err)
	flags.StringVar(&c.account, "account", "", "act for this account, and not for the default")
	flags.BoolVar(&c.off, "no-browser", false, "open no browser on this machine")
	flags.Usage = func() {
		fmt.Fprint(c.err, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	c.args = flags.Args()
	err := c.do(ctx)
	switch {
	case errors.Is(err, errUsage):
		flags.Usage()
		return 2
	case err != nil:
		fmt.Fprintln(c.err, "cli:", advice(err))
		return 1
	}
	return 0
}

// advice says what the user can do about an error.
func advice(err error) string {
	switch {
	case errors.Is(err, nativeapp.ErrAccount):
		return err.Error() + ". Name one with -account, or make one the default"
	case errors.Is(err, tokensource.ErrNoGrant):
		return "nobody is logged in. Log in: cli login"
	case errors.Is(err, tokensource.ErrReauthorize):
		return err.Error() + ". Log in: cli login"
	}
	return err.Error()
}

// do carries out the command. The program ends when the App is closed: a
// refresh that has begun is finished first.
func (c *command) do(ctx context.Context) error {
	if len(c.args) == 0 {
		return errUsage
	}
	name, rest := c.args[0], c.args[1:]
	if name == "demo" && len(rest) == 0 {
		return demo(ctx, c)
	}
	carryOut, ok := map[string]func(context.Context) error{
		"login": c.login, "whoami": c.whoami, "status": c.status, "logout": c.logout,
		"post":    func(ctx context.Context) error { return c.post(ctx, rest[0]) },
		"default": func(ctx context.Context) error { return c.app.SetDefault(ctx, rest[0]) },
		"key":     func(ctx context.Context) error { return c.key(ctx, rest[0]) },
	}[name]
	takes := 0
	if name == "post" || name == "default" || name == "key" {
		takes = 1
	}
	if !ok || len(rest) != takes {
		return errUsage
	}
	var err error
	if c.app, err = open(ctx, c); err != nil {
		return err
	}
	return errors.Join(carryOut(ctx), c.app.Close())
}
