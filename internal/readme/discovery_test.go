package readme_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
	"github.com/authtrip/authtrip/transport"
)

// discovered knows an issuer, and finds out the rest.
func discovered(ctx context.Context, app oauth.Registration) (*oauth.Client, error) {
	servers, err := discovery.New(nil)
	if err != nil {
		return nil, err
	}
	p, err := servers.Provider(ctx, "https://as.example")
	if err != nil {
		return nil, err
	}
	p.APIOrigins = []string{"https://api.example"} // metadata do not say where the API is
	return oauth.New(p, app, &oauth.Options{
		// An endpoint that moves is found again.
		Reread: func(ctx context.Context) (*provider.Provider, error) {
			s, err := servers.Refresh(ctx, "https://as.example")
			if err != nil {
				return nil, err
			}
			return s.Provider()
		},
	})
}

// serverOf finds the authorization server of an API that has answered 401.
func serverOf(ctx context.Context, servers *discovery.Client, resp *http.Response) (*discovery.Server, error) {
	resource, err := servers.Resource(ctx, "https://api.example/v1", resp)
	if err != nil {
		return nil, err
	}
	if len(resource.AuthorizationServers) == 0 {
		return nil, errors.New("the API names no authorization server")
	}
	server, err := servers.Server(ctx, resource.AuthorizationServers[0])
	return server, err
}

// registered registers an app where nobody has done so by hand.
func registered(ctx context.Context, store storage.Store, p *provider.Provider) (*oauth.Client, error) {
	registrar, err := registration.New(store, registration.Metadata{
		Name: "An app", RedirectURLs: []string{"https://app.example/callback"},
	}, nil)
	if err != nil {
		return nil, err
	}
	app, err := registrar.Current(ctx, p)
	if err != nil {
		return nil, err
	}
	client, err := oauth.New(app.Provider, app.Registration, nil)
	return client, err
}

// document serves what the app says about itself.
func document(mux *http.ServeMux, login *middleware.Login) error {
	document, err := login.ClientMetadata(&registration.Metadata{Name: "An app"})
	if err != nil {
		return err
	}
	mux.Handle("GET /client.json", document) // the client ID is https://app.example/client.json
	return nil
}

// compose is a page that needs more than the user has granted.
func compose(login *middleware.Login, api *http.Client, req *http.Request) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		resp, err := api.Do(req.WithContext(r.Context()))
		if err != nil {
			http.Error(w, "the API does not answer", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		if lacks, ok := transport.InsufficientFrom(resp); ok {
			login.Begin(w, r, &middleware.BeginOptions{
				MoreScopes: lacks.Scopes, ACRValues: lacks.ACRValues, MaxAge: lacks.MaxAge,
			})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// An app with nothing to keep its registration in is refused.
func TestAnAppRegistersNowhereWithoutAStore(t *testing.T) {
	_, _, _, _ = discovered, serverOf, document, compose // the page shows them
	if _, err := registered(t.Context(), nil, nil); err == nil {
		t.Error("registered without a store = nil, want an error")
	}
}
