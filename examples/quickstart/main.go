// Quickstart shows what authtrip does, with no account, no configuration and no network:
//
//	go run ./examples/quickstart
//
// It starts a fake of X and a web app that uses it, on this machine only, and prints where to open the app. Connect an
// account, break its access token in the ways that tokens break, and watch on the page what goes over the wire.
//
// With X_CLIENT_ID (and X_CLIENT_SECRET, for a confidential client) in the environment it uses the real X.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves the demo until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	addr, dir, err := parse(args)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	release, err := own(dir)
	if err != nil {
		return err
	}
	defer release()

	t := newTimeline()
	up, err := chooseUpstream(ctx, listener, dir, t)
	if err != nil {
		return err
	}
	defer closing(&err, up.stop)
	keys, err := loadKeys(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	file, err := storage.OpenFile(filepath.Join(dir, "grants"), nil)
	if err != nil {
		return err
	}
	defer closing(&err, file.Close)

	// From here on this is what every app writes.
	defer http.DefaultClient.CloseIdleConnections() // else the fake would wait for them
	visible := &wire{base: http.DefaultTransport, timeline: t, provider: up.provider}
	client, err := tokensource.NewClient(up.provider, up.registration, &tokensource.ClientOptions{
		HTTPClient: &http.Client{Transport: visible},
	})
	if err != nil {
		return err
	}
	store, err := storage.Sealed(file, keys)
	if err != nil {
		return err
	}
	grants, err := tokensource.NewGrants(client, store, &tokensource.GrantOptions{
		RenewSpacing: time.Millisecond, // else a token that is killed twice within ten seconds would be refreshed once
	})
	if err != nil {
		return err
	}
	defer closing(&err, grants.Close)
	login, err := middleware.New(grants, keys, &middleware.Options{AfterLogout: "/?notice=bye"})
	if err != nil {
		return err
	}
	rt, err := transport.New(grants, &transport.Options{Base: visible})
	if err != nil {
		return err
	}
	a := &app{
		grants: grants, login: login, api: &http.Client{Transport: rt}, apiURL: up.provider.APIOrigins[0],
		origin: origin(listener), authURL: originOf(up.provider.AuthorizationURL), fake: up.fake,
		timeline: t, stopped: make(chan struct{}),
	}
	fmt.Fprint(stdout, up.welcome)
	fmt.Fprintf(stdout, "Open %s in your browser. Ctrl-C ends the demo; grants are kept in %s.\n", a.origin, dir)
	return a.serve(ctx, listener)
}

// parse reads the command line.
func parse(args []string) (addr, dir string, err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8080", "where the app listens, on loopback; port 0 picks a free one")
	flags.StringVar(&dir, "data", "", "folder for key and grants (default authtrip-quickstart in the user's configuration folder)")
	if err := flags.Parse(args); err != nil {
		return "", "", err
	}
	if flags.NArg() > 0 {
		return "", "", fmt.Errorf("unknown argument %q: -h lists what can be set", flags.Arg(0))
	}
	if dir == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return "", "", fmt.Errorf("no folder for the data: name one with -data: %w", err)
		}
		dir = filepath.Join(config, "authtrip-quickstart")
	}
	return addr, dir, nil
}

// serve answers until ctx ends, and then lets what was begun come to its end.
func (a *app) serve(ctx context.Context, listener net.Listener) error {
	server := newServer(a.handler())
	server.RegisterOnShutdown(func() { close(a.stopped) })
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return shutdown(server)
}

const shutdownTime = 2 * time.Second

func shutdown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// closing calls stop and keeps its error if there is no other.
func closing(err *error, stop func() error) {
	if e := stop(); *err == nil {
		*err = e
	}
}

// origin is the address of a listener as a browser writes it.
func origin(l net.Listener) string { return "http://" + l.Addr().String() }
