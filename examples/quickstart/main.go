// Quickstart shows what authtrip does. It needs no account, no configuration,
// and no network once the modules are downloaded:
//
//	go run ./examples/quickstart
//
// It starts fakes of X and Google and a web app that uses them, on this machine
// only, and prints where to open the app. Log in, connect more accounts, make
// the access token invalid in several ways, kill a process at the worst moment,
// and read on the page what goes over the wire.
//
// If X_CLIENT_ID is set in the environment (and X_CLIENT_SECRET, for a
// confidential client), it uses the real X.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/sqlitestore"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	var err error
	if dir := os.Getenv(workerDir); dir != "" {
		err = work(ctx, dir, os.Getenv(workerFake), os.Getenv(workerUser))
	} else {
		err = run(ctx, os.Args[1:], os.Stdout)
	}
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
	up, err := chooseUpstream(ctx, origin(listener), dir, t)
	if err != nil {
		return err
	}
	defer closing(&err, up.stop)
	a := &app{dir: dir, origin: origin(listener), upstream: up, timeline: t, stopped: make(chan struct{})}
	if err := a.assemble(ctx, dir); err != nil {
		return err
	}
	defer closing(&err, a.close)
	fmt.Fprint(stdout, up.welcome)
	fmt.Fprintf(stdout, "Open %s in your browser. Ctrl-C ends the demo; grants are kept in %s.\n", a.origin, dir)
	return a.serve(ctx, listener)
}

// assemble puts the parts of authtrip together, as every app does that uses it.
func (a *app) assemble(ctx context.Context, dir string) error {
	keys, err := loadKeys(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	if a.database, err = sqlitestore.Open(ctx, filepath.Join(dir, "grants.db"), nil); err != nil {
		return err
	}
	store, err := storage.Sealed(a.database, keys)
	if err != nil {
		return err
	}
	visible := &wire{base: a.upstream.base, timeline: a.timeline, provider: a.upstream.provider}
	client, err := oauth.New(a.upstream.provider, a.upstream.registration, &oauth.Options{
		HTTPClient: &http.Client{Transport: visible},
	})
	if err != nil {
		return err
	}
	a.grants, err = grant.New(client, store, &grant.Options{
		// Otherwise, a token that is killed twice within ten seconds would be
		// refreshed once.
		RenewSpacing: time.Millisecond,
	})
	if err != nil {
		return err
	}
	a.login, err = middleware.New(a.grants, keys, &middleware.Options{
		AppName: "authtrip quickstart", AfterLogout: "/?notice=bye&at=connect", OnLogin: a.welcome, OnError: explain,
	})
	if err != nil {
		return err
	}
	rt, err := transport.New(a.grants, &transport.Options{Base: visible})
	if err != nil {
		return err
	}
	a.api = &http.Client{Transport: rt}
	if a.upstream.fake == nil {
		return nil
	}
	return a.startSecond(ctx, dir, store, keys)
}

// close ends what assemble began: refreshes under way come to their end and are
// stored.
func (a *app) close() error {
	var err error
	if a.second != nil {
		err = a.second.stop()
	}
	err = errors.Join(err, a.grants.Close(), a.database.Close())
	http.DefaultClient.CloseIdleConnections() // the fake would wait for them
	return err
}

// closing calls stop and keeps its error if there is no other.
func closing(err *error, stop func() error) {
	if e := stop(); *err == nil {
		*err = e
	}
}
