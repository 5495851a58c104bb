package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/upkeep"
	"github.com/authtrip/authtrip/transport"
)

// world is an app with users at a fake of X, and everything that goes wrong in
// a year, within minutes.
type world struct {
	*telemetry
	fake   *xapi.Server
	keeper *grant.Keeper
	worker *upkeep.Worker
	client *http.Client
	users  []string
	app    string // its client ID
	rounds int
}

const users = 20

// newWorld logs the users in. Their access tokens live for ten seconds.
func newWorld(ctx context.Context, t *telemetry) (*world, error) {
	people := []oauthtest.User{}
	for i := range users {
		people = append(people, oauthtest.User{ID: fmt.Sprint(1000 + i), Username: fmt.Sprintf("user%d", i), Name: fmt.Sprint("User ", i)})
	}
	o := &oauthtest.Options{Users: people}
	o.Knobs.Token.AccessTTL = 10 * time.Second
	fake, err := xapi.NewServer(o)
	if err != nil {
		return nil, err
	}
	app := oauthtest.ConfidentialApp()
	client, err := fakeuser.Client(fake, app)
	if err != nil {
		return nil, err
	}
	w := &world{telemetry: t, fake: fake, app: app.ClientID}
	// These lines are what your program needs.
	w.keeper, err = grant.New(client, storage.NewMemory(), &grant.Options{OnEvent: upkeep.Changes(t.Event)})
	if err != nil {
		return nil, err
	}
	w.worker, err = upkeep.Start(&upkeep.Options{OnEvent: t.Event}, w.keeper)
	if err != nil {
		return nil, err
	}
	base := otelhttp.NewTransport(fake.Transport(), otelhttp.WithMeterProvider(t.meters), otelhttp.WithTracerProvider(t.traces))
	rt, err := transport.New(w.keeper, &transport.Options{Base: base, OnEvent: t.Event})
	if err != nil {
		return nil, err
	}
	w.client = &http.Client{Transport: rt}
	for _, p := range people {
		if err := w.logIn(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// logIn stands for a user at the consent page.
func (w *world) logIn(ctx context.Context, user string) error {
	access, refresh, err := w.fake.IssueToken(user, w.app, "tweet.read", "users.read", "offline.access")
	if err != nil {
		return err
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(10 * time.Second), ExpiresIn: 10}
	_, err = w.keeper.Save(ctx, user, tok)
	w.users = append(w.users, user)
	return err
}

// round has each user make a call. Now and then the server fails, a user
// withdraws the access, and another one logs out.
func (w *world) round(ctx context.Context) error {
	w.rounds++
	if w.rounds%10 == 3 {
		w.fake.Inject(oauthtest.Match{Path: xapi.PathToken}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, users/4)
	}
	if w.rounds%10 == 5 && len(w.users) > 2 {
		withdrawn, gone := w.users[0], w.users[1]
		w.users = append(w.users[2:], withdrawn) // whose calls fail from the next refresh on
		_ = w.fake.RevokeGrant(withdrawn, w.app) // an error means that it was so already
		if err := w.keeper.Forget(ctx, gone); err != nil {
			return err
		}
	}
	for _, user := range w.users {
		w.call(ctx, user)
	}
	return w.Count(ctx, w.keeper)
}

// live makes a round after each pause, until ctx ends.
func (w *world) live(ctx context.Context, pause time.Duration) error {
	for tick := time.NewTicker(pause); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
			if err := w.round(ctx); err != nil && ctx.Err() == nil {
				tick.Stop()
				return err
			}
		}
	}
}

// call asks the API who the user is. Its failures are in the metrics.
func (w *world) call(ctx context.Context, user string) {
	ctx, span := w.tracer.Start(ctx, "a call of a user")
	defer span.End()
	req, err := http.NewRequestWithContext(w.keeper.WithSubject(ctx, user), http.MethodGet, "https://api.x.com/2/users/me", nil)
	if err != nil {
		return
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// handler answers Prometheus and the probes of a cluster.
func (w *world) handler() (http.Handler, error) {
	ready, err := upkeep.Ready(nil, w.keeper)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.scrape)
	mux.Handle("GET /ready", ready)
	mux.Handle("GET /live", upkeep.Live())
	return mux, nil
}

// Close ends the app: first the worker, then the Keeper.
func (w *world) Close(ctx context.Context) error {
	return errors.Join(w.worker.Close(), w.keeper.Close(), w.telemetry.Close(ctx))
}
