package discovery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/authtrip/authtrip/internal/members"
)

// A Server is the metadata of an authorization server ([RFC 8414] section 2,
// [OpenID Connect Discovery] section 3). An endpoint that does not exist is
// empty. A list that is nil was not in the metadata, unless the standard gives
// it a default: then it holds that.
//
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
// [OpenID Connect Discovery]: https://openid.net/specs/openid-connect-discovery-1_0.html
type Server struct {
	// Issuer is the identifier. URL is where the metadata were.
	Issuer, URL string

	AuthorizationEndpoint string
	TokenEndpoint         string
	RevocationEndpoint    string // RFC 7009
	IntrospectionEndpoint string // RFC 7662
	RegistrationEndpoint  string // RFC 7591
	PushedEndpoint        string // RFC 9126
	DeviceEndpoint        string // RFC 8628
	UserInfoEndpoint      string // OpenID Connect
	EndSessionEndpoint    string // OpenID Connect RP-Initiated Logout
	JWKSURI               string

	// MTLSAliases are endpoints for clients with a certificate, by the names of
	// the members that they replace ([RFC 8705] section 5).
	//
	// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
	MTLSAliases map[string]string

	ScopesSupported      []string
	GrantTypes           []string // default: authorization_code, implicit
	ResponseTypes        []string
	ResponseModes        []string
	CodeChallengeMethods []string
	TokenAuthMethods     []string // default: client_secret_basic
	TokenAuthAlgorithms  []string // of signed assertions
	ACRValues            []string
	PromptValues         []string
	DPoPAlgorithms       []string // RFC 9449
	AuthorizationDetails []string // RFC 9396
	ProtectedResources   []string // RFC 9728 section 4

	RequirePushed        bool   // RFC 9126
	IssInResponse        bool   // RFC 9207
	ClientIDDocuments    bool   // client ID metadata documents
	CertificateBound     bool   // tokens can be bound to a certificate, RFC 8705
	BackChannelLogout    bool   // OpenID Connect
	ServiceDocumentation string // a page for developers, or empty

	object members.Object
	loose  bool
}

// Extra returns a member of the metadata, whether this package knows it or not:
// a string, a bool, a number, a list or an object. It returns nil if there is
// none.
func (s *Server) Extra(name string) any {
	raw, times := s.object.Raw(name)
	if times != 1 {
		return nil
	}
	v, _ := members.Value(raw)
	return v
}

// serverJob returns what reads the metadata of an issuer.
func (c *Client) serverJob(issuer string) (job, error) {
	u, err := parseIssuer(issuer, c.options.InsecureLoopback)
	if err != nil {
		return job{}, fmt.Errorf("%w: the issuer %q %w", ErrInvalid, issuer, err)
	}
	if c.options.Allow != nil && !c.options.Allow(issuer) {
		return job{}, fmt.Errorf("%w: %s", ErrNotAllowed, issuer)
	}
	places := serverURLs(u)
	return job{
		key: "server " + issuer,
		read: func(ctx context.Context) (any, time.Duration, error) {
			return c.firstOf(ctx, places, func(place string, body []byte) (any, error) {
				return c.parseServer(issuer, place, body)
			})
		},
		done: c.changed,
	}, nil
}

// parseServer reads the metadata of an issuer. Nothing of a document is used
// before its issuer was compared, character by character ([RFC 8414] section
// 3.3).
//
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
func (c *Client) parseServer(issuer, place string, body []byte) (*Server, error) {
	d, err := parseDocument(place, body, c.options.InsecureLoopback)
	if err != nil {
		return nil, err
	}
	named := d.text("issuer")
	switch {
	case d.err != nil:
		return nil, d.err
	case named == "":
		return nil, fmt.Errorf("%w: %s: issuer is missing", ErrInvalid, place)
	case named != issuer:
		return nil, fmt.Errorf("%w: %s: issuer is %q, want %q", ErrMismatch, place, cut(named), issuer)
	}
	s := d.server()
	if d.err != nil {
		return nil, d.err
	}
	return s, c.checkS256(s)
}

// cut shortens a text from outside for an error.
func cut(s string) string { return s[:min(len(s), 200)] }

