package mcp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// client returns the client of the program at the server that was found: one
// that was registered by hand, otherwise the document of the program, otherwise
// one that registers itself. A client is never that of another issuer.
//
// If clientID is not empty, only that client will do: it is the client that a
// stored grant belongs to.
func (o *Options) client(ctx context.Context, f *Found, store storage.Store, clientID string) (*oauth.Client, *registration.Registrar, error) {
	registrar, registered, err := o.known(ctx, f, store, clientID)
	if err != nil {
		return nil, nil, err
	}
	p, reg := registered.Provider.Clone(), registered.Registration
	reg.RedirectURL, reg.Scopes, reg.Resources = o.RedirectURL, slices.Clone(f.Scopes), []string{f.Resource}
	p.APIOrigins = f.Provider.APIOrigins
	settings := &oauth.Options{HTTPClient: &http.Client{Transport: o.guarded()}}
	if f.server != nil && len(f.server.DPoPAlgorithms) > 0 {
		settings.Proofs = o.Proofs
	}
	client, err := oauth.New(p, reg, settings)
	return client, registrar, err
}

// known returns the client and the Provider with its method of authentication.
// The registrar is nil unless the program has registered itself.
func (o *Options) known(ctx context.Context, f *Found, store storage.Store, clientID string) (*registration.Registrar, *registration.Registered, error) {
	p := f.Provider
	if reg, ok := o.Clients[issuerOf(p)]; ok && fits(reg.ClientID, clientID) {
		return nil, &registration.Registered{Provider: p, Registration: reg}, nil
	}
	if o.ClientIDURL != "" && f.server != nil && f.server.ClientIDDocuments && fits(o.ClientIDURL, clientID) {
		return nil, &registration.Registered{Provider: p, Registration: oauth.Registration{ClientID: o.ClientIDURL}}, nil
	}
	if p.RegistrationURL == "" {
		return nil, nil, fmt.Errorf("%w: %s: register it there, and name the client in Options.Clients", ErrNoClient, issuerOf(p))
	}
	registrar, err := registration.New(store, o.metadata(f), &registration.Options{
		HTTPClient: &http.Client{Transport: o.guarded()}, InsecurePlainStore: o.InsecurePlainStore,
	})
	if err != nil {
		return nil, nil, err
	}
	if clientID == "" {
		r, err := registrar.Current(ctx, p)
		return registrar, r, err
	}
	all, err := registrar.All(ctx, p)
	for _, r := range all {
		if r.Registration.ClientID == clientID {
			return registrar, r, nil // also one that was replaced: the grant is that client's
		}
	}
	if err == nil {
		err = fmt.Errorf("%w: the stored grant belongs to another client", ErrNoClient)
	}
	return nil, nil, err
}

// fits reports whether a client is the one that is wanted.
func fits(clientID, wanted string) bool { return wanted == "" || clientID == wanted }

// metadata returns how the program registers. The method of authentication is
// one that the server takes.
func (o *Options) metadata(f *Found) registration.Metadata {
	m := registration.Metadata{Name: o.Name, RedirectURLs: []string{o.RedirectURL}, TokenAuthMethod: "none"}
	if f.server == nil || slices.Contains(f.server.TokenAuthMethods, "none") {
		return m
	}
	m.TokenAuthMethod = "client_secret_basic"
	if f.Provider.ClientAuth == provider.Post {
		m.TokenAuthMethod = "client_secret_post"
	}
	return m
}

// issuerOf returns what identifies a server: its issuer, or the origin of one
// without metadata.
func issuerOf(p *provider.Provider) string {
	if p.Issuer != "" {
		return p.Issuer
	}
	origin, _ := originOf(p.TokenURL) // the Provider is valid
	return origin
}

// checkRedirect refuses a redirect URL that MCP does not allow.
func checkRedirect(redirect string, local bool) error {
	u, err := url.Parse(redirect)
	switch {
	case err == nil && u.Scheme == "http" && loopback.Host(u.Hostname()):
		return nil
	case err == nil && u.Scheme == "https" && u.Host != "" && !local:
		return nil
	case local:
		return fmt.Errorf("mcp: Options.RedirectURL %q is not http on a loopback address", redirect)
	}
	return fmt.Errorf("mcp: Options.RedirectURL %q is neither https nor http on a loopback address", redirect)
}
