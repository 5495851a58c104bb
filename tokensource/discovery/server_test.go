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
	rfc8414 = "/.well-known/oauth-authorization-server"
	openid  = "/.well-known/openid-configuration"
)

// The metadata are looked for at the well-known places, in their order. The
// place that has them is the last one that is asked.
func TestPlacesOfAnIssuer(t *testing.T) {
	const host = "https://as.example"
	for issuer, want := range map[string][]string{
		host:                   {host + rfc8414, host + openid},
		host + "/":             {host + rfc8414, host + openid},
		host + ":8443":         {host + ":8443" + rfc8414, host + ":8443" + openid},
		host + "/tenant":       {host + rfc8414 + "/tenant", host + openid + "/tenant", host + "/tenant" + openid},
		host + "/tenant/":      {host + rfc8414 + "/tenant", host + openid + "/tenant", host + "/tenant" + openid},
		host + "/realms/a%2Fb": {host + rfc8414 + "/realms/a%2Fb", host + openid + "/realms/a%2Fb", host + "/realms/a%2Fb" + openid},
	} {
		none := new(web)
		if _, err := none.client(t, discovery.Options{}).Server(t.Context(), issuer); !errors.Is(err, discovery.ErrNotFound) || !slices.Equal(none.asked, want) {
			t.Errorf("Server(%s) asked %q, %v, want %q and ErrNotFound", issuer, none.asked, err, want)
		}
		for i, place := range want {
			w := &web{pages: map[string]page{place: {body: metadata(issuer, "")}}}
			s, err := w.client(t, discovery.Options{}).Server(t.Context(), issuer)
			if err != nil || s.URL != place || !slices.Equal(w.asked, want[:i+1]) {
				t.Errorf("Server(%s) with metadata at %s: %v, asked %q", issuer, place, err, w.asked)
			}
		}
	}
}

func TestIssuersThatAreRefused(t *testing.T) {
	w := new(web)
	c := w.client(t, discovery.Options{})
	for _, issuer := range []string{
		"", "as.example", "http://as.example", "http://127.0.0.1:1", "https://as.example?a=b", "https://as.example?", "https://as.example#f", "https://as.example/#",
		"https://me@as.example", "https://", "https:as.example", "file:///etc/passwd", "ftp://as.example", "https://as.example/a b", "https://ás.example", "https://as.example/\n",
	} {
		if _, err := c.Server(t.Context(), issuer); !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("Server(%q) = %v, want ErrInvalid", issuer, err)
		}
	}
	if w.requests() != 0 {
		t.Errorf("requests to %q, want none", w.asked)
	}
}

// The issuer of the document is compared as it is.
func TestIssuerOfTheDocument(t *testing.T) {
	for named, want := range map[string]error{
		issuer: nil, issuer + "/": discovery.ErrMismatch, "https://AS.example": discovery.ErrMismatch, "https://as.example:443": discovery.ErrMismatch,
		"https://evil.example": discovery.ErrMismatch, "http://as.example": discovery.ErrMismatch, "": discovery.ErrInvalid,
	} {
		if _, err := read(t, metadata(named, ""), discovery.Options{}); !errors.Is(err, want) {
			t.Errorf("Server(%s) with the issuer %q = %v, want %v", issuer, named, err, want)
		}
	}
	if _, err := read(t, `{"Issuer":"`+issuer+`","token_endpoint":"https://as.example/t"}`, discovery.Options{}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("Server with Issuer in another case = %v, want ErrInvalid", err)
	}
}

// A mismatch counts more than a place without metadata.
func TestMismatchAtTheFirstPlace(t *testing.T) {
	w := &web{pages: map[string]page{issuer + rfc8414: {body: metadata("https://evil.example", "")}}}
	if _, err := w.client(t, discovery.Options{}).Server(t.Context(), issuer); !errors.Is(err, discovery.ErrMismatch) {
		t.Errorf("Server() = %v, want ErrMismatch", err)
	}
}