// server returns the members.
func (d *document) server() *Server {
	s := &Server{
		Issuer: d.text("issuer"), URL: d.place,
		AuthorizationEndpoint: d.endpoint("authorization_endpoint"),
		TokenEndpoint:         d.endpoint("token_endpoint"),
		RevocationEndpoint:    d.endpoint("revocation_endpoint"),
		IntrospectionEndpoint: d.endpoint("introspection_endpoint"),
		RegistrationEndpoint:  d.endpoint("registration_endpoint"),
		PushedEndpoint:        d.endpoint("pushed_authorization_request_endpoint"),
		DeviceEndpoint:        d.endpoint("device_authorization_endpoint"),
		UserInfoEndpoint:      d.endpoint("userinfo_endpoint"),
		EndSessionEndpoint:    d.endpoint("end_session_endpoint"),
		JWKSURI:               d.endpoint("jwks_uri"),
		MTLSAliases:           d.aliases("mtls_endpoint_aliases"),

		ScopesSupported:      d.list("scopes_supported"),
		GrantTypes:           d.list("grant_types_supported"),
		ResponseTypes:        d.list("response_types_supported"),
		ResponseModes:        d.list("response_modes_supported"),
		CodeChallengeMethods: d.list("code_challenge_methods_supported"),
		TokenAuthMethods:     d.list("token_endpoint_auth_methods_supported"),
		TokenAuthAlgorithms:  d.list("token_endpoint_auth_signing_alg_values_supported"),
		ACRValues:            d.list("acr_values_supported"),
		PromptValues:         d.list("prompt_values_supported"),
		DPoPAlgorithms:       d.list("dpop_signing_alg_values_supported"),
		AuthorizationDetails: d.list("authorization_details_types_supported"),
		ProtectedResources:   d.list("protected_resources"),

		RequirePushed:        d.flag("require_pushed_authorization_requests"),
		IssInResponse:        d.flag("authorization_response_iss_parameter_supported"),
		ClientIDDocuments:    d.flag("client_id_metadata_document_supported"),
		CertificateBound:     d.flag("tls_client_certificate_bound_access_tokens"),
		BackChannelLogout:    d.flag("backchannel_logout_supported"),
		ServiceDocumentation: d.page("service_documentation"),

		object: d.object, loose: d.loose,
	}
	if s.TokenAuthMethods == nil {
		s.TokenAuthMethods = []string{"client_secret_basic"}
	}
	if s.GrantTypes == nil {
		s.GrantTypes = []string{"authorization_code", "implicit"}
	}
	if s.RequirePushed && s.PushedEndpoint == "" {
		d.fail("pushed_authorization_request_endpoint", "is missing, but pushed requests are required")
	}
	return s
}

// checkS256 refuses a server at which PKCE would not protect a login ([RFC
// 7636]).
//
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
func (c *Client) checkS256(s *Server) error {
	if slices.Contains(s.CodeChallengeMethods, "S256") || s.AuthorizationEndpoint == "" {
		return nil
	}
	if s.CodeChallengeMethods == nil && !c.options.RequireS256 {
		return nil
	}
	return fmt.Errorf("%w: %w: %s: code_challenge_methods_supported", ErrInvalid, ErrNoS256, s.URL)
}

// changed reports a server that has moved an endpoint to another origin.
func (c *Client) changed(old, now any) {
	if c.options.OnChange == nil {
		return
	}
	before, after := old.(*Server), now.(*Server)
	if !slices.Equal(before.origins(), after.origins()) {
		c.options.OnChange(before, after)
	}
}

// origins returns the origins of the endpoints, in order. Those for clients
// with a certificate come last.
func (s *Server) origins() (list []string) {
	for _, endpoint := range []string{
		s.AuthorizationEndpoint, s.TokenEndpoint, s.RevocationEndpoint, s.IntrospectionEndpoint, s.RegistrationEndpoint,
		s.PushedEndpoint, s.DeviceEndpoint, s.UserInfoEndpoint, s.EndSessionEndpoint, s.JWKSURI,
	} {
		list = append(list, originOf(endpoint))
	}
	for _, member := range slices.Sorted(maps.Keys(s.MTLSAliases)) {
		list = append(list, originOf(s.MTLSAliases[member]))
	}
	return list
}
