package transport_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/transport"
)

func TestT2_OriginsThatAreRefused(t *testing.T) {
	tests := []struct{ origin, says string }{
		{"", "is not an origin"},
		{"api.x.com", "is not an origin"},
		{"//api.x.com", "is not an origin"},
		{"https:api.x.com", "is not an origin"},
		{"https://", "is not an origin"},
		{"https://api.x.com/", "scheme and host only"},
		{"https://api.x.com/2", "scheme and host only"},
		{"https://api.x.com?a=b", "scheme and host only"},
		{"https://api.x.com#a", "scheme and host only"},
		{"https://u:p@api.x.com", "user name"},
		{"https://api.x.com:\x7f", "not a URL"},
		{"ftp://api.x.com", "neither https nor http"},
		{"http://api.x.com", "must be https"},
		{"http://localhost.evil.com", "must be https"},
		{"http://10.0.0.1", "must be https"},
		{"https://api.x.com.", "trailing dot"},
		{"https://.x.com", "trailing dot"},
		{"https://api..com", "trailing dot"},
		{"https://*.x.com", "wildcard"},
		{"https://bücher.example", "ASCII"},
		{"https://api.x.com:", "port"},
		{"https://api.x.com:0", "port"},
		{"https://api.x.com:0443", "port"},
		{"https://api.x.com:65536", "port"},
		{"https://[fe80::1%25eth0]", "is not an origin"},
	}
	for _, test := range tests {
		_, err := transport.New(newSource(), &transport.Options{Origins: []string{api, test.origin}})
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("New(origin %q) = %v, want an error with %q", test.origin, err, test.says)
		}
	}
}

func TestT2_OtherSettingsThatAreRefused(t *testing.T) {
	tests := []struct {
		name, says string
		src        *fakeSource
		o          *transport.Options
	}{
		{"nobody names origins", "set Options.Origins", &fakeSource{}, nil},
		{"an empty list", "set Options.Origins", newSource(), &transport.Options{Origins: []string{}}},
		{"the source names a bad one", "must be https", &fakeSource{origins: []string{"http://api.x.com"}}, nil},
		{"negative MaxRetries", "negative", newSource(), &transport.Options{Retry: &transport.RetryOptions{MaxRetries: -1}}},
		{"negative MaxWait", "negative", newSource(), &transport.Options{Retry: &transport.RetryOptions{MaxWait: -1}}},
		{"negative FirstWait", "negative", newSource(), &transport.Options{Retry: &transport.RetryOptions{FirstWait: -1}}},
	}
	for _, test := range tests {
		if _, err := transport.New(test.src, test.o); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("New with %s = %v, want an error with %q", test.name, err, test.says)
		}
	}
	for _, src := range []tokensource.Source{nil, (*grant.Keeper)(nil), (*grant.Source)(nil)} {
		if _, err := transport.New(src, nil); err == nil || !strings.Contains(err.Error(), "nil Source") {
			t.Errorf("New(%T(nil), nil) = %v, want an error about the nil Source", src, err)
		}
	}
	if _, err := transport.New(plainSource{}, nil); err == nil || !strings.Contains(err.Error(), "set Options.Origins") {
		t.Errorf("New(source without origins, nil) = %v, want an error that says to set Options.Origins", err)
	}
	_, err := transport.New(newSource(), &transport.Options{Origins: []string{"https://u:" + canary + "@api.x.com"}})
	exposure.Check(t, "the error about an origin with a password", err, canary)
}

// T2: A token goes only to the configured origins, over https, and never to
// another origin of a redirect.
func TestT2_WhereTheTokenGoes(t *testing.T) {
	origins := []string{"https://api.x.com", "https://alt.example:8443", "http://127.0.0.1:8080", "http://localhost", "https://[2001:db8::1]"}
	tests := []struct {
		url  string
		want bool
	}{
		{"https://api.x.com", true},
		{"https://api.x.com/2/users/me?x=y#f", true},
		{"https://api.x.com:443/2", true},
		{"https://api.x.com:/2", true},
		{"https://API.X.com/2", true},
		{"HTTPS://api.x.com/2", true}, // url.Parse writes schemes in lower case
		{"https://user:pass@api.x.com/2", true},
		{"https://alt.example:8443/", true},
		{"http://127.0.0.1:8080/", true},
		{"http://localhost/", true},
		{"http://LOCALHOST:80/", true},
		{"https://[2001:db8::1]:443/", true},
		{"https://[2001:DB8::1]/", true},

		{"http://api.x.com/2", false},
		{"http://api.x.com:443/2", false},
		{"https://api.x.com:80/2", false},
		{"https://api.x.com:8443/2", false},
		{"https://api.x.com:0443/2", false},
		{"https://x.com/", false},
		{"https://www.api.x.com/", false},
		{"https://api.x.com./", false},
		{"https://api.x.com.evil.example/", false},
		{"https://evilapi.x.com/", false},
		{"https://api.x.com@evil.example/", false},
		{"https://evil.example/https://api.x.com", false},
		{"https://evil.example/?https://api.x.com", false},
		{"https://api.x.com%2eevil.example/", false},
		{"https://api。x。com/", false},
		{"https://аpi.x.com/", false}, // the first letter is Cyrillic
		{"https://alt.example/", false},
		{"http://alt.example:8443/", false},
		{"https://127.0.0.1:8080/", false},
		{"http://127.0.0.1/", false},
		{"http://127.0.0.2:8080/", false},
		{"http://localhost:8080/", false},
		{"http://[::1]:8080/", false},
	}
	for _, test := range tests {
		u, err := url.Parse(test.url)
		if err != nil {
			continue // what cannot be parsed cannot be requested
		}
		checkGoes(t, origins, u, test.want)
	}
	checkGoes(t, origins, &url.URL{Scheme: "HTTPS", Host: "api.x.com"}, false) // http.Transport knows no such scheme
	checkGoes(t, origins, &url.URL{Scheme: "https", Host: "api.x.com", Opaque: "//evil.example/"}, false)
	checkGoes(t, []string{"https://kick.example"}, &url.URL{Scheme: "https", Host: "\u212aick.example"}, false) // the Kelvin sign
}

