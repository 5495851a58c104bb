package discovery_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/discovery"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const everything = `"revocation_endpoint":"https://as.example/revoke","introspection_endpoint":"https://as.example/introspect",
	"registration_endpoint":"https://as.example/register","pushed_authorization_request_endpoint":"https://as.example/par",
	"device_authorization_endpoint":"https://as.example/device","userinfo_endpoint":"https://as.example/me","end_session_endpoint":"https://as.example/end",
	"jwks_uri":"https://as.example/jwks","require_pushed_authorization_requests":true,"authorization_response_iss_parameter_supported":true,
	"client_id_metadata_document_supported":true,"tls_client_certificate_bound_access_tokens":true,"backchannel_logout_supported":true,
	"token_endpoint_auth_methods_supported":["private_key_jwt","client_secret_post"],"dpop_signing_alg_values_supported":["ES256"],
	"scopes_supported":["openid","a"],"code_challenge_methods_supported":["S256"],"acr_values_supported":["high"],"service_documentation":"https://as.example/docs",
	"mtls_endpoint_aliases":{"token_endpoint":"https://mtls.as.example/token","revocation_endpoint":"https://mtls.as.example/revoke",
	"pushed_authorization_request_endpoint":"https://mtls.as.example/par","device_authorization_endpoint":"https://mtls.as.example/device","other":"https://x.example"},
	"vendor":{"n":[1]}`

// Everything in the metadata that package oauth uses is in the Provider.
func TestProviderOfAllMembers(t *testing.T) {
	s, err := read(t, metadata(issuer, everything), discovery.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.ClientIDDocuments || !s.CertificateBound || !s.BackChannelLogout || !reflect.DeepEqual(s.DPoPAlgorithms, []string{"ES256"}) ||
		!reflect.DeepEqual(s.ACRValues, []string{"high"}) || s.ServiceDocumentation == "" || s.MTLSAliases["other"] != "https://x.example" {
		t.Errorf("Server() = %+v", s)
	}
	if s.Extra("vendor") == nil || s.Extra("none") != nil || s.Extra("issuer") != issuer {
		t.Errorf("Extra(vendor) = %v, Extra(none) = %v, Extra(issuer) = %v", s.Extra("vendor"), s.Extra("none"), s.Extra("issuer"))
	}
	p, err := s.Provider()
	if err != nil {
		t.Fatal(err)
	}
	p.ParseIdentity = nil // is not comparable
	want := &provider.Provider{
		Name: "as-example", Issuer: issuer, MetadataURL: issuer + rfc8414, IssuerRequired: true,
		AuthorizationURL: "https://as.example/authorize", TokenURL: "https://as.example/token", RevocationURL: "https://as.example/revoke",
		PushedAuthorizationURL: "https://as.example/par", RequirePushed: true, DeviceAuthorizationURL: "https://as.example/device",
		RegistrationURL: "https://as.example/register", JWKSURL: "https://as.example/jwks", EndSessionURL: "https://as.example/end",
		ClientAuth: provider.Post, OtherEndpoints: []string{"https://as.example/introspect"},
		IdentityURL: "https://as.example/me", IdentityScopes: []string{"openid"},
	}
	want.MTLS.TokenURL, want.MTLS.RevocationURL = "https://mtls.as.example/token", "https://mtls.as.example/revoke"
	want.MTLS.PushedAuthorizationURL, want.MTLS.DeviceAuthorizationURL = "https://mtls.as.example/par", "https://mtls.as.example/device"
	if !reflect.DeepEqual(p, want) {
		t.Errorf("Provider() = %+v\nwant %+v", p, want)
	}
}

func TestClientAuthOfTheMethods(t *testing.T) {
	for methods, want := range map[string]provider.ClientAuth{
		``: provider.Basic, `["client_secret_basic","client_secret_post"]`: provider.Basic, `["client_secret_post","client_secret_basic"]`: provider.Basic,
		`["client_secret_post"]`: provider.Post, `["none","client_secret_post"]`: provider.Post, `["private_key_jwt"]`: provider.Basic, `[]`: provider.Basic,
	} {
		more := ""
		if methods != "" {
			more = `"token_endpoint_auth_methods_supported":` + methods
		}
		s, err := read(t, metadata(issuer, more), discovery.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := s.Provider(); err != nil || p.ClientAuth != want {
			t.Errorf("Provider() of the methods %s = %+v, %v, want ClientAuth %v", methods, p, err, want)
		}
	}
}

// A Provider needs both endpoints of a login. The metadata do not.
func TestProviderWithoutEndpoints(t *testing.T) {
	for _, body := range []string{
		`{"issuer":"` + issuer + `"}`, `{"issuer":"` + issuer + `","token_endpoint":"https://as.example/t"}`, `{"issuer":"` + issuer + `","authorization_endpoint":"https://as.example/a"}`,
	} {
		s, err := read(t, body, discovery.Options{})
		if err != nil {
			t.Fatalf("Server() of %s = %v", body, err)
		}
		if _, err := s.Provider(); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("Provider() of %s = %v, want ErrInvalid", body, err)
		}
	}
	if _, err := read(t, `{"issuer":"`+issuer+`","require_pushed_authorization_requests":true}`, discovery.Options{}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("Server() that requires pushed requests without an endpoint = %v, want ErrInvalid", err)
	}
}

// A server on loopback is one of a test. Its Provider allows http there.
func TestProviderOnLoopback(t *testing.T) {
	const local = "http://127.0.0.1:8080/realm_A"
	w := &web{pages: map[string]page{"http://127.0.0.1:8080" + rfc8414 + "/realm_A": {body: metadata(local, "")}}}
	p, err := w.client(t, discovery.Options{InsecureLoopback: true}).Provider(t.Context(), local)
	if err != nil || !p.InsecureLoopback || p.Name != "127-0-0-1-8080-realm-a" {
		t.Errorf("Provider(%s) = %+v, %v, want InsecureLoopback", local, p, err)
	}
	s, err := read(t, metadata(issuer, ""), discovery.Options{InsecureLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Provider(); err != nil || p.InsecureLoopback {
		t.Errorf("Provider() of https endpoints has InsecureLoopback, %v", err)
	}
}

func TestUserInfo(t *testing.T) {
	s, err := read(t, metadata(issuer, everything), discovery.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Provider()
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.ParseIdentity([]byte(`{"sub":"1","preferred_username":"ann","name":"Ann","picture":"https://p.example","email":"a@b.example"}`))
	want := provider.Identity{Subject: "1", Username: "ann", Name: "Ann", Picture: "https://p.example", Claims: map[string]string{"email": "a@b.example"}}
	if err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("ParseIdentity() = %+v, %v, want %+v", id, err, want)
	}
	if id, err := p.ParseIdentity([]byte(`{"sub":"1","name":2}`)); err != nil || id.Name != "" || id.Claims != nil {
		t.Errorf("ParseIdentity() of a name that is a number = %+v, %v", id, err)
	}
	for _, body := range []string{``, `{}`, `{"sub":""}`, `{"sub":1}`, `[]`} {
		if _, err := p.ParseIdentity([]byte(body)); err == nil || !strings.Contains(err.Error(), "no user") {
			t.Errorf("ParseIdentity(%s) = %v, want an error", body, err)
		}
	}
}
