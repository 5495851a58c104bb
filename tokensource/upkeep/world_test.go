package upkeep_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

const day = 24 * time.Hour

// world is a fake of one server, an app there, and a store that all processes
// share.
type world struct {
	*testing.T
	*oauthtest.Server
	client *oauth.Client
	store  *testworld.HookedStore

	mu     sync.Mutex // guards events; never held across I/O
	events []tokensource.Event
}

// plain is a server with refresh tokens that are good for one use, and that die
// when nobody uses them for so long.
func plain(idle time.Duration) *provider.Provider {
	p := &provider.Provider{
		Name: "plain", AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token",
		APIOrigins: []string{"https://api.example"},
	}
	p.RefreshTokens.Idle = idle
	return p
}

func newWorld(t *testing.T, p *provider.Provider, users ...oauthtest.User) *world {
	t.Helper()
	w := &world{
		T: t, Server: oauthtest.New(t, &oauthtest.Options{Provider: p, Users: users, RecordLimit: -1}),
		store: &testworld.HookedStore{Store: storage.NewMemory()},
	}
	w.client = clientOf(t, w.Server, p)
	return w
}

func clientOf(t *testing.T, s *oauthtest.Server, p *provider.Provider) *oauth.Client {
	t.Helper()
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(p, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"read"},
	}, &oauth.Options{HTTPClient: &http.Client{Transport: s.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// lister is a store that can list its keys, in spite of its hooks.
type lister struct {
	*testworld.HookedStore
	storage.Lister
}

// keeper returns the Keeper of a process on the shared store, or on another
// view of it.
func (w *world) keeper(views ...*testworld.HookedStore) *grant.Keeper {
	w.Helper()
	view := w.store
	if len(views) > 0 {
		view = views[0]
	}
	k, err := grant.New(w.client, lister{view, w.store.Store.(storage.Lister)}, &grant.Options{
		InsecurePlainStore: true, WithoutRefresh: true, DueInterval: -1, OnEvent: upkeep.Changes(w.observe),
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = k.Close() })
	return k
}

// start begins to keep grants alive.
func (w *world) start(o *upkeep.Options, keepers ...*grant.Keeper) *upkeep.Worker {
	w.Helper()
	if o == nil {
		o = new(upkeep.Options)
	}
	o.OnEvent = w.observe
	worker, err := upkeep.Start(o, keepers...)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = worker.Close() })
	return worker
}

func (w *world) observe(_ context.Context, e tokensource.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// saw returns the events of a kind.
func (w *world) saw(kind tokensource.EventKind) (list []tokensource.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// login saves a grant of a user.
func (w *world) login(k *grant.Keeper, user string, members ...string) {
	w.Helper()
	access, refresh, err := w.IssueToken(user, w.client.ClientID(), "read")
	if err != nil {
		w.Fatal(err)
	}
	tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer", Expiry: time.Now().Add(time.Hour), ExpiresIn: 3600}
	if len(members) > 0 {
		extra := map[string]any{}
		for _, m := range members {
			name, after, _ := strings.Cut(m, "=")
			d, err := time.ParseDuration(after)
			if err != nil {
				w.Fatal(err)
			}
			extra[name] = float64(time.Now().Add(d).Unix())
		}
		tok = tok.WithExtra(extra)
	}
	if _, err := k.Save(w.Context(), user, tok); err != nil {
		w.Fatal(err)
	}
}

// people returns so many users.
func people(n int) (list []oauthtest.User) {
	for i := range n {
		list = append(list, oauthtest.User{ID: fmt.Sprintf("user-%05d", i), Username: fmt.Sprintf("u%d", i)})
	}
	return list
}

// list returns the states of all grants, by subject.
func (w *world) list(k *grant.Keeper) map[string]upkeep.State {
	w.Helper()
	states := map[string]upkeep.State{}
	for e, err := range upkeep.Grants(w.Context(), nil, k) {
		if err != nil {
			w.Fatal(err)
		}
		states[e.Subject] = e.State
	}
	return states
}
