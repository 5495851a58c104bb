package nativeapp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/authtrip/authtrip/internal/waiting"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// Client returns an http.Client that acts for the user who is logged in, and
// stays logged in. Requests to the API of the provider carry the token, and all
// others pass as they are. See package transport.
//
// Which account it is, is looked up at the first request and stays so until
// this App changes it. A request for which there is no token fails: match
// tokensource.ErrReauthorize, after which a login helps, and [ErrAccount].
//
// If another run of the program was killed while it renewed the token, a
// request waits until its lease has ended: for 30 seconds, unless the Timeout
// of the oauth.Client is another. After 3 seconds, Options.Out says so.
func (a *App) Client() *http.Client {
	client, err := a.api()
	if err != nil {
		return &http.Client{Transport: failing{err}}
	}
	return client
}

// newClient makes the client.
func (a *App) newClient() (*http.Client, error) {
	var o transport.Options
	if a.options.Transport != nil {
		o = *a.options.Transport
	}
	if a.static != nil {
		t, err := transport.New(variableSource{a.static, a.grants, a.grants}, &o)
		return &http.Client{Transport: t}, err
	}
	t, err := transport.New(a.grants, &o)
	return &http.Client{Transport: accountTransport{a, t}}, err
}

// variableSource supplies a token from the environment, for the API of the
// provider.
type variableSource struct {
	*tokensource.StaticSource
	tokensource.Scoper
	tokensource.Describer
}

// failing is the transport of an App that cannot have a client.
type failing struct{ err error }

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, f.err
}

// accountTransport names the account of the App in the context of each request.
type accountTransport struct {
	app *App
	*transport.Transport
}

// RoundTrip sends r with the token of the account.
func (t accountTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	subject, err := t.app.subject(ctx)
	if err != nil {
		// A request to somewhere else needs no account.
		resp, failed := t.Transport.RoundTrip(r)
		if errors.Is(failed, tokensource.ErrNoSubject) {
			failed = err
		}
		return resp, failed
	}
	ctx = waiting.With(t.app.grants.WithSubject(ctx, subject), t.app.explainWait())
	resp, err := t.Transport.RoundTrip(r.WithContext(ctx))
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// subject returns the subject of the account that the App is for.
func (a *App) subject(ctx context.Context) (string, error) {
	if one := a.chosen.Load(); one != nil {
		return one.User.Subject, nil
	}
	l, _, _, err := a.read(ctx)
	if err != nil {
		return "", err
	}
	one, err := l.choose(a.options.Account)
	switch {
	case err != nil:
		return "", err
	case one == nil:
		return "", tokensource.ErrNoGrant
	}
	a.chosen.Store(one)
	return one.User.Subject, nil
}

// longWait is how long a request waits for another run of the program before
// the user is told.
const longWait = 3 * time.Second

// explainWait returns the function that a request reports its wait to. It tells
// the user once. A user who does not know why a command stands still ends it,
// and the next command waits too.
func (a *App) explainWait() func(lasted, left time.Duration) {
	var once sync.Once
	return func(lasted, left time.Duration) {
		if lasted < longWait {
			return
		}
		once.Do(func() {
			a.say("Waiting for another run of %s, which renews the login or was killed while it did: %v at most.\n", a.title(), left.Round(time.Second))
		})
	}
}
