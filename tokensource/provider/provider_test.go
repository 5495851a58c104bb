package provider_test

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// example returns a Provider with everything set that Validate looks at.
func example() *provider.Provider {
	return &provider.Provider{
		Name:                 "example",
		AuthorizationURL:     "https://as.example/authorize?tenant=1",
		TokenURL:             "https://as.example/token",
		RevocationURL:        "https://as.example/revoke",
		ClientCredentialsURL: "https://as.example/app-token",
		IdentityURL:          "https://api.example/me",
		ParseIdentity:        func([]byte) (provider.Identity, error) { return provider.Identity{Subject: "1"}, nil },
		OtherEndpoints:       []string{"https://as.example/device", "https://as.example/par"},
		APIOrigins:           []string{"https://api.example", "https://api.example:8443"},
		Issuer:               "https://as.example",
		IssuerRequired:       true,
		IDTokenIssuers:       []string{"https://as.example", "https://as.example/{tenantid}/v2"},
		JWKSURL:              "https://as.example/keys",
		EndSessionURL:        "https://as.example/logout",
		Scopes:               []string{"read", "write"},
		IdentityScopes:       []string{"read"},
		ScopeSeparator:       ",",
		AuthorizationParams:  url.Values{"access_type": {"offline"}},
		Nonce:                true,
		TokenObject:          "data.0",
		KeepMembers:          []string{"id_token", "team.id"},
		API: tokensource.APIFacts{
			RejectedStatuses: []int{401, 403},
			LimitStatuses:    []int{403},
			LimitHeaders:     []tokensource.LimitHeaders{{Reset: "x-reset"}},
		},
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*provider.Provider)
		want   string // in the message; empty: there is no error
	}{
		{"pushed requests", func(p *provider.Provider) {
			p.PushedAuthorizationURL, p.RequirePushed, p.MTLS.TokenURL = "https://as.example/par", true, "https://mtls.example/token"
		}, ""},
		{"pushed requests without an endpoint", func(p *provider.Provider) { p.RequirePushed = true }, "PushedAuthorizationURL"},
		{"pushed requests over http", func(p *provider.Provider) { p.PushedAuthorizationURL = "http://as.example/par" }, "PushedAuthorizationURL"},
		{"an alias over http", func(p *provider.Provider) { p.MTLS.TokenURL = "http://as.example/token" }, "MTLS.TokenURL"},
		{"an alias for revocation over http", func(p *provider.Provider) { p.MTLS.RevocationURL = "http://as.example/r" }, "MTLS.RevocationURL"},
		{"metadata over http", func(p *provider.Provider) { p.MetadataURL = "http://as.example/.well-known/x" }, "MetadataURL"},
		{"an audience with a space", func(p *provider.Provider) { p.AssertionAudience = "https://as.example/ token" }, "AssertionAudience"},
		{"everything", func(*provider.Provider) {}, ""},
		{"the least", func(p *provider.Provider) {
			*p = provider.Provider{Name: "a-1", AuthorizationURL: p.AuthorizationURL, TokenURL: p.TokenURL}
		}, ""},
		{"loopback by switch", func(p *provider.Provider) {
			p.TokenURL, p.APIOrigins, p.InsecureLoopback = "http://127.0.0.1:8080/token", []string{"http://[::1]:8080"}, true
		}, ""},
		{"Post", func(p *provider.Provider) { p.ClientAuth = provider.Post }, ""},

		{"http on any host by switch", func(p *provider.Provider) {
			p.TokenURL, p.APIOrigins, p.InsecureHTTP = "http://keycloak:8080/token", []string{"http://api:8081"}, true
		}, ""},
		{"http on loopback by the wider switch", func(p *provider.Provider) { p.TokenURL, p.InsecureHTTP = "http://127.0.0.1:1/token", true }, ""},
		{"ftp, even by switch", func(p *provider.Provider) { p.TokenURL, p.InsecureHTTP = "ftp://as.example/token", true }, "must be https"},
		{"no PKCE", func(p *provider.Provider) { p.PKCE = provider.NoPKCE }, ""},
		{"unknown PKCE", func(p *provider.Provider) { p.PKCE = provider.NoPKCE + 1 }, "PKCE"},
		{"negative PKCE", func(p *provider.Provider) { p.PKCE = -1 }, "PKCE"},
		{"letters between scopes", func(p *provider.Provider) { p.ScopeSeparator = "and" }, "ScopeSeparator"},
		{"a fixed state", func(p *provider.Provider) { p.AuthorizationParams.Set("state", "s") }, "AuthorizationParams"},
		{"a fixed parameter without a name", func(p *provider.Provider) { p.AuthorizationParams.Set("", "s") }, "AuthorizationParams"},
		{"a token object without a name", func(p *provider.Provider) { p.TokenObject = "data..0" }, "TokenObject"},
		{"a member without a name", func(p *provider.Provider) { p.KeepMembers = []string{""} }, "KeepMembers"},
		{"a token kept", func(p *provider.Provider) { p.KeepMembers = []string{"refresh_token"} }, "KeepMembers"},
		{"an identity scope that nobody knows", func(p *provider.Provider) { p.IdentityScopes = []string{"profile"} }, "IdentityScopes"},
		{"a rejection with 200", func(p *provider.Provider) { p.API.RejectedStatuses = []int{200} }, "RejectedStatuses"},
		{"a rejection with 429", func(p *provider.Provider) { p.API.RejectedStatuses = []int{429} }, "RejectedStatuses"},
		{"a rejection with 503", func(p *provider.Provider) { p.API.RejectedStatuses = []int{503} }, "RejectedStatuses"},
		{"a limit with 200", func(p *provider.Provider) { p.API.LimitStatuses = []int{200} }, "LimitStatuses"},
		{"a limit without an end", func(p *provider.Provider) { p.API.LimitHeaders[0].Reset = "" }, "LimitHeaders"},

		{"no name", func(p *provider.Provider) { p.Name = "" }, "lower-case letters"},
		{"name in upper case", func(p *provider.Provider) { p.Name = "X" }, "lower-case letters"},
		{"name with a slash", func(p *provider.Provider) { p.Name = "a/b" }, "lower-case letters"},
		{"name with a space inside", func(p *provider.Provider) { p.Name = "a b" }, "lower-case letters"},
		{"name beyond ASCII", func(p *provider.Provider) { p.Name = "caf\u00e9" }, "lower-case letters"},

		{"no authorization endpoint", func(p *provider.Provider) { p.AuthorizationURL = "" }, "AuthorizationURL"},
		{"no token endpoint", func(p *provider.Provider) { p.TokenURL = "" }, "TokenURL"},
		{"http", func(p *provider.Provider) { p.TokenURL = "http://as.example/token" }, "must be https"},
		{"http, even by switch", func(p *provider.Provider) { p.TokenURL, p.InsecureLoopback = "http://as.example/token", true }, "must be https"},
		{"http on a private address, even by switch", func(p *provider.Provider) { p.TokenURL, p.InsecureLoopback = "http://10.0.0.1/token", true }, "must be https"},
		{"http on every address, even by switch", func(p *provider.Provider) { p.TokenURL, p.InsecureLoopback = "http://0.0.0.0/token", true }, "must be https"},
		{"loopback without the switch", func(p *provider.Provider) { p.TokenURL = "http://localhost/token" }, "InsecureLoopback"},
		{"ftp", func(p *provider.Provider) { p.TokenURL = "ftp://as.example/token" }, "must be https"},
		{"file", func(p *provider.Provider) { p.TokenURL = "file:///token" }, "not an absolute URL"},
		{"gopher", func(p *provider.Provider) { p.TokenURL = "gopher://as.example/token" }, "must be https"},
		{"relative", func(p *provider.Provider) { p.TokenURL = "/token" }, "not an absolute URL"},
		{"no scheme", func(p *provider.Provider) { p.TokenURL = "as.example/token" }, "not an absolute URL"},
		{"scheme left to the browser", func(p *provider.Provider) { p.TokenURL = "//as.example/token" }, "must be https"},
		{"no host", func(p *provider.Provider) { p.TokenURL = "https:///token" }, "not an absolute URL"},
		{"a port and no host", func(p *provider.Provider) { p.TokenURL = "https://:443/token" }, "not an absolute URL"},
		{"an origin with a port and no host", func(p *provider.Provider) { p.APIOrigins = []string{"https://:443"} }, "not an origin"},
		{"a space behind it", func(p *provider.Provider) { p.TokenURL = "https://as.example/token " }, "spaces"},
		{"beyond ASCII", func(p *provider.Provider) { p.TokenURL = "https://as.example/t\u00f6ken" }, "ASCII"},
		{"opaque", func(p *provider.Provider) { p.TokenURL = "https:as.example/token" }, "not an absolute URL"},
		{"line break", func(p *provider.Provider) { p.TokenURL = "https://as.example/token\n" }, "not a URL"},
		{"bad escape", func(p *provider.Provider) { p.TokenURL = "https://as.example/%zz" }, "not a URL"},
		{"user", func(p *provider.Provider) { p.TokenURL = "https://me:pass@as.example/token" }, "user name"},
		{"fragment", func(p *provider.Provider) { p.AuthorizationURL = "https://as.example/a#b" }, "fragment"},
		{"empty fragment", func(p *provider.Provider) { p.AuthorizationURL = "https://as.example/a#" }, "fragment"},
		{"http revocation", func(p *provider.Provider) { p.RevocationURL = "http://as.example/revoke" }, "RevocationURL"},
		{"http app token", func(p *provider.Provider) { p.ClientCredentialsURL = "http://as.example/app" }, "ClientCredentialsURL"},
		{"http other endpoint", func(p *provider.Provider) { p.OtherEndpoints = []string{"http://as.example/device"} }, "OtherEndpoints"},
		{"empty other endpoint", func(p *provider.Provider) { p.OtherEndpoints = []string{""} }, "OtherEndpoints"},
		{"http identity", func(p *provider.Provider) { p.IdentityURL = "http://api.example/me" }, "IdentityURL"},
		{"http keys of ID tokens", func(p *provider.Provider) { p.JWKSURL = "http://as.example/keys" }, "JWKSURL"},
		{"http end of a session", func(p *provider.Provider) { p.EndSessionURL = "http://as.example/logout" }, "EndSessionURL"},
		{"empty issuer of ID tokens", func(p *provider.Provider) { p.IDTokenIssuers = []string{""} }, "IDTokenIssuers"},
		{"issuer of ID tokens with another variable", func(p *provider.Provider) { p.IDTokenIssuers[0] = "https://as.example/{realm}" }, "IDTokenIssuers"},
		{"issuer of ID tokens with two tenants", func(p *provider.Provider) { p.IDTokenIssuers[0] = "https://{tenantid}.example/{tenantid}" }, "IDTokenIssuers"},

		{"http origin", func(p *provider.Provider) { p.APIOrigins = []string{"http://api.example"} }, "must be https"},
		{"loopback origin without the switch", func(p *provider.Provider) { p.APIOrigins = []string{"http://127.0.0.1:1"} }, "InsecureLoopback"},
		{"origin with a slash", func(p *provider.Provider) { p.APIOrigins = []string{"https://api.example/"} }, "scheme and host only"},
		{"origin with a path", func(p *provider.Provider) { p.APIOrigins = []string{"https://api.example/v2"} }, "scheme and host only"},
		{"origin with a query", func(p *provider.Provider) { p.APIOrigins = []string{"https://api.example?a"} }, "scheme and host only"},
		{"origin with a fragment", func(p *provider.Provider) { p.APIOrigins = []string{"https://api.example#a"} }, "scheme and host only"},
		{"origin with a user", func(p *provider.Provider) { p.APIOrigins = []string{"https://me@api.example"} }, "scheme and host only"},
		{"origin without a scheme", func(p *provider.Provider) { p.APIOrigins = []string{"api.example"} }, "scheme and host only"},
		{"second origin empty", func(p *provider.Provider) { p.APIOrigins[1] = "" }, "scheme and host only"},

		{"identity without a parser", func(p *provider.Provider) { p.ParseIdentity = nil }, "or neither"},
		{"parser without an identity", func(p *provider.Provider) { p.IdentityURL = "" }, "or neither"},
		{"issuer required but unknown", func(p *provider.Provider) { p.Issuer = "" }, "IssuerRequired"},
		{"subject that is no path", func(p *provider.Provider) { p.IdentityPaths.Subject = []string{"data..id"} }, "IdentityPaths"},
		{"identity in the token answer without a path", func(p *provider.Provider) { p.IdentityInToken = true }, "IdentityInToken"},
		{"paths in place of a parser", func(p *provider.Provider) { p.ParseIdentity, p.IdentityPaths.Subject = nil, []string{"id"} }, ""},
		{"identity request with a credential", func(p *provider.Provider) {
			p.IdentityRequest.Header = http.Header{"Authorization": {"x"}}
		}, "fixed header"},
		{"token request with a credential", func(p *provider.Provider) { p.TokenHeader = http.Header{"cookie": {"x"}} }, "fixed header"},
		{"API request with a credential", func(p *provider.Provider) { p.API.Headers = map[string]string{"authorization": "x"} }, "fixed header"},
		{"API request with a header", func(p *provider.Provider) { p.API.Headers = map[string]string{"Client-Id": "{client_id}"} }, ""},
		{"fixed grant type", func(p *provider.Provider) { p.TokenParams = url.Values{"grant_type": {"password"}} }, "TokenParams"},
		{"fixed secret", func(p *provider.Provider) { p.TokenParams = url.Values{"client_secret": {"x"}} }, "TokenParams"},
		{"expiry without a form", func(p *provider.Provider) { p.ExpiryMember = "at" }, "or neither"},
		{"form without an expiry", func(p *provider.Provider) { p.ExpiryForm = "unix" }, "or neither"},
		{"unknown form of expiry", func(p *provider.Provider) { p.ExpiryMember, p.ExpiryForm = "at", "iso" }, "ExpiryForm"},
		{"negative lifetime of refresh tokens", func(p *provider.Provider) { p.RefreshTokens.Idle = -1 }, "RefreshTokens"},
		{"refusal without a fixer", func(p *provider.Provider) { p.Refusals = []provider.Refusal{{Status: 400}} }, "Refusals"},
		{"refusal of everything", func(p *provider.Provider) { p.Refusals = []provider.Refusal{{Fixer: provider.UserCanFix}} }, "Refusals"},
		{"answer of an outage", func(p *provider.Provider) { p.API.Answers = []tokensource.APIAnswer{{Status: 503}} }, "API.Answers"},
		{"answer of a rate limit", func(p *provider.Provider) { p.API.Answers = []tokensource.APIAnswer{{Status: 429}} }, "API.Answers"},
		{"unknown method of revocation", func(p *provider.Provider) { p.Revocation.Method = "PUT" }, "Revocation.Method"},
		{"unknown authentication of revocation", func(p *provider.Provider) { p.Revocation.Auth = "digest" }, "Revocation.Auth"},
		{"unknown kind of token", func(p *provider.Provider) { p.Revocation.Only = "id_token" }, "Revocation.Only"},
		{"a trade beside refresh tokens", func(p *provider.Provider) { trades(p); p.RefreshTokens.None = false }, "RefreshTokens.None"},
		{"a trade", trades, ""},
		{"a trade of login tokens alone", func(p *provider.Provider) { trades(p); p.Trade.First, p.Trade.Next.URL = p.Trade.Next, "" }, "no Next.URL"},
		{"a window without a trade", func(p *provider.Provider) { p.Trade.From = 1 }, "no Next.URL"},
		{"a negative window", func(p *provider.Provider) { trades(p); p.Trade.From = -1 }, "negative"},
		{"a trade by PUT", func(p *provider.Provider) { trades(p); p.Trade.Next.Method = "PUT" }, "Trade.Next"},
		{"a trade without a grant type", func(p *provider.Provider) { trades(p); p.Trade.Next.Params = nil }, "grant_type"},
		{"a trade without a place for the token", func(p *provider.Provider) { trades(p); p.Trade.Next.TokenParam = "" }, "TokenParam"},
		{"a trade with a fixed token", func(p *provider.Provider) { trades(p); p.Trade.Next.Params.Set("token", "x") }, "TokenParam"},
		{"a trade with a fixed secret", func(p *provider.Provider) { trades(p); p.Trade.Next.Params.Set("client_secret", "x") }, "Auth sets"},
		{"a trade with Basic", func(p *provider.Provider) { trades(p); p.Trade.Next.Auth = "basic" }, "Auth"},
		{"a first trade without a place for the token", func(p *provider.Provider) { trades(p); p.Trade.First.URL = "https://as.example/f" }, "Trade.First"},
		{"a trade over http", func(p *provider.Provider) { trades(p); p.Trade.Next.URL = "http://as.example/t" }, "must be https"},
		{"token to revoke in a URL", func(p *provider.Provider) { p.Revocation.Method = "GET" }, "must not be in a URL"},
		{"client ID in the path of the revocation", func(p *provider.Provider) { p.RevocationURL = "https://as.example/{client_id}/token" }, ""},
		{"client ID in the path of another endpoint", func(p *provider.Provider) { p.TokenURL = "https://{client_id}.example/token" }, "TokenURL"},
		{"http refreshes", func(p *provider.Provider) { p.RefreshURL = "http://as.example/refresh" }, "RefreshURL"},
		{"servers without a parameter", func(p *provider.Provider) { p.TokenHosts = []string{"https://as.example"} }, "or neither"},
		{"parameter without servers", func(p *provider.Provider) { p.TokenHostParam = "server" }, "or neither"},
		{"server with http", func(p *provider.Provider) { p.TokenHostParam, p.TokenHosts = "server", []string{"http://as.example"} }, "TokenHosts"},
		{"origin of a grant that is not kept", func(p *provider.Provider) { p.GrantOrigins = map[string][]string{"url": {"*.example.com"}} }, "KeepMembers"},
		{"any origin of a grant", func(p *provider.Provider) {
			p.KeepCallback, p.GrantOrigins = []string{"url"}, map[string][]string{"url": {"*"}}
		}, "is no host"},
		{"origin of a grant at a top-level domain", func(p *provider.Provider) {
			p.KeepCallback, p.GrantOrigins = []string{"url"}, map[string][]string{"url": {"*.com"}}
		}, "is no host"},
		{"origin of a grant with a path", func(p *provider.Provider) {
			p.KeepCallback, p.GrantOrigins = []string{"url"}, map[string][]string{"url": {"a.example/b"}}
		}, "is no host"},
		{"origin of a grant", func(p *provider.Provider) {
			p.KeepCallback, p.GrantOrigins = []string{"url"}, map[string][]string{"url": {"*.example.com", "a.example"}}
		}, ""},
		{"unknown client authentication", func(p *provider.Provider) { p.ClientAuth = provider.Post + 1 }, "ClientAuth"},
		{"negative client authentication", func(p *provider.Provider) { p.ClientAuth = -1 }, "ClientAuth"},
	}
	for _, tt := range tests {
		p := example()
		tt.change(p)
		err := p.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Validate(%s) = %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("Validate(%s) = %v: it tells a password", tt.name, err)
		}
	}
	var none *provider.Provider
	if err := none.Validate(); err == nil || !strings.Contains(err.Error(), "provider.X()") {
		t.Errorf("Validate(nil) = %v, want an error that says what to use", err)
	}
}

