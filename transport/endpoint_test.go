package transport_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// scopedSource names endpoints.
type scopedSource struct {
	*fakeSource
	endpoints []string
	calls     int // of Token
}

func (s *scopedSource) Endpoints() []string { return s.endpoints }

func (s *scopedSource) Token(ctx context.Context) (*oauth2.Token, error) {
	s.calls++
	return s.fakeSource.Token(ctx)
}

// T9: A request to an endpoint of the authorization server passes without a
// token, also where the server and the API have the same origin.
func TestT9_EndpointsGetNoToken(t *testing.T) {
	src := &scopedSource{fakeSource: newSource(), endpoints: []string{
		api + "/oauth2/token", "https://API.example:443/revoke?tenant=1", "https://root.example", "https://as.example/token",
	}}
	src.origins = []string{api, "https://root.example"}
	tests := []struct {
		url   string
		stamp bool
	}{
		{api + "/oauth2/token", false},
		{api + "/oauth2/token?x=1", false},
		{api + "/oauth2/%74oken", false},
		{"https://API.EXAMPLE:443/oauth2/token", false},
		{api + "/revoke", false},
		{"https://root.example", false},
		{"https://root.example/", false},
		{"https://root.example/me", true},
		{"https://as.example/token", false},
		{api + "/oauth2/tokens", true},
		{api + "/oauth2/token/1", true},
		{api + "/OAuth2/Token", false},
		{api + "/oauth2/token/", false},
		{api + "//oauth2/token", false},
		{api + "/oauth2//token//", false},
		{api + "/oauth2/./token", false},
		{api + "/x/../oauth2/token", false},
		{api + "/oauth2%2Ftoken", false},
		{api + ":443/oauth2/token?grant_type=refresh_token#f", false},
		{"https://API.example/REVOKE?tenant=2&x=y", false},
		{"https://root.example:443//", false},
		{api + "/oauth2/token;a=b", false},
		{api + "/oauth2;a=b/token;", false},
		{api + "/oauth2/x;a=b/..;c/token", false},
		{api + "/oauth2/tokens;a=b", true},
		{api + "/oauth2/x;/token", true},
		{api + "/oauth2/token.json", true},
		{api + "/v1/oauth2/token", true},
		{api, true},
		{api + "/me", true},
	}
	for _, o := range []transport.Options{{}, {Origins: []string{api, "https://root.example", "https://as.example"}}} {
		for _, tt := range tests {
			base := &script{answers: []answer{ok200}}
			src.calls = 0
			req := newRequest(t, "POST", tt.url, strings.NewReader("grant_type=refresh_token"))
			req.Header.Set("Authorization", "Basic mine")
			roundTrip(t, newTransport(t, src, base, o), req)
			want := "Basic mine"
			if tt.stamp {
				want = "Bearer tok-1"
			}
			if got := base.auths(); got != want {
				t.Errorf("POST %s was sent with %q, want %q", tt.url, got, want)
			}
		}
	}
}

