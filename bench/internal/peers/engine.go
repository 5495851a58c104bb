package peers

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// Engine is authtrip with a number of logged-in subjects.
type Engine struct {
	Keeper *grant.Keeper
	Store  storage.Store
}

// NewClient returns a client of an authorization server whose token endpoint is
// at tokenURL. Requests to it go through rt.
func NewClient(tokenURL string, rt http.RoundTripper) (*oauth.Client, error) {
	return oauth.New(&provider.Provider{
		Name:             "bench",
		AuthorizationURL: "https://login.bench.example/authorize",
		TokenURL:         tokenURL,
		APIOrigins:       []string{Origin},
		InsecureLoopback: true,
	}, oauth.Registration{ClientID: clientID, RedirectURL: "https://app.example/callback"},
		&oauth.Options{HTTPClient: &http.Client{Transport: rt}})
}

// Origin is where the API of the in-memory measurements is.
const Origin = "https://api.bench.example"

// unreachable is the way to an authorization server that nobody should need.
type unreachable struct{}

// RoundTrip implements http.RoundTripper.
func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errAsked }

// NewEngine returns an engine on a store in memory, with all users logged in.
// It does not ask the store again within the measurement: with the default,
// each subject in use costs one read of the store every thirty seconds, and how
// often that is per request depends on the program. Close it at the end.
func NewEngine(u Users) (*Engine, error) {
	store := &counted{Memory: storage.NewMemory()}
	e, err := OpenEngine(store, &grant.Options{Recheck: life})
	if err != nil {
		return nil, err
	}
	if err := e.LogIn(u, 0, u.Count); err != nil {
		return nil, err
	}
	return e, e.warm(u, store)
}

// counted counts the reads of a store.
type counted struct {
	*storage.Memory
	gets atomic.Int64
}

// Get implements storage.Store.
func (c *counted) Get(ctx context.Context, key string) (storage.Record, error) {
	c.gets.Add(1)
	return c.Memory.Get(ctx, key)
}

// warm asks for every token until memory alone answers: the notifications of
// the logins themselves make the engine read the store again.
func (e *Engine) warm(u Users, store *counted) error {
	for before := int64(-1); before != store.gets.Load(); {
		before = store.gets.Load()
		for i := range u.Count {
			if _, err := e.Keeper.Token(u.context(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// OpenEngine returns an engine on the given store, with the given options.
// Close it at the end.
func OpenEngine(store storage.Store, o *grant.Options) (*Engine, error) {
	client, err := NewClient(benchTokenURL, unreachable{})
	if err != nil {
		return nil, err
	}
	keeper, err := grant.New(client, store, o)
	return &Engine{keeper, store}, err
}

// LogIn logs in the users with the numbers from to to-1.
func (e *Engine) LogIn(u Users, from, to int) error {
	tok := Token(u.TokenLength)
	tok.RefreshToken = "refresh"
	for i := from; i < to; i++ {
		// Each token has a text of its own, as in a real program: the users do
		// not share one string.
		tok.AccessToken = Text(i, u.TokenLength)
		if _, err := e.Keeper.Save(context.Background(), u.Name(i), tok); err != nil {
			return err
		}
	}
	return nil
}

// Close stops the engine.
func (e *Engine) Close() error { return e.Keeper.Close() }

// Transport returns a transport for all subjects, or for the one given if it is
// not negative.
func (e *Engine) Transport(base http.RoundTripper, origin string, subject int) (http.RoundTripper, error) {
	var src tokensource.Source = e.Keeper
	if subject >= 0 {
		src = e.Keeper.Source(Subject(subject))
	}
	return transport.New(src, &transport.Options{Base: base, Origins: []string{origin}})
}