func TestClone(t *testing.T) {
	p := example()
	c := p.Clone()
	c.Name, c.Scopes[0], c.APIOrigins[0], c.OtherEndpoints[0] = "other", "changed", "https://changed.example", "https://changed.example/par"
	c.IDTokenIssuers[0] = "https://changed.example"
	c.IdentityScopes[0], c.KeepMembers[0], c.AuthorizationParams["access_type"][0] = "changed", "changed", "changed"
	c.AuthorizationParams.Set("new", "parameter")
	c.API.RejectedStatuses[0], c.API.LimitStatuses[0], c.API.LimitHeaders[0].Reset = 402, 402, "changed"
	if !reflect.DeepEqual(facts(p), facts(example())) {
		t.Errorf("a change of the clone changed the original: %+v", facts(p))
	}
	if c.TokenURL != p.TokenURL || c.ParseIdentity == nil || !c.IssuerRequired {
		t.Error("the clone lacks what the original has")
	}
}

// facts returns p without its functions, which cannot be compared.
func facts(p *provider.Provider) provider.Provider {
	c := *p
	c.ParseIdentity = nil
	return c
}

// No token of a user may be sent to an endpoint of the server.
func TestEndpointsOfEveryKind(t *testing.T) {
	p := example()
	p.PushedAuthorizationURL = "https://as.example/par2"
	p.MTLS.TokenURL, p.MTLS.RevocationURL, p.MTLS.PushedAuthorizationURL = "https://m.example/token", "https://m.example/revoke", "https://m.example/par"
	p.MTLS.ClientCredentialsURL, p.MTLS.DeviceAuthorizationURL = "https://m.example/app", "https://m.example/device"
	got := p.Endpoints()
	for _, want := range []string{
		p.TokenURL, p.RevocationURL, p.ClientCredentialsURL, p.PushedAuthorizationURL, p.MTLS.TokenURL, p.MTLS.RevocationURL,
		p.MTLS.PushedAuthorizationURL, p.MTLS.ClientCredentialsURL, p.MTLS.DeviceAuthorizationURL, "https://as.example/device",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("Endpoints() = %q, want %s among them", got, want)
		}
	}
}

// trades makes a provider trade access tokens.
func trades(p *provider.Provider) {
	p.RefreshTokens.None = true
	p.Trade.Next.URL, p.Trade.Next.TokenParam = "https://as.example/trade", "token"
	p.Trade.Next.Params = url.Values{"grant_type": {"next"}}
}
