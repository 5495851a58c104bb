package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// appFlags say for which app, at which server, a command acts.
type appFlags struct{ provider, client string }

func (a *appFlags) flags(f *flag.FlagSet) {
	f.StringVar(&a.provider, "provider", "", "the `name` of the server in the catalogue, such as x, or the name of a file that probe wrote")
	f.StringVar(&a.client, "client", "", "the `client ID` of the app")
}

// facts returns what is known of the server. Without a name, it is the entry of
// the catalogue with this issuer or token endpoint.
func (a *appFlags) facts(authority string) (*provider.Provider, error) {
	switch {
	case strings.HasSuffix(a.provider, ".json"):
		return fromFile(a.provider)
	case a.provider != "":
		return provider.Get(a.provider)
	}
	for _, name := range provider.Names() {
		if p, err := provider.Get(name); err == nil && p.Authority() == authority {
			return p, nil
		}
	}
	return nil, errors.New("the server is not in the catalogue, or has several addresses: -provider names it, or a file that probe wrote")
}

// fromFile reads a file with one entry. [provider.Load] reads folders, so the
// file is copied into one of its own.
func fromFile(name string) (p *provider.Provider, err error) {
	text, err := os.ReadFile(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "grantctl")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "entry.json"), text, 0o600); err != nil {
		return nil, err
	}
	entries, err := provider.Load(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	if names := entries.Names(); len(names) == 1 {
		return entries.Get(names[0], nil)
	}
	return nil, fmt.Errorf("the file has %d entries, and not one", len(entries.Names()))
}

// keeper returns the engine of the app on the store of v. The secret comes from
// the environment. The caller closes it.
func (a *appFlags) keeper(c *console, v *vault, authority string, scopes []string) (*grant.Keeper, *oauth.Client, error) {
	facts, err := a.facts(authority)
	if err != nil {
		return nil, nil, err
	}
	if authority != "" && facts.Authority() != authority {
		return nil, nil, errors.New("the grant is of another server than -provider")
	}
	r := oauth.Registration{ClientID: a.client, RedirectURL: "http://127.0.0.1/callback", Scopes: slices.Clone(scopes)}
	if secret := os.Getenv(secretVariable); secret != "" {
		r.Credential = oauth.Secret(secret)
	}
	client, err := oauth.New(facts, r, &oauth.Options{HTTPClient: &http.Client{Transport: c.transport}})
	if err != nil {
		return nil, nil, fmt.Errorf("%w (the client secret stands in %s)", err, secretVariable)
	}
	var store storage.Store = v.backend
	if v.keys != nil {
		if store, err = storage.Sealed(v.backend, v.keys); err != nil {
			return nil, nil, err
		}
	}
	k, err := grant.New(client, store, &grant.Options{InsecurePlainStore: v.keys == nil, WithoutRefresh: true, DueInterval: -1})
	return k, client, err
}
