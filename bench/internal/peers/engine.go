package peers

import (
	"context"
	"fmt"
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
	Grants *grant.Keeper
	Store  storage.Store
}

// NewClient returns a client of an authorization server whose token endpoint is at tokenURL. Requests to it go through rt.
func NewClient(tokenURL string, rt http.RoundTripper) (*oauth.Client, error) {
	return oauth.New(&provider.Provider{
		Name:             "bench",
		AuthorizationURL: "https://login.bench.example/authorize",
		TokenURL:         tokenURL,
		APIOrigins:       []string{Origin},
		InsecureLoopback: true,
	}, oauth.Registration{ClientID: "bench", RedirectURL: "https://app.example/callback"},
		&oauth.Options{HTTPClient: &http.Client{Transport: rt}})
}

// Origin is where the API of the in-memory measurements is.
const Origin = "https://api.bench.example"

// unreachable is the way to an authorization server that nobody should need.
type unreachable struct{}

// RoundTrip implements http.RoundTripper.
func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errAsked }

// NewEngine returns an engine on a store in memory, with subjects 0 to n-1 logged in. They all have tokens of the given
// length. It does not ask the store again within the measurement: with the default, each subject in use costs one read of
// the store every thirty seconds, and how often that is per request depends on the program. Close it at the end.
func NewEngine(n, length int) (*Engine, error) {
	store := &counted{Memory: storage.NewMemory()}
	e, err := OpenEngine(store, n, length, &grant.Options{Recheck: life})
	if err != nil {
		return nil, err
	}
	return e, e.warm(n, store)
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

// warm asks for every token until memory alone answers: the news of the logins themselves makes the engine look again.
func (e *Engine) warm(n int, store *counted) error {
	for before := int64(-1); before != store.gets.Load(); {
		before = store.gets.Load()
		for i := range n {
			if _, err := e.Grants.Token(tokensource.WithSubject(context.Background(), Subject(i))); err != nil {
				return err
			}
		}
	}
	return nil
}

// OpenEngine is NewEngine on the given store, with the given options.
func OpenEngine(store storage.Store, n, length int, o *grant.Options) (*Engine, error) {
	client, err := NewClient("https://login.bench.example/token", unreachable{})
	if err != nil {
		return nil, err
	}
	grants, err := grant.New(client, store, o)
	if err != nil {
		return nil, err
	}
	e := &Engine{grants, store}
	return e, e.LogIn(0, n, length)
}

// LogIn logs in subjects from to to-1, with tokens of the given length.
func (e *Engine) LogIn(from, to, length int) error {
	tok := Token(length)
	tok.RefreshToken = "refresh"
	for i := from; i < to; i++ {
		// Texts of their own, as in life: not one string that all subjects share.
		tok.AccessToken = Text(i, length)
		if _, err := e.Grants.Save(context.Background(), Subject(i), tok); err != nil {
			return err
		}
	}
	return nil
}

// Subject returns the name of subject i.
func Subject(i int) string { return fmt.Sprintf("%019d", i) }

// Close stops the engine.
func (e *Engine) Close() error { return e.Grants.Close() }

// Transport returns a transport for all subjects, or for the one given if it is not negative.
func (e *Engine) Transport(base http.RoundTripper, origin string, subject int) (http.RoundTripper, error) {
	var src tokensource.Source = e.Grants
	if subject >= 0 {
		src = e.Grants.Source(Subject(subject))
	}
	return transport.New(src, &transport.Options{Base: base, Origins: []string{origin}})
}

// Contexts returns the contexts of subjects 0 to n-1, n being a power of ten, in an order in which neighbours are far apart.
func Contexts(n int) []context.Context {
	const stride = 618_033_989 // coprime to ten: every subject comes once
	list := make([]context.Context, n)
	for i := range list {
		list[i] = tokensource.WithSubject(context.Background(), Subject(i*stride%n)) //nolint:fatcontext // one each, none inside another
	}
	return list
}
