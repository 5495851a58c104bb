package mcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// A Found is the authorization server of an MCP server.
type Found struct {
	// Provider is the authorization server. Its APIOrigins are the origin of the
	// MCP server.
	Provider *provider.Provider

	// Resource names the MCP server in requests for tokens. Put it into
	// Resources of a Registration or of AppCredentials ([RFC 8707]).
	//
	// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
	Resource string

	// Scopes are what a login should ask for. Nil means none.
	Scopes []string

	server *discovery.Server // nil if there are no metadata
}

// Find finds the authorization server of an MCP server, by the URL of the MCP
// server and its answer with status 401 or 403. A nil resp means that there is
// no answer yet.
//
// An MCP server without metadata is its own authorization server, as the
// revision of 2025-03-26 has it: its origin is the issuer, and if there are no
// metadata either, the endpoints are /authorize, /token and /register there.
// If it has metadata and they name no authorization server, the error is
// [ErrNoServer]. If they name several, it is the first that can be used, those
// of Options.Clients before others. Other errors are those of package
// discovery.
func Find(ctx context.Context, endpoint string, resp *http.Response, o *Options) (*Found, error) {
	o = o.prepared()
	defer o.idle()
	return o.find(ctx, endpoint, resp, "")
}

// maxServers is how many authorization servers of one MCP server are asked.
const maxServers = 8

// find is Find. If the MCP server still accepts the preferred issuer, it is the
// one that is found: a user who is logged in there needs no other login.
func (o *Options) find(ctx context.Context, endpoint string, resp *http.Response, preferred string) (*Found, error) {
	c, err := o.discover()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := c.Resource(ctx, endpoint, resp)
	switch {
	case errors.Is(err, discovery.ErrNotFound):
		return findAtOrigin(ctx, c, endpoint, resp, o)
	case err != nil:
		return nil, err
	}
	var failed error
	for _, issuer := range o.inOrder(r.AuthorizationServers, preferred) {
		f, err := findAt(ctx, c, issuer, r, resp)
		if err == nil || issuer == preferred && errors.Is(err, tokensource.ErrTemporary) {
			return f, err
		}
		failed = cmp.Or(failed, err)
	}
	return nil, cmp.Or(failed, fmt.Errorf("%w: %s lists none that is allowed", ErrNoServer, r.URL))
}

// inOrder returns the issuers that may be used, the best one first: the
// preferred one, then those that know the program, then the others. They come
// from outside, so their number is bounded.
func (o *Options) inOrder(issuers []string, preferred string) []string {
	list := slices.DeleteFunc(slices.Clone(issuers), func(issuer string) bool { return o.Allow != nil && !o.Allow(issuer) })
	rank := func(issuer string) int {
		_, known := o.Clients[issuer]
		switch {
		case issuer == preferred:
			return 0
		case known:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return list[:min(len(list), maxServers)]
}

// findAt reads the metadata of the server that the resource names.
func findAt(ctx context.Context, c *discovery.Client, issuer string, r *discovery.Resource, resp *http.Response) (*Found, error) {
	s, err := c.Server(ctx, issuer)
	if err != nil {
		return nil, err
	}
	f := &Found{Resource: r.Resource, server: s}
	if f.Scopes = challenged(resp); f.Scopes == nil {
		f.Scopes = clean(r.ScopesSupported)
	}
	return f, f.complete()
}

// findAtOrigin finds what servers of the first revision have.
func findAtOrigin(ctx context.Context, c *discovery.Client, endpoint string, resp *http.Response, o *Options) (*Found, error) {
	origin, err := originOf(endpoint)
	if err != nil {
		return nil, err
	}
	if o.Allow != nil && !o.Allow(origin) {
		return nil, fmt.Errorf("%w: %s has no metadata, and its origin is not allowed", ErrNoServer, endpoint)
	}
	f := &Found{Resource: endpoint, Scopes: challenged(resp)}
	f.server, err = c.Server(ctx, origin)
	switch {
	case err == nil:
		return f, f.complete()
	case !errors.Is(err, discovery.ErrNotFound):
		return nil, err
	}
	f.Provider = atOrigin(origin, o)
	return f, f.Provider.Validate()
}

// atOrigin returns the facts about a server without metadata.
func atOrigin(origin string, o *Options) *provider.Provider {
	return &provider.Provider{
		Name: "mcp", AuthorizationURL: origin + "/authorize", TokenURL: origin + "/token", RegistrationURL: origin + "/register",
		APIOrigins: []string{origin}, InsecureLoopback: o.InsecureLoopback && strings.HasPrefix(origin, "http://"),
	}
}

// complete makes the Provider of the metadata.
func (f *Found) complete() error {
	origin, err := originOf(f.Resource)
	if err != nil {
		return err
	}
	p, err := f.server.Provider()
	if err != nil {
		return err
	}
	p.APIOrigins = []string{origin}
	f.Provider = p
	if slices.Contains(f.server.ScopesSupported, offline) && !slices.Contains(f.Scopes, offline) {
		f.Scopes = append(f.Scopes, offline)
	}
	return nil
}

const offline = "offline_access"

// challenged returns the scopes that a challenge names, or nil.
func challenged(resp *http.Response) []string {
	if resp == nil {
		return nil
	}
	for _, c := range transport.Challenges(resp.Header) {
		known := strings.EqualFold(c.Scheme, "Bearer") || strings.EqualFold(c.Scheme, "DPoP")
		if scopes := clean(strings.Fields(c.Params["scope"])); known && len(scopes) > 0 {
			return scopes
		}
	}
	return nil
}

// maxScopes is how many scopes a server can name.
const maxScopes = 100

// clean returns the scopes that a server names, or nil. What no scope can be
// (RFC 6749 section 3.3) is left out: a request with it would fail.
func clean(named []string) (scopes []string) {
	for _, s := range named {
		if s != "" && ascii.Visible(s) && !strings.ContainsAny(s, `"\`) && !slices.Contains(scopes, s) && len(scopes) < maxScopes {
			scopes = append(scopes, s)
		}
	}
	return scopes
}

// originOf returns the origin of a URL.
func originOf(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("mcp: the endpoint of the MCP server is not an https URL")
	}
	return u.Scheme + "://" + u.Host, nil
}
