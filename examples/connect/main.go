// Command connect is a web app with users of its own, who connect accounts at X
// and Google. Its sessions are those of scs. Users, sessions and grants are in
// PostgreSQL.
//
//	go run ./examples/connect
//
// starts it with fakes of X and Google and with everything in memory, so it
// needs no account and no database. With a database:
//
//	export APP_KEYS=$(openssl rand -base64 32) # keep it
//	go run ./examples/connect -database postgres://localhost/app
//
// To see how an app uses package connect, read app.go.
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
	"time"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8090", "the address of the app")
	database := flag.String("database", os.Getenv("DATABASE_URL"), "the URL of a PostgreSQL database; empty keeps everything in memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *address, *database, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "connect:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, address, database string, out io.Writer) (err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	origin := "http://" + listener.Addr().String()
	a, err := open(ctx, origin, database, os.Getenv("APP_KEYS"))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, a.close()) }()
	fmt.Fprintf(out, "open %s and log in as anybody\n", origin)
	return serve(ctx, listener, a.handler())
}

// scopes are what the app asks for at each server.
var scopes = map[string][]string{
	"x":      {"tweet.read", "users.read", "offline.access"},
	"google": {"openid", "email", "profile"},
}

// open makes the app at an origin, with fakes of both servers.
func open(ctx context.Context, origin, database, keys string) (*app, error) {
	data, err := openDatabase(ctx, database, keys)
	if err != nil {
		return nil, err
	}
	a, err := newApp(data)
	if err != nil {
		data.close()
		return nil, err
	}
	for _, name := range []string{"x", "google"} {
		up, err := startFake(ctx, name, origin+"/"+name+"/callback", scopes[name])
		if err == nil {
			err = a.add(up)
		}
		if err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

func serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