func checkGoes(t *testing.T, origins []string, u *url.URL, want bool) {
	t.Helper()
	base := &script{answers: []answer{{status: 401}}}
	src := newSource()
	rt := newTransport(t, src, base, transport.Options{Origins: origins, Retry: &transport.RetryOptions{}})
	req := newRequest(t, "GET", "https://placeholder.example", nil)
	req.URL = u
	roundTrip(t, rt, req)
	if got := base.sent[0].auth != nil; got != want {
		t.Errorf("the token goes to %s = %t, want %t", u, got, want)
	}
	if renewed := src.renewals.Load() > 0; renewed != want {
		t.Errorf("a 401 from %s renews the token = %t, want %t", u, renewed, want)
	}
}

func TestT2_ElsewhereTheRequestIsUntouched(t *testing.T) {
	var got *http.Request
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		got = req
		return response(req, 429, nil, ""), nil
	})
	rt := newTransport(t, newSource(), base, transport.Options{Retry: &transport.RetryOptions{}})
	req := newRequest(t, "GET", "https://other.example", nil)
	req.Header.Set("Authorization", "Basic mine")
	roundTrip(t, rt, req)
	if got != req || req.Header.Get("Authorization") != "Basic mine" {
		t.Errorf("the base got %p with %q, want the caller's %p with its own Authorization", got, got.Header, req)
	}
	if resp, err := newTransport(t, newSource(), http.DefaultTransport, transport.Options{}).RoundTrip(&http.Request{}); err == nil {
		resp.Body.Close()
		t.Error("RoundTrip of a request without URL = nil error, want the base's error")
	}
}

func TestT2_InsecureHTTP(t *testing.T) {
	base := &script{answers: []answer{{status: 200}}}
	o := transport.Options{Origins: []string{"http://api.internal"}, InsecureHTTP: true}
	rt := newTransport(t, newSource(), base, o)
	roundTrip(t, rt, newRequest(t, "GET", "http://api.internal/", nil))
	roundTrip(t, rt, newRequest(t, "GET", "https://api.internal/", nil))
	if got, want := base.auths(), "Bearer tok-1, "; got != want {
		t.Errorf("with InsecureHTTP, Authorization at http and https = %q, want %q", got, want)
	}
}

// A provider of a development setup has http endpoints, and says so once.
// Origins that the program lists need the switch of the Transport.
func TestT2_AProviderWithInsecureHTTP(t *testing.T) {
	src := describedSource{newSource(), tokensource.APIFacts{InsecureHTTP: true}}
	src.origins = []string{"http://api:8081"}
	base := &script{answers: []answer{ok200}}
	roundTrip(t, newTransport(t, src, base, transport.Options{API: &tokensource.APIFacts{}}), newRequest(t, "GET", "http://api:8081/me", nil))
	if got := base.auths(); got != "Bearer tok-1" {
		t.Errorf("Authorization at the provider's http origin = %q, want the token", got)
	}
	if _, err := transport.New(src, &transport.Options{Origins: src.origins}); err == nil || !strings.Contains(err.Error(), "must be https") {
		t.Errorf("New with an http origin of the program = %v, want a refusal", err)
	}
}

func TestT2_CallersAuthorizationIsReplaced(t *testing.T) {
	headers := []http.Header{
		{"Authorization": {"Basic mine"}},
		{"Authorization": {"Basic mine", "Bearer mine"}},
		{"authorization": {"Basic mine"}},
		{"AUTHORIZATION": {"Basic mine"}, "authorization": {"Basic mine"}, "Authorization": {"Basic mine"}},
		{"Authorization": nil},
		nil,
	}
	for _, header := range headers {
		base := &script{answers: []answer{{status: 401}, {status: 200}}}
		req := newRequest(t, "GET", "https://user:pass@api.example/", nil)
		req.Header = header
		roundTrip(t, newTransport(t, newSource(), base, transport.Options{}), req)
		if got, want := base.auths(), "Bearer tok-1, Bearer tok-2"; got != want {
			t.Errorf("Authorization for a caller with %v = %q, want %q", header, got, want)
		}
	}
}

func TestT2_TransportsStack(t *testing.T) {
	base := &script{answers: []answer{{status: 200}}}
	inner := newTransport(t, newSource().set(&oauth2.Token{AccessToken: "a"}), base, transport.Options{Origins: []string{"https://a.example"}})
	outer := newTransport(t, newSource().set(&oauth2.Token{AccessToken: "b"}), inner, transport.Options{Origins: []string{"https://b.example"}})
	for _, u := range []string{"https://a.example", "https://b.example", "https://c.example"} {
		roundTrip(t, outer, newRequest(t, "GET", u, nil))
	}
	if got, want := base.auths(), "Bearer a, Bearer b, "; got != want {
		t.Errorf("Authorization at a, b and c = %q, want %q", got, want)
	}
}
