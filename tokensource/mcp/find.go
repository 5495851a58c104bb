package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
// [ErrNoServer]. Other errors are those of package discovery.
func Find(ctx context.Context, endpoint string, resp *http.Response, o *Options) (*Found, error) {
	if o == nil {
		o = new(Options)
	}
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
	for _, issuer := range r.AuthorizationServers {
		if o.Allow == nil || o.Allow(issuer) {
			return findAt(ctx, c, issuer, r, resp)
		}
	}
	return nil, fmt.Errorf("%w: %s lists none that is allowed", ErrNoServer, r.URL)
}

// findAt reads the metadata of the server that the resource names.
func findAt(ctx context.Context, c *discovery.Client, issuer string, r *discovery.Resource, resp *http.Response) (*Found, error) {
	s, err := c.Server(ctx, issuer)
	if err != nil {
		return nil, err
	}
	f := &Found{Resource: r.Resource, server: s}
	if f.Scopes = challenged(resp); f.Scopes == nil {
		f.Scopes = slices.Clone(r.ScopesSupported)
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
	f.Provider = &provider.Provider{
		Name: "mcp", AuthorizationURL: origin + "/authorize", TokenURL: origin + "/token", RegistrationURL: origin + "/register",
		APIOrigins: []string{origin}, InsecureLoopback: o.InsecureLoopback && strings.HasPrefix(origin, "http://"),
	}
	return f, f.Provider.Validate()
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
		if scopes := strings.Fields(c.Params["scope"]); known && len(scopes) > 0 {
			return scopes
		}
	}
	return nil
}

// originOf returns the origin of a URL.
func originOf(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("mcp: the endpoint of the MCP server is not an https URL")
	}
	return u.Scheme + "://" + u.Host, nil
}
