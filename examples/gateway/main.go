// Command gateway is a reverse proxy that calls APIs with the tokens of users,
// for programs in other languages. It shows how a program never holds a token:
// each caller gets a capability instead, which is for one user and one API, for
// a few methods, a number of calls and a short time, and can be revoked. Each
// call is a line of an audit.
//
//	go run ./examples/gateway
//
// starts it with a fake of X, needs no account, and prints what to type into
// another terminal. With X_CLIENT_ID set it calls X, for users who were logged
// in with
//
//	go run ./examples/gateway -login
//
// The page docs/gateway.md says how to make a gateway of your own of it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8484", "the address of the gateway")
	operator := flag.String("admin", "127.0.0.1:8485", "the address where capabilities are issued")
	login := flag.Bool("login", false, "log a user in at X, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := withUsers(ctx, func(u *users) error {
		if *login {
			return u.login(ctx, os.Stdout)
		}
		return run(ctx, u, *address, *operator, os.Stdout)
	})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, u *users, address, operator string, out io.Writer) error {
	allowed := newCapabilities(time.Now)
	audit := slog.New(slog.NewJSONHandler(out, nil))
	gate, err := newGateway(u.grants, allowed, audit, u.transport)
	if err != nil {
		return err
	}
	key, shown, err := operatorKey()
	if err != nil {
		return err
	}
	origins := u.grants.APIOrigins(nil)
	gateListener, err := listen(ctx, address)
	if err != nil {
		return err
	}
	adminListener, err := listen(ctx, operator)
	if err != nil {
		return errors.Join(err, gateListener.Close())
	}
	explain(out, adminListener.Addr(), gateListener.Addr(), shown, cmp.Or(u.subject, "SUBJECT"), origins[0])
	ctx, stop := context.WithCancel(ctx) // one without the other is of no use
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- serve(ctx, gateListener, gate) }()
	go func() { ended <- serve(ctx, adminListener, newAdmin(allowed, key, origins)) }()
	first := <-ended
	stop()
	return errors.Join(first, <-ended)
}

// operatorKey returns the key of the operator, and how a shell writes it: the
// key itself only if it was made here.
func operatorKey() (key, shown string, err error) {
	switch key = os.Getenv("GATEWAY_KEY"); {
	case key == "":
		key = random(32)
		return key, key, nil
	case len(key) < 32:
		return "", "", errors.New("GATEWAY_KEY is shorter than 32 characters: head -c 32 /dev/urandom | base64")
	}
	return key, "$GATEWAY_KEY", nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// serve answers until ctx ends. A stream that is under way then has 5 seconds.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if server.Shutdown(patience) != nil {
		_ = server.Close() // ends the rest
	}
	return nil
}

// explain prints the commands that a person would try.
func explain(out io.Writer, admin, gate net.Addr, key, subject, origin string) {
	_, _ = fmt.Fprintf(out, `The gateway listens. Type this into another terminal:

  # the operator's program gets a capability: ten calls within five minutes
  curl -s -H "Authorization: Bearer %[1]s" http://%[2]s/capabilities \
    -d '{"subject":"%[3]s","origin":"%[4]s","methods":["GET"],"calls":10,"seconds":300}'

  # a program in any language calls with it, and never sees a token
  curl -s -H "Authorization: Bearer CAPABILITY" http://%[5]s/2/users/me
  GATEWAY=http://%[5]s CAPABILITY=CAPABILITY python3 client.py

  # the operator revokes it
  curl -s -X DELETE -H "Authorization: Bearer %[1]s" http://%[2]s/capabilities/ID

The audit follows.
`, key, admin, subject, origin, gate)
}
