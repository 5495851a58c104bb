package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"runtime"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// way is how a user logs in.
type way int

const (
	byBrowser way = iota // on this machine
	byDevice             // a code that the user enters on any machine
	byAddress            // the user opens a URL elsewhere, and pastes the address at the end
)

// Login logs a user in, in the way that works here, and tells the user on
// Options.Out what to do. The account becomes the default if there is none.
//
//   - With a browser on this machine it is [App.Loopback].
//   - Over ssh, or without a browser, it is [App.Device] if the server has
//     device codes.
//   - Otherwise the user opens the URL on any machine. The browser ends at an
//     address that does not answer there, and the user copies that address into
//     this program (Options.In). A redirect URL that is not on this machine
//     works only in this way.
//
// If a way turns out not to work, because the browser does not open or the
// server issues no device codes to the client, the next one follows.
//
// The login adds an account. A user who is known already keeps the account. The
// errors are those of Loopback and Device. ErrNoBrowser also means that the
// input has ended, so that nobody can paste anything. Nil options ask for what
// the client says.
func (a *App) Login(ctx context.Context, o *LoginOptions) (provider.Identity, error) {
	if err := a.fixed(); err != nil {
		return provider.Identity{}, err
	}
	if l, _, _, err := a.read(ctx); err == nil {
		_ = a.repeat(ctx, l) // the account stays, to repeat it once more
	}
	next := a.pick(o != nil && o.NoBrowser)
	if next == byBrowser {
		user, err := a.loopback(ctx, o, a.openHere)
		if !errors.Is(err, ErrNoBrowser) {
			return user, err
		}
		next = a.pick(true)
	}
	if next == byDevice {
		user, err := a.Device(ctx, a.tell, o)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Op != "device" || !errors.Is(err, tokensource.ErrClient) {
			return user, err
		}
	}
	return a.byAddress(ctx, o)
}

// pick returns the way that works here.
func (a *App) pick(noBrowser bool) way {
	p := a.client.Provider()
	m := machine{os.Getenv, fileExists, onPath, runtime.GOOS}
	here := a.options.Open != nil || m.browser()
	u, err := url.Parse(a.client.RedirectURL())
	comesBack := err == nil && u.Scheme == "http" && loopback.Site(u.Hostname())
	switch {
	case !noBrowser && here && comesBack && !m.remote():
		return byBrowser
	case p.DeviceAuthorizationURL != "":
		return byDevice
	}
	return byAddress
}

// machine is what a program can know of where it runs.
type machine struct {
	env    func(string) string
	exists func(string) bool
	onPath func(string) bool
	goos   string
}

// remote reports whether the user sits at another machine.
func (m machine) remote() bool {
	return m.env("SSH_CONNECTION") != "" || m.env("SSH_TTY") != "" || m.env("SSH_CLIENT") != ""
}

// browser reports whether there is a command that opens a browser.
func (m machine) browser() bool {
	for _, argv := range commands(m.goos, m.env, m.exists) {
		if m.onPath(argv[0]) {
			return true
		}
	}
	return false
}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// openHere opens the browser on this machine, and shows the URL as well: the
// browser may open on another screen, or with another user.
func (a *App) openHere(ctx context.Context, target string) error {
	open := a.options.Open
	if open == nil {
		open = a.openBrowser
	}
	if err := open(ctx, target); err != nil {
		return err
	}
	if ctx.Err() == nil { // the login has not ended meanwhile
		a.say("Log in to %s in the browser that has opened. If none has, open this page:\n\n%s\n\n", a.title(), target)
	}
	return nil
}

// tell shows a device code.
func (a *App) tell(_ context.Context, code DeviceCode) error {
	a.say("%s", code)
	return nil
}

// say writes to the user. A user who cannot be reached cannot log in, which
// ends by itself.
func (a *App) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.options.Out, format, args...)
}