func TestAnswersThatAreNoMetadata(t *testing.T) {
	good := metadata(issuer, "")
	for name, tt := range map[string]struct {
		page page
		want error
	}{
		"404":                       {page{status: 404}, discovery.ErrNotFound},
		"401":                       {page{status: 401, body: good}, discovery.ErrNotFound},
		"201":                       {page{status: 201, body: good}, discovery.ErrNotFound},
		"302":                       {page{status: 302, body: good}, discovery.ErrNotFound},
		"500":                       {page{status: 500, body: good}, tokensource.ErrTemporary},
		"503":                       {page{status: 503}, tokensource.ErrTemporary},
		"429":                       {page{status: 429}, tokensource.ErrTemporary},
		"no connection":             {page{err: errors.New("refused by canary")}, tokensource.ErrTemporary},
		"HTML":                      {page{kind: "text/html", body: "<html>"}, discovery.ErrInvalid},
		"JSON as text":              {page{kind: "text/plain", body: good}, discovery.ErrInvalid},
		"JSON of another kind":      {page{kind: "application/problem+json", body: good}, discovery.ErrInvalid},
		"a kind that is malformed":  {page{kind: ";", body: good}, discovery.ErrInvalid},
		"empty":                     {page{}, discovery.ErrInvalid},
		"a list":                    {page{body: "[" + good + "]"}, discovery.ErrInvalid},
		"a text":                    {page{body: `"x"`}, discovery.ErrInvalid},
		"a form":                    {page{body: "issuer=" + issuer}, discovery.ErrInvalid},
		"JSON cut short":            {page{body: good[:len(good)-1]}, discovery.ErrInvalid},
		"two objects":               {page{body: good + good}, discovery.ErrInvalid},
		"too large":                 {page{body: metadata(issuer, `"x":"`+strings.Repeat("x", 300<<10)+`"`)}, discovery.ErrInvalid},
		"with a byte order mark":    {page{body: "\ufeff" + good}, nil},
		"a parameter without value": {page{kind: "application/json; charset", body: good}, nil},
		"a parameter twice":         {page{kind: "application/json; charset=utf-8; charset=utf-8", body: good}, nil},
		"a semicolon at the end":    {page{kind: "application/json ;", body: good}, nil},
		"with a charset":            {page{kind: "Application/JSON; charset=utf-8", body: good}, nil},
	} {
		w := &web{pages: map[string]page{issuer + rfc8414: tt.page}}
		_, err := w.client(t, discovery.Options{}).Server(t.Context(), issuer)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: Server() = %v, want %v", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error has text of the connection: %v", name, err)
		}
		// The next place is asked, unless nothing of the host answers.
		if want := err != nil && tt.page.err == nil; (w.requests() == 2) != want {
			t.Errorf("%s: %d requests", name, w.requests())
		}
	}
}

// Every endpoint is an https URL. Otherwise nothing of the document is used.
func TestEndpointsThatMakeTheMetadataUnusable(t *testing.T) {
	for _, member := range []string{
		"authorization_endpoint", "token_endpoint", "revocation_endpoint", "introspection_endpoint", "registration_endpoint", "userinfo_endpoint",
		"pushed_authorization_request_endpoint", "device_authorization_endpoint", "end_session_endpoint", "jwks_uri",
	} {
		for _, endpoint := range []string{
			"http://as.example/x", "http://127.0.0.1/x", "file:///etc/passwd", "gopher://as.example/x", "javascript:alert(1)", "/x", "x", "//as.example/x",
			"https:///x", "https://me@as.example/x", "https://me:pw@as.example/x", "https://as.example/x#f", "https://as.example/a b",
		} {
			_, err := read(t, `{"issuer":"`+issuer+`","`+member+`":"`+endpoint+`"}`, discovery.Options{})
			if !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), member) {
				t.Errorf("Server() with %s %q = %v, want ErrInvalid that names the member", member, endpoint, err)
			}
		}
	}
	_, err := read(t, metadata(issuer, `"mtls_endpoint_aliases":{"token_endpoint":"http://as.example/t"}`), discovery.Options{})
	if !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), "mtls_endpoint_aliases") {
		t.Errorf("Server() with an alias that is http = %v, want ErrInvalid", err)
	}
}

func TestMembersOfTheWrongType(t *testing.T) {
	for _, tt := range []struct{ member, value string }{
		{"token_endpoint", "1"}, {"token_endpoint", `["https://as.example/t"]`}, {"jwks_uri", "{}"}, {"issuer", "true"}, {"issuer", `["` + issuer + `"]`},
		{"scopes_supported", `"openid"`}, {"scopes_supported", `[1]`}, {"code_challenge_methods_supported", `"S256"`}, {"grant_types_supported", "{}"},
		{"token_endpoint_auth_methods_supported", "true"}, {"dpop_signing_alg_values_supported", `"ES256"`},
		{"authorization_response_iss_parameter_supported", `"true"`}, {"require_pushed_authorization_requests", "1"}, {"client_id_metadata_document_supported", "[]"},
		{"mtls_endpoint_aliases", "[]"}, {"mtls_endpoint_aliases", `{"token_endpoint":1}`},
	} {
		body := `{"issuer":"` + issuer + `","` + tt.member + `":` + tt.value + `}`
		if tt.member == "issuer" {
			body = `{"issuer":` + tt.value + `}`
		}
		if _, err := read(t, body, discovery.Options{}); !errors.Is(err, discovery.ErrInvalid) || !strings.Contains(err.Error(), tt.member) {
			t.Errorf("Server() with %s %s = %v, want ErrInvalid that names the member", tt.member, tt.value, err)
		}
	}
	twice := `{"issuer":"` + issuer + `","token_endpoint":"https://as.example/t","token_endpoint":"https://as.example/u"}`
	if _, err := read(t, twice, discovery.Options{}); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("Server() with a member twice = %v, want ErrInvalid", err)
	}
}

