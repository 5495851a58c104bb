package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
	"github.com/authtrip/authtrip/transport"
)

// A Login is the login of a web app with many users at one MCP server. [Open]
// makes one. It is a middleware.Login, which is mounted on the mux of the app.
// It is safe for concurrent use.
type Login struct {
	*middleware.Login

	keeper    *grant.Keeper
	client    *http.Client
	registrar *registration.Registrar // nil unless the app has registered itself
	forgotten sync.Once
	running   sync.WaitGroup
}

// Open finds the authorization server of the MCP server at endpoint, introduces
// the app there, and returns the login of its users. Options.RedirectURL is
// needed. The keys seal the cookies, as in middleware.New. Nil options for the
// login mean all defaults.
//
// The login asks for the scopes that the metadata list. A handler of the app
// asks for more after an answer with status 403: see
// middleware.BeginOptions.MoreScopes.
//
// If the authorization server forgets a client that the app has registered, the
// app is registered again, once. A Login has one client, so the app must call
// Open again, such as by a restart. Its users log in again then.
//
// If web.Identify is nil and the authorization server does not say who the user
// is, each login is a user of its own.
func Open(ctx context.Context, endpoint string, store storage.Store, keys seal.AEAD, o *Options, web *middleware.Options) (*Login, error) {
	if o == nil {
		return nil, errors.New("mcp: a Login needs Options.RedirectURL")
	}
	if err := checkRedirect(o.RedirectURL, false); err != nil {
		return nil, err
	}
	if _, err := checkEndpoint(endpoint, o); err != nil {
		return nil, err
	}
	if store == nil {
		return nil, errors.New("mcp: nil store")
	}
	o = o.prepared()
	found, err := o.find(ctx, endpoint, nil, "")
	if err != nil {
		return nil, err
	}
	client, registrar, err := o.client(ctx, found, store, "")
	if err != nil {
		return nil, err
	}
	l := &Login{registrar: registrar}
	keeper, err := grant.New(client, store, &grant.Options{
		OnEvent: l.watch(o.OnEvent, found.Provider, client.ClientID()), InsecurePlainStore: o.InsecurePlainStore, WithoutRefresh: true,
	})
	if err != nil {
		return nil, err
	}
	l.keeper = keeper
	if registrar != nil {
		_ = registrar.Used(ctx, found.Provider, client.ClientID()) // a failure costs nothing now
	}
	if err := l.complete(endpoint, keys, o, web); err != nil {
		return nil, errors.Join(err, keeper.Close())
	}
	return l, nil
}

// complete makes the login and the client of a Login.
func (l *Login) complete(endpoint string, keys seal.AEAD, o *Options, web *middleware.Options) error {
	var settings middleware.Options
	if web != nil {
		settings = *web
	}
	if settings.Identify == nil && l.keeper.Client().IDTokens() == nil {
		settings.Identify = nameless
	}
	if settings.AppName == "" {
		settings.AppName = o.Name
	}
	settings.OnEvent = l.watch(settings.OnEvent, l.keeper.Client().Provider(), l.keeper.Client().ClientID())
	var err error
	if l.Login, err = middleware.New(l.keeper, keys, &settings); err != nil {
		return err
	}
	t, err := transport.New(l.keeper, &transport.Options{Base: o.base()})
	if err != nil {
		return err
	}
	at, err := checkEndpoint(endpoint, o)
	if err != nil {
		return err
	}
	l.client = &http.Client{Transport: only{at: at, tokens: t, base: o.base()}}
	return nil
}

// nameless names the user of one login by a hash of its first access token. The
// hash stays the same if the step is repeated.
func nameless(_ context.Context, tok *oauth2.Token) (provider.Identity, error) {
	sum := sha256.Sum256([]byte("mcp user\x00" + tok.AccessToken))
	return provider.Identity{Subject: base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// Client returns an http.Client for the MCP server. The context of each request
// says whose token it carries; behind Login.Require that is the user who is
// logged in. A request elsewhere carries no token.
func (l *Login) Client() *http.Client { return l.client }

// Close ends what keeps the grants alive, and waits for a registration that is
// under way. The grants stay in the store. It may be called more than once.
func (l *Login) Close() error {
	err := l.keeper.Close()
	l.running.Wait()
	return err
}

const registrationTime = 30 * time.Second

// watch returns a hook for events that calls hook, and registers the app again
// when the server refuses its client.
func (l *Login) watch(hook func(context.Context, tokensource.Event), p *provider.Provider, clientID string) func(context.Context, tokensource.Event) {
	if l.registrar == nil {
		return hook
	}
	return func(ctx context.Context, e tokensource.Event) {
		if hook != nil {
			hook(ctx, e)
		}
		if !refusesClient(e.Err) {
			return
		}
		l.forgotten.Do(func() {
			// A failure costs nothing: the next Open meets the same refusal.
			l.running.Go(func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), registrationTime)
				defer cancel()
				_, _ = l.registrar.Replace(ctx, p, clientID)
			})
		})
	}
}
