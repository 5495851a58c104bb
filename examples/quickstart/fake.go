package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// fake is the stand-in for X: authorization server and API on a loopback port
// of their own. It remembers its grants over a restart. Otherwise, those that
// the app has stored would be worth nothing.
type fake struct {
	*xapi.Server
	*saved
	app  oauthtest.App
	url  string
	http *http.Server
}

// startFake starts a fake at which the demo is registered with its redirect
// URL.
func startFake(ctx context.Context, redirectURL, file string, t *timeline) (*fake, error) {
	f := &fake{app: oauthtest.ConfidentialApp(), saved: &saved{file: file}}
	f.app.Name = "authtrip quickstart"
	f.app.RedirectURLs = []string{redirectURL}
	var err error
	f.Server, err = xapi.NewServer(&oauthtest.Options{
		Apps:        []oauthtest.App{f.app},
		OnRequest:   f.keepAnswered,
		RecordLimit: -1,
	})
	if err != nil {
		return nil, err
	}
	f.server = f.Server
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
	mux.Handle(xapi.PathToken, t.watchWorker(f.Server))
	f.http = newServer(mux)
	go f.http.Serve(listener) //nolint:errcheck // it ends with http.ErrServerClosed, by stop
	return f, nil
}

// stop ends the fake and keeps what it knows.
func (f *fake) stop() error { return errors.Join(shutdown(f.http), f.save()) }

// keepAnswered saves after the requests that change grants. A post at the API
// changes none.
func (f *fake) keepAnswered(r oauthtest.Request) {
	if r.Path == xapi.PathToken || r.Path == xapi.PathRevoke {
		f.keep(r)
	}
}
