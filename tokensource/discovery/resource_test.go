package discovery_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/discovery"
)

const (
	api     = "https://api.example/mcp"
	rfc9728 = "/.well-known/oauth-protected-resource"
)

func resource(named, more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"resource":"` + named + `","authorization_servers":["https://as.example"]` + more + `}`
}

func challenged(status int, headers ...string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Www-Authenticate": headers}}
}

func TestPlacesOfAResource(t *testing.T) {
	const host, named = "https://api.example", "https://meta.example/r"
	for _, tt := range []struct {
		name, resource string
		resp           *http.Response
		want           []string
	}{
		{"no challenge, no path", host, nil, []string{host + rfc9728}},
		{"no challenge, a slash", host + "/", nil, []string{host + rfc9728}},
		{"no challenge, a path", host + "/a/b", nil, []string{host + rfc9728 + "/a/b", host + rfc9728}},
		{"no challenge, a query", host + "/a?b=c", nil, []string{host + rfc9728 + "/a?b=c", host + rfc9728}},
		{"a challenge", host + "/a", challenged(401, `Bearer resource_metadata="`+named+`"`), []string{named}},
		{"a challenge of DPoP", host + "/a", challenged(401, `DPoP algs="ES256", resource_metadata="`+named+`"`), []string{named}},
		{"a challenge with 403", host + "/a", challenged(403, `Bearer error="insufficient_scope", resource_metadata="`+named+`"`), []string{named}},
		{"the second challenge", host + "/a", challenged(401, `Basic realm="x"`, `bearer resource_metadata="`+named+`"`), []string{named}},
		{"a challenge of another scheme", host, challenged(401, `Basic resource_metadata="`+named+`"`), []string{host + rfc9728}},
		{"a challenge without it", host, challenged(401, `Bearer`), []string{host + rfc9728}},
	} {
		w := new(web)
		if _, err := w.client(t, discovery.Options{}).Resource(t.Context(), tt.resource, tt.resp); !errors.Is(err, discovery.ErrNotFound) || !slices.Equal(w.asked, tt.want) {
			t.Errorf("%s: Resource(%s) asked %q, %v, want %q", tt.name, tt.resource, w.asked, err, tt.want)
		}
	}
}

func TestResourceMetadataThatAreRefused(t *testing.T) {
	w := new(web)
	c := w.client(t, discovery.Options{})
	for _, named := range []string{"http://api.example/r", "file:///etc/passwd", "/r", "https://me@api.example/r", "http://127.0.0.1/r", "https://api.example/r#x"} {
		if _, err := c.Resource(t.Context(), api, challenged(401, `Bearer resource_metadata="`+named+`"`)); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("Resource() with resource_metadata %q = %v, want ErrInvalid", named, err)
		}
	}
	for _, resource := range []string{"", "api.example", "http://api.example", "https://api.example/#x"} {
		if _, err := c.Resource(t.Context(), resource, nil); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("Resource(%q) = %v, want ErrInvalid", resource, err)
		}
	}
	if w.requests() != 0 {
		t.Errorf("requests to %q, want none", w.asked)
	}
}

// The metadata are those of the same resource or of a parent.
func TestResourceOfTheDocument(t *testing.T) {
	for _, tt := range []struct {
		asked, named string
		want         error
	}{
		{"https://api.example/mcp", "https://api.example/mcp", nil},
		{"https://api.example/mcp", "https://api.example/mcp/", nil},
		{"https://api.example/mcp/", "https://api.example/mcp", nil},
		{"https://api.example/mcp", "https://api.example", nil},
		{"https://api.example/mcp", "https://api.example/", nil},
		{"https://api.example/mcp", "https://API.example:443", nil},
		{"https://api.example/a/b", "https://api.example/a", nil},
		{"https://api.example/a?b=c", "https://api.example/a?b=c", nil},
		{"https://api.example/a?b=c", "https://api.example/a", nil},
		{"https://api.example/a", "https://api.example/a?b=c", discovery.ErrMismatch},
		{"https://api.example/a?b=d", "https://api.example/a?b=c", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example/mc", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example/other", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example/mcp/more", discovery.ErrMismatch},
		{"https://api.example", "https://api.example/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://evil.example/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example.evil.example/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example:8443/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "http://api.example/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example@evil.example/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://me@api.example/mcp", discovery.ErrMismatch},
		{"https://api.example/mcp", "https://api.example/mcp#x", discovery.ErrMismatch},
		{"https://api.example/a/../b", "https://api.example/a", discovery.ErrMismatch},
		{"https://api.example/a/%2e%2E/b", "https://api.example/a", discovery.ErrMismatch},
		{"https://api.example/mcp", "urn:x", discovery.ErrMismatch},
		{"https://api.example/mcp", "%", discovery.ErrMismatch},
		{"https://api.example/mcp", "", discovery.ErrInvalid},
	} {
		w := &web{pages: map[string]page{"https://meta.example": {body: resource(tt.named, "")}}}
		_, err := w.client(t, discovery.Options{}).Resource(t.Context(), tt.asked, challenged(401, `Bearer resource_metadata="https://meta.example"`))
		if !errors.Is(err, tt.want) {
			t.Errorf("Resource(%s) with the resource %q = %v, want %v", tt.asked, tt.named, err, tt.want)
		}
	}
}

func TestMembersOfAResource(t *testing.T) {
	w := &web{pages: map[string]page{"https://api.example" + rfc9728 + "/mcp": {body: resource(api,
		`"scopes_supported":["a"],"bearer_methods_supported":["header"],"dpop_bound_access_tokens_required":true,"dpop_signing_alg_values_supported":["ES256"],
		"resource_name":"An API","resource_documentation":"https://docs.example","resource_policy_uri":"javascript:x","jwks_uri":"https://api.example/jwks","x":1`)}}}
	r, err := w.client(t, discovery.Options{}).Resource(t.Context(), api, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Resource != api || r.URL != "https://api.example"+rfc9728+"/mcp" || !slices.Equal(r.AuthorizationServers, []string{issuer}) ||
		!slices.Equal(r.ScopesSupported, []string{"a"}) || !slices.Equal(r.BearerMethods, []string{"header"}) || !r.DPoPRequired || r.CertificateBound ||
		!slices.Equal(r.DPoPAlgorithms, []string{"ES256"}) || r.Name != "An API" || r.Documentation != "https://docs.example" || r.Policy != "" ||
		r.JWKSURI == "" || r.Extra("x") == nil {
		t.Errorf("Resource() = %+v", r)
	}
	for name, more := range map[string]string{
		"scopes_supported": `"a b"`, "bearer_methods_supported": "true", "dpop_bound_access_tokens_required": `"yes"`, "resource_name": "1", "jwks_uri": `"http://api.example/jwks"`,
	} {
		w.set("https://api.example"+rfc9728+"/mcp", page{body: resource(api, `"`+name+`":`+more)})
		if _, err := w.client(t, discovery.Options{}).Resource(t.Context(), api, nil); !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("Resource() with %s %s = %v, want ErrInvalid that names the member", name, more, err)
		}
	}
	for _, list := range []string{`["http://as.example"]`, `["https://as.example?x"]`, `["as.example"]`, `"https://as.example"`} {
		w.set("https://api.example"+rfc9728+"/mcp", page{body: `{"resource":"` + api + `","authorization_servers":` + list + `}`})
		if _, err := w.client(t, discovery.Options{}).Resource(t.Context(), api, nil); !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), "authorization_servers") {
			t.Errorf("Resource() with authorization_servers %s = %v, want ErrInvalid", list, err)
		}
	}
}

// An API that does not answer is not one without metadata.
func TestResourceThatDoesNotAnswer(t *testing.T) {
	w := &web{pages: map[string]page{"https://api.example" + rfc9728 + "/mcp": {status: 503}}}
	if _, err := w.client(t, discovery.Options{}).Resource(t.Context(), api, nil); !errors.Is(err, tokensource.ErrTemporary) {
		t.Errorf("Resource() = %v, want ErrTemporary", err)
	}
}
