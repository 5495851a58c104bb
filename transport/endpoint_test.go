package transport_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// scopedSource names endpoints, and origins that came with the grant.
type scopedSource struct {
	*fakeSource
	endpoints []string
	granted   map[string][]string // by access token
	calls     int                 // of Token
}

func (s *scopedSource) Endpoints() []string { return s.endpoints }

func (s *scopedSource) Token(ctx context.Context) (*oauth2.Token, error) {
	s.calls++
	return s.fakeSource.Token(ctx)
}

func (s *scopedSource) APIOrigins(tok *oauth2.Token) []string {
	if tok == nil {
		return s.origins
	}
	return append(s.granted[tok.AccessToken], s.origins...)
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
		{api + "/OAuth2/token", true},
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

func TestEndpointsThatCannotBe(t *testing.T) {
	for _, raw := range []string{"", "/token", "https://", "https://as.example:port/t", "mailto:a@as.example", "\x00"} {
		src := &scopedSource{fakeSource: newSource(), endpoints: []string{raw}}
		if rt, err := transport.New(src, nil); err == nil || rt != nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("New with endpoint %q = %v, want an error about the endpoint", raw, err)
		}
	}
}

// T2: A token goes to the origins that came with its own grant, if they are
// https and the program has not set any.
func TestT2_OriginsOfTheGrant(t *testing.T) {
	const mine, other = "https://mine.example", "https://other.example"
	granted := map[string][]string{"tok-1": {mine, "http://plain.example", "http://127.0.0.1", "no origin", "https://a.example/path"}, "tok-9": {other}}
	tests := []struct {
		name string
		src  *scopedSource
		o    transport.Options
		url  string
		want string
	}{
		{name: "of the provider", url: api, want: "Bearer tok-1"},
		{name: "of this grant", url: mine + "/a", want: "Bearer tok-1"},
		{name: "of another grant", url: other},
		{name: "http", url: "http://plain.example"},
		{name: "http on loopback", url: "http://127.0.0.1"},
		{name: "not an origin", url: "https://a.example/path"},
		{name: "nobody's", url: "https://evil.example"},
		{name: "a subdomain", url: "https://sub.mine.example"},
		{name: "an endpoint there", url: mine + "/token"},
		{name: "the program's own origins", o: transport.Options{Origins: []string{api}}, url: mine},
		{name: "no token", src: &scopedSource{fakeSource: &fakeSource{origins: []string{api}, tokenErr: tokensource.ErrNoSubject}}, url: mine},
		{name: "neither token nor error", src: &scopedSource{fakeSource: newSource().set(nil), granted: granted}, url: mine},
	}
	for _, tt := range tests {
		src := tt.src
		if src == nil {
			src = &scopedSource{fakeSource: newSource(), granted: granted, endpoints: []string{mine + "/token"}}
		}
		base := &script{answers: []answer{ok200}}
		status, _ := roundTrip(t, newTransport(t, src, base, tt.o), newRequest(t, "GET", tt.url, nil))
		if got := base.auths(); got != tt.want || status != 200 {
			t.Errorf("%s: GET %s = %d, sent with %q, want %q", tt.name, tt.url, status, got, tt.want)
		}
	}
}

// Where the program has set the origins, requests elsewhere ask for no token.
func TestElsewhereNoTokenIsAskedFor(t *testing.T) {
	src := &scopedSource{fakeSource: newSource()}
	rt := newTransport(t, src, &script{answers: []answer{ok200}}, transport.Options{Origins: []string{api}})
	roundTrip(t, rt, newRequest(t, "GET", "https://elsewhere.example", nil))
	if src.calls != 0 {
		t.Errorf("Token was called %d times, want none", src.calls)
	}
}
