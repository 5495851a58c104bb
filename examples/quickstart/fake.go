package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// fake is the stand-in for X: authorization server and API on a loopback port
// of their own. It remembers its grants over a restart. Otherwise, those that
// the app has stored would be worth nothing.
type fake struct {
	*xapi.Server
	app  oauthtest.App
	url  string
	http *http.Server

	mu   sync.Mutex // guards the file
	file string
}

// startFake starts a fake at which the demo is registered with its redirect
// URL.
func startFake(ctx context.Context, redirectURL, file string, t *timeline) (*fake, error) {
	f := &fake{app: oauthtest.ConfidentialApp(), file: file}
	f.app.Name = "authtrip quickstart"
	f.app.RedirectURLs = []string{redirectURL}
	var err error
	f.Server, err = xapi.NewServer(&oauthtest.Options{
		Apps:        []oauthtest.App{f.app},
		OnRequest:   f.keep,
		RecordLimit: -1,
	})
	if err != nil {
		return nil, err
	}
	f.Set(func(k *xapi.Knobs) {
		k.Authorize.Ask = true
		k.API.Limit = -1 // X allows 75 calls in 15 minutes; the demo makes 200 at once
	})
	if err := f.restore(); err != nil {
		return nil, err
	}
	listener, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.url = "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", f.Server)
	mux.Handle(xapi.PathAuthorize, t.watch(authServer, f.Server))
	f.http = newServer(mux)
	go f.http.Serve(listener) //nolint:errcheck // it ends with http.ErrServerClosed, by stop
	return f, nil
}

// stop ends the fake and keeps what it knows.
func (f *fake) stop() error { return errors.Join(shutdown(f.http), f.save()) }

func (f *fake) restore() error {
	snapshot, err := os.ReadFile(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = f.Restore(snapshot)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.file, err)
	}
	return nil
}

// keep saves after whatever changes grants, before the answer goes out: a demo
// that is killed loses nothing.
func (f *fake) keep(r oauthtest.Request) {
	if r.Path != xapi.PathToken && r.Path != xapi.PathRevoke {
		return
	}
	if err := f.save(); err != nil {
		log.Printf("quickstart: the state of the fake X is not saved: %v", err)
	}
}

func (f *fake) save() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	snapshot, err := f.Snapshot()
	if err != nil {
		return err
	}
	return writeFile(f.file, snapshot)
}
