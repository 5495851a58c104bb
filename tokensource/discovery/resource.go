package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/challenge"
	"github.com/authtrip/authtrip/internal/members"
)

// A Resource is the metadata of a protected resource, such as an API ([RFC
// 9728] section 2).
//
// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
type Resource struct {
	// Resource is the identifier. Ask for tokens for it, in
	// oauth.Registration.Resources. URL is where the metadata were.
	Resource, URL string

	// AuthorizationServers are issuers that the resource accepts, in its order.
	// Give one of them to [Client.Server]. They come from outside.
	AuthorizationServers []string

	ScopesSupported       []string // nil if the metadata name none
	BearerMethods         []string // header, body or query; nil if the metadata name none
	DPoPAlgorithms        []string // RFC 9449; nil if the metadata name none
	DPoPRequired          bool     // every token must be bound to a key by DPoP
	CertificateBound      bool     // tokens can be bound to a certificate, RFC 8705
	JWKSURI               string   // keys of the resource, or empty
	Name                  string   // for people, written by the resource, or empty
	Documentation, Policy string   // pages for people, or empty

	object members.Object
}

// Extra is like [Server.Extra].
func (r *Resource) Extra(name string) any {
	return (&Server{object: r.object}).Extra(name)
}

// Resource returns the metadata of a protected resource. The argument resource
// is the URL of the API that this program calls. The argument resp is an answer
// of it with status 401 or 403, or nil: if a Bearer or DPoP challenge there
// names the place of the metadata, they are read there. Otherwise they are read
// at the well-known place of the URL, then at that of its host.
//
// The metadata must name the same resource, or a parent of it: the same origin,
// and a path that resource begins with, in whole segments ([RFC 9728] section
// 3.3, and Model Context Protocol). The errors are [ErrNotFound],
// [ErrMismatch], [ErrInvalid], [ErrAddress] and tokensource.ErrTemporary.
//
// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
func (c *Client) Resource(ctx context.Context, resource string, resp *http.Response) (*Resource, error) {
	u, err := parseURL(resource, c.options.InsecureLoopback)
	if err != nil {
		return nil, fmt.Errorf("%w: the resource %q %w", ErrInvalid, resource, err)
	}
	places, named := resourceURLs(u), ""
	if named = metadataURL(resp); named != "" {
		if _, err := parseURL(named, c.options.InsecureLoopback); err != nil {
			return nil, fmt.Errorf("%w: resource_metadata %w", ErrInvalid, err)
		}
		places = []string{named}
	}
	return current[*Resource](ctx, c, job{
		key: "resource " + resource + " " + named,
		read: func(ctx context.Context) (any, time.Duration, error) {
			return c.firstOf(ctx, places, func(place string, body []byte) (any, error) {
				return c.parseResource(u, place, body)
			})
		},
	})
}

// metadataURL returns the place that a challenge names ([RFC 9728] section
// 5.1).
//
// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
func metadataURL(resp *http.Response) string {
	if resp == nil {
		return ""
	}
	for _, ch := range challenge.Parse(resp.Header) {
		named := ch.Params["resource_metadata"]
		if named != "" && (strings.EqualFold(ch.Scheme, "Bearer") || strings.EqualFold(ch.Scheme, "DPoP")) {
			return named
		}
	}
	return ""
}

// parseResource reads the metadata of a resource. Nothing of a document is used
// before its resource was compared.
func (c *Client) parseResource(asked *url.URL, place string, body []byte) (*Resource, error) {
	d, err := parseDocument(place, body, c.options.InsecureLoopback)
	if err != nil {
		return nil, err
	}
	named := d.text("resource")
	switch {
	case d.err != nil:
		return nil, d.err
	case named == "":
		return nil, fmt.Errorf("%w: %s: resource is missing", ErrInvalid, place)
	case !covers(named, asked):
		return nil, fmt.Errorf("%w: %s: resource is %q, want %q or a parent of it", ErrMismatch, place, cut(named), asked)
	}
	r := d.resource()
	return r, d.err
}

// resource returns the members.
func (d *document) resource() *Resource {
	r := &Resource{
		Resource: d.text("resource"), URL: d.place,
		AuthorizationServers: d.list("authorization_servers"),
		ScopesSupported:      d.list("scopes_supported"),
		BearerMethods:        d.list("bearer_methods_supported"),
		DPoPAlgorithms:       d.list("dpop_signing_alg_values_supported"),
		DPoPRequired:         d.flag("dpop_bound_access_tokens_required"),
		CertificateBound:     d.flag("tls_client_certificate_bound_access_tokens"),
		JWKSURI:              d.endpoint("jwks_uri"),
		Name:                 d.text("resource_name"),
		Documentation:        d.page("resource_documentation"),
		Policy:               d.page("resource_policy_uri"),
		object:               d.object,
	}
	for _, issuer := range r.AuthorizationServers {
		if _, err := parseIssuer(issuer, d.loose); err != nil {
			d.fail("authorization_servers", fmt.Sprintf("has an issuer that %v", err))
		}
	}
	return r
}

// covers reports whether a resource identifier is that of asked, or of a
// parent.
func covers(named string, asked *url.URL) bool {
	u, err := url.Parse(named)
	if err != nil || u.User != nil || strings.Contains(named, "#") || !sameOrigin(u, asked) {
		return false
	}
	have, want := strings.TrimRight(u.EscapedPath(), "/"), strings.TrimRight(asked.EscapedPath(), "/")
	if u.RawQuery != "" || u.ForceQuery {
		return have == want && u.RawQuery == asked.RawQuery
	}
	if errors.Join(walks(have), walks(want)) != nil {
		return have == want
	}
	return have == want || strings.HasPrefix(want, have+"/")
}

// walks refuses a path with segments that lead upwards.
func walks(path string) error {
	for segment := range strings.SplitSeq(strings.ReplaceAll(strings.ToLower(path), "%2e", "."), "/") {
		if segment == ".." || segment == "." {
			return errors.New("the path leads upwards")
		}
	}
	return nil
}

// sameOrigin compares scheme, host and port. A default port may be missing.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if u.Port() == "" && u.Scheme == "https" {
			return "443"
		}
		if u.Port() == "" && u.Scheme == "http" {
			return "80"
		}
		return u.Port()
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}