// An origin and the endpoint there may be spelled in two ways.
func TestT9_AnEndpointAtAnOriginInAnotherSpelling(t *testing.T) {
	for _, tt := range []struct{ origin, endpoint string }{
		{"https://api.example", "https://API.example:443/token"},
		{"https://api.example:443", "https://api.example/token"},
		{"https://API.example:443", "https://api.example/token"},
		{"https://api.example:8443", "https://api.example:8443/token"},
		{"http://localhost", "http://localhost:80/token"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/token"},
	} {
		src := &scopedSource{fakeSource: newSource(), endpoints: []string{tt.endpoint}}
		base := &script{answers: []answer{ok200}}
		rt := newTransport(t, src, base, transport.Options{Origins: []string{tt.origin}})
		for _, url := range []string{tt.origin + "/token", tt.endpoint, tt.origin + "/me"} {
			roundTrip(t, rt, newRequest(t, "POST", url, nil))
		}
		if got := base.auths(); got != ", , Bearer tok-1" {
			t.Errorf("endpoint %s, origin %s: Authorization at two spellings of the endpoint and at /me = %q, want one at /me", tt.endpoint, tt.origin, got)
		}
	}
}

// A program may make a URL without url.Parse. What is sent counts.
func TestT9_AnEndpointInAURLMadeByHand(t *testing.T) {
	src := &scopedSource{fakeSource: newSource(), endpoints: []string{api + "/token"}}
	rt := func(base http.RoundTripper) http.RoundTripper { return newTransport(t, src, base, transport.Options{}) }
	for _, tt := range []struct {
		url  url.URL
		want string
	}{
		{url.URL{Path: "token"}, ""},
		{url.URL{Path: "./token"}, ""},
		{url.URL{Path: "x/../token"}, ""},
		{url.URL{Path: "/token", RawPath: "/me"}, ""},
		{url.URL{Path: "/token", RawPath: "/%74oken"}, ""},
		{url.URL{Path: "/token", User: url.UserPassword("a", "b"), ForceQuery: true}, ""},
		{url.URL{Path: "/me", RawPath: "/token"}, "Bearer tok-1"},
		{url.URL{Path: "me"}, "Bearer tok-1"},
	} {
		base := &script{answers: []answer{ok200}}
		req := newRequest(t, "POST", api, nil)
		tt.url.Scheme, tt.url.Host = "https", "api.example"
		req.URL = &tt.url
		roundTrip(t, rt(base), req)
		if got := base.auths(); got != tt.want {
			t.Errorf("POST %#v was sent with %q, want %q", tt.url, got, tt.want)
		}
	}
}

// An endpoint's request passes as it is: the very same request reaches the
// base.
func TestT9_TheRequestIsNotEvenCopied(t *testing.T) {
	src := &scopedSource{fakeSource: newSource(), endpoints: []string{api + "/token"}}
	req := newRequest(t, "POST", api+"/token", strings.NewReader("body"))
	rt := newTransport(t, src, baseFunc(func(got *http.Request) (*http.Response, error) {
		if got != req {
			t.Error("the base got another request")
		}
		return response(got, 401, nil, ""), nil
	}), transport.Options{})
	if status, _ := roundTrip(t, rt, req); status != 401 || src.calls != 0 || src.asked.Load() != 0 {
		t.Errorf("RoundTrip = %d after %d tokens and %d renewals, want 401 and none", status, src.calls, src.asked.Load())
	}
}

// A library may fetch the app's own token at X with Basic, through the client
// that has the user's token. Its credential stays, under both host names of X.
func TestT9_AnAppTokenOfXIsFetchedWithBasic(t *testing.T) {
	x := provider.X()
	src := &scopedSource{fakeSource: newSource(), endpoints: x.Endpoints()}
	src.origins = x.APIOrigins
	for _, host := range []string{"https://api.x.com", "https://api.twitter.com", "https://API.X.com:443"} {
		for _, path := range []string{"/oauth2/token", "/oauth2/token?grant_type=client_credentials", "/oauth2/invalidate_token", "/2/oauth2/token", "/2/oauth2/revoke"} {
			base := &script{answers: []answer{ok200}}
			req := newRequest(t, "POST", host+path, strings.NewReader("grant_type=client_credentials"))
			req.SetBasicAuth("key", "secret")
			roundTrip(t, newTransport(t, src, base, transport.Options{}), req)
			if got := base.auths(); !strings.HasPrefix(got, "Basic ") {
				t.Errorf("POST %s%s was sent with %q, want Basic", host, path, got)
			}
		}
	}
}

// A source that names no endpoints, such as one of another library, has those
// of the options.
func TestT9_EndpointsOfTheOptions(t *testing.T) {
	base := &script{answers: []answer{ok200}}
	rt := newTransport(t, plainSource{&oauth2.Token{AccessToken: "a"}}, base, transport.Options{
		Origins: []string{api}, Endpoints: []string{api + "/token", "https://as.example/device"},
	})
	for _, path := range []string{"/token", "/TOKEN/?x=y", "/me"} {
		roundTrip(t, rt, newRequest(t, "POST", api+path, nil))
	}
	if got := base.auths(); got != ", , Bearer a" {
		t.Errorf("Authorization at two spellings of the endpoint and at /me = %q, want one at /me", got)
	}
}

func TestEndpointsThatCannotBe(t *testing.T) {
	for _, raw := range []string{"", "/token", "https://", "https://as.example:port/t", "mailto:a@as.example", "\x00"} {
		src := &scopedSource{fakeSource: newSource(), endpoints: []string{raw}}
		if rt, err := transport.New(src, nil); err == nil || rt != nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("New with endpoint %q = %v, want an error about the endpoint", raw, err)
		}
		if rt, err := transport.New(newSource(), &transport.Options{Endpoints: []string{raw}}); err == nil || rt != nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("New with endpoint %q in the options = %v, want an error about the endpoint", raw, err)
		}
	}
}

// Elsewhere no token is asked for: a renewal under way must not delay a request
// that gets no token.
func TestElsewhereNoTokenIsAskedFor(t *testing.T) {
	src := &scopedSource{fakeSource: newSource()}
	rt := newTransport(t, src, &script{answers: []answer{ok200}}, transport.Options{})
	roundTrip(t, rt, newRequest(t, "GET", "https://elsewhere.example", nil))
	if src.calls != 0 {
		t.Errorf("Token was called %d times, want none", src.calls)
	}
}
