// The program fake is an authorization server with an API, in a process of its
// own, to write programs against. It needs no account and no network:
//
//	go run ./examples/fake -redirect http://127.0.0.1:8080/callback
//
// It plays X, or with -provider another server of the catalogue, and prints
// what your program needs, and each request that comes. It is for the person at
// this machine only, and forgets everything when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "fake:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	listen, redirect, provider string
	lifetime                   time.Duration
	yes                        bool
}

func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:9999", "the `address` of the fake")
	flags.StringVar(&s.redirect, "redirect", "http://127.0.0.1:8080/callback", "the redirect `URL` of your program")
	flags.StringVar(&s.provider, "provider", "x", "the `name` in the catalogue of the server to play")
	flags.DurationVar(&s.lifetime, "lifetime", 0, "how long access tokens live (default: as at the server)")
	flags.BoolVar(&s.yes, "yes", false, "consent at once, and show no page that asks")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if host, _, err := net.SplitHostPort(s.listen); err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return s, fmt.Errorf("-listen %q is no address on this machine, such as 127.0.0.1:9999", s.listen)
	}
	return s, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	f, err := newFake(s, out)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	f.explain("http://" + l.Addr().String())
	server := &http.Server{Handler: f.handler(), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// fake is the server, and where it prints.
type fake struct {
	settings
	*oauthtest.Server
	answers http.Handler
	apps    []oauthtest.App
	log     *log.Logger
}

func newFake(s settings, out io.Writer) (*fake, error) {
	f := &fake{settings: s, log: log.New(out, "", 0), apps: []oauthtest.App{oauthtest.ConfidentialApp(), oauthtest.PublicApp()}}
	for i := range f.apps {
		f.apps[i].RedirectURLs = []string{s.redirect}
	}
	o := &oauthtest.Options{Apps: f.apps, OnRequest: func(r oauthtest.Request) { f.log.Print(r) }}
	o.Knobs.Authorize.Ask = !s.yes
	o.Knobs.Token.AccessTTL = s.lifetime
	if s.provider == "x" {
		x, err := xapi.NewServer(o)
		if err != nil {
			return nil, err
		}
		f.Server, f.answers = x.Server, x
		return f, nil
	}
	p, err := provider.Get(s.provider)
	if err != nil {
		return nil, err
	}
	o.Provider = p
	f.Server, err = oauthtest.NewServer(o)
	f.answers = f.Server
	return f, err
}

// handler serves the fake, and what a person at this machine does to it.
func (f *fake) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", f.answers)
	mux.HandleFunc("POST /fake/expire", func(w http.ResponseWriter, _ *http.Request) {
		f.ExpireAccess("")
		fmt.Fprintln(w, "Every access token has expired.")
	})
	mux.HandleFunc("POST /fake/withdraw", func(w http.ResponseWriter, _ *http.Request) {
		for _, app := range f.apps {
			_ = f.RevokeGrant(oauthtest.DefaultUser().ID, app.ClientID) // an app may have no grant
		}
		fmt.Fprintln(w, "The user has withdrawn access.")
	})
	mux.HandleFunc("POST /fake/outage", func(w http.ResponseWriter, _ *http.Request) {
		f.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, 10)
		fmt.Fprintln(w, "The next ten requests fail.")
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// explain prints what a program needs.
func (f *fake) explain(base string) {
	server := "provider.X()"
	if f.provider != "x" {
		server = fmt.Sprintf("provider.Get(%q)", f.provider)
	}
	f.log.Printf(`A fake of %[1]s is at %[2]s. In your program, behind server := %[3]s, write

  server = server.InsecureAt("%[2]s")

The redirect URL is %[4]s. An app with a secret has the client ID and the secret

  %[5]s
  %[6]s

and an app without a secret has the client ID

  %[7]s

What can happen to them:

  curl -X POST %[2]s/fake/expire     # every access token expires
  curl -X POST %[2]s/fake/withdraw   # the user withdraws access
  curl -X POST %[2]s/fake/outage     # the next ten requests fail

The requests follow.`, f.provider, base, server, f.redirect, f.apps[0].ClientID, f.apps[0].Secret(), f.apps[1].ClientID)
}