// Members that nobody knows are ignored, and null is as good as missing.
func TestMembersThatAreIgnored(t *testing.T) {
	s, err := read(t, metadata(issuer, `"x":[{}],"x":1,"revocation_endpoint":null,"scopes_supported":null,"service_documentation":"javascript:x"`), discovery.Options{})
	if err != nil || s.RevocationEndpoint != "" || s.ScopesSupported != nil || s.ServiceDocumentation != "" {
		t.Errorf("Server() = %+v, %v", s, err)
	}
}

func TestDefaultsOfMissingMembers(t *testing.T) {
	s, err := read(t, metadata(issuer, ""), discovery.Options{})
	if err != nil || !slices.Equal(s.TokenAuthMethods, []string{"client_secret_basic"}) || !slices.Equal(s.GrantTypes, []string{"authorization_code", "implicit"}) {
		t.Errorf("Server() = %+v, %v, want the defaults of RFC 8414", s, err)
	}
	s, err = read(t, metadata(issuer, `"token_endpoint_auth_methods_supported":[],"scopes_supported":[]`), discovery.Options{})
	if err != nil || s.TokenAuthMethods == nil || len(s.TokenAuthMethods) != 0 || s.ScopesSupported == nil {
		t.Errorf("Server() = %+v, %v, want empty lists that are not nil", s, err)
	}
}

func TestS256(t *testing.T) {
	for _, tt := range []struct {
		name, more        string
		byDefault, strict error
	}{
		{"absent", ``, nil, discovery.ErrNoS256},
		{"S256", `"code_challenge_methods_supported":["S256"]`, nil, nil},
		{"plain and S256", `"code_challenge_methods_supported":["plain","S256"]`, nil, nil},
		{"plain", `"code_challenge_methods_supported":["plain"]`, discovery.ErrNoS256, discovery.ErrNoS256},
		{"s256 in another case", `"code_challenge_methods_supported":["s256"]`, discovery.ErrNoS256, discovery.ErrNoS256},
		{"none", `"code_challenge_methods_supported":[]`, discovery.ErrNoS256, discovery.ErrNoS256},
	} {
		if _, err := read(t, metadata(issuer, tt.more), discovery.Options{}); !errors.Is(err, tt.byDefault) {
			t.Errorf("%s: Server() = %v, want %v", tt.name, err, tt.byDefault)
		}
		if _, err := read(t, metadata(issuer, tt.more), discovery.Options{RequireS256: true}); !errors.Is(err, tt.strict) {
			t.Errorf("%s: Server() with RequireS256 = %v, want %v", tt.name, err, tt.strict)
		}
	}
}

func TestAllowedIssuers(t *testing.T) {
	w := &web{pages: map[string]page{issuer + rfc8414: {body: metadata(issuer, "")}}}
	c := w.client(t, discovery.Options{Allow: func(i string) bool { return i == issuer }})
	if _, err := c.Server(t.Context(), issuer); err != nil {
		t.Errorf("Server(%s) = %v", issuer, err)
	}
	if _, err := c.Server(t.Context(), "https://evil.example"); !errors.Is(err, discovery.ErrNotAllowed) || w.requests() != 1 {
		t.Errorf("Server(https://evil.example) = %v after %d requests, want ErrNotAllowed before any", err, w.requests())
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	for name, o := range map[string]discovery.Options{
		"a negative age": {MaxAge: -1}, "an age of two days": {MaxAge: 48 * 3600e9}, "a negative timeout": {Timeout: -1}, "a timeout of an hour": {Timeout: 3600e9},
		"a client without a transport": {HTTPClient: new(http.Client)},
	} {
		if _, err := discovery.New(&o); err == nil {
			t.Errorf("New with %s = nil, want an error", name)
		}
	}
}
