package nativeapp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/loopback"
)

// settles is how long a command may run before it counts as the browser itself.
const settles = 3 * time.Second

// OpenBrowser opens a URL in the browser of the user ([RFC 8252] section 4.1).
// The URL is an argument of a command, without a shell in between. It must be
// https, or http on this machine. It returns once a browser was found, and
// does not wait for the user.
//
// It knows the commands of macOS, of Windows, of the Windows below WSL, and of
// the desktops of Linux and other systems, and the variable BROWSER where that
// names a program. The error is ErrNoBrowser if there is none, as on a machine
// without a screen.
//
// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
func OpenBrowser(ctx context.Context, target string) error {
	if err := checkTarget(target); err != nil {
		return err
	}
	return openChecked(ctx, target)
}

// openChecked opens a URL that was checked.
func openChecked(ctx context.Context, target string) error {
	for _, argv := range commands(runtime.GOOS, os.Getenv, fileExists) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if run(ctx, append(argv, target)) == nil {
			return nil
		}
	}
	return ErrNoBrowser
}

// checkTarget refuses what a browser should not be sent to, and what a command
// could take for an option.
func checkTarget(target string) error {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("nativeapp: the URL for the browser is not a plain absolute URL")
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return nil
	}
	return fmt.Errorf("nativeapp: the URL for the browser has scheme %.20q: only https, and http on this machine, are opened", u.Scheme)
}

// commands returns the commands to try, without the URL.
func commands(goos string, env func(string) string, exists func(string) bool) (list [][]string) {
	switch goos {
	case "darwin":
		return [][]string{{"open"}}
	case "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
	}
	if program := env("BROWSER"); program != "" && !strings.ContainsAny(program, " %:\t") {
		list = append(list, []string{program})
	}
	if env("WSL_DISTRO_NAME") != "" || exists("/proc/sys/fs/binfmt_misc/WSLInterop") {
		list = append(list, []string{"wslview"}, []string{"rundll32.exe", "url.dll,FileProtocolHandler"})
	}
	// Without a screen, xdg-open would start a browser on the terminal.
	if env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != "" {
		list = append(list, []string{"xdg-open"}, []string{"x-www-browser"})
	}
	return list
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// run starts a command, and waits until it has ended or is the browser itself.
// The browser goes on when ctx ends.
func run(ctx context.Context, argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, argv[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := time.NewTimer(settles)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return nil
	}
}
