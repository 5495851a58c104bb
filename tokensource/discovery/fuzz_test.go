package discovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

// Whatever a server publishes: what is used has the issuer that was asked for,
// and https endpoints.
func FuzzServerMetadata(f *testing.F) {
	f.Add(metadata(issuer, ""))
	f.Add(metadata(issuer, everything))
	f.Add(`{"issuer":"https://as.example","token_endpoint":"http://127.0.0.1"}`)
	f.Add(`{"issuer":["https://as.example"]}`)
	f.Fuzz(func(t *testing.T, body string) {
		s, err := read(t, body, discovery.Options{})
		if err != nil {
			if !errors.Is(err, discovery.ErrInvalid) && !errors.Is(err, discovery.ErrMismatch) {
				t.Errorf("Server(%q) = %v, want ErrInvalid or ErrMismatch", body, err)
			}
			return
		}
		if s.Issuer != issuer {
			t.Errorf("Server(%q) has the issuer %q", body, s.Issuer)
		}
		for _, e := range []string{s.AuthorizationEndpoint, s.TokenEndpoint, s.RevocationEndpoint, s.RegistrationEndpoint, s.PushedEndpoint, s.JWKSURI} {
			if e != "" && !strings.HasPrefix(strings.ToLower(e), "https://") {
				t.Errorf("Server(%q) has the endpoint %q", body, e)
			}
		}
		if p, err := s.Provider(); err == nil && p.Validate() != nil {
			t.Errorf("Provider() of %q is not valid: %v", body, p.Validate())
		}
	})
}

// Whatever an API publishes: what is used is for its origin.
func FuzzResourceMetadata(f *testing.F) {
	f.Add(resource(api, ""))
	f.Add(resource("https://api.example/../mcp", `"scopes_supported":["a"]`))
	f.Add(resource("https://api.example.evil.example", ""))
	f.Fuzz(func(t *testing.T, body string) {
		w := &web{pages: map[string]page{"https://api.example" + rfc9728 + "/mcp": {body: body}}}
		r, err := w.client(t, discovery.Options{}).Resource(t.Context(), api, nil)
		if err != nil {
			return
		}
		if !strings.HasPrefix(strings.ToLower(r.Resource), "https://api.example") || len(r.AuthorizationServers) > 0 && !strings.HasPrefix(strings.ToLower(r.AuthorizationServers[0]), "https://") {
			t.Errorf("Resource() of %q = %+v", body, r)
		}
	})
}
