package transport_test

import (
	"maps"
	"net/http"
	"reflect"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// TestT3_AnswersOfTheFacts has APIs whose status says too little.
func TestT3_AnswersOfTheFacts(t *testing.T) {
	asJSON := http.Header{"Content-Type": {"application/json"}}
	facts := tokensource.APIFacts{Answers: []tokensource.APIAnswer{
		{Status: 200, Where: map[string]string{"ok": "false", "error": "token_expired"}, Rejected: true},
		{Status: 401, Where: map[string]string{"message": "Client ID and*"}},
		{Status: 403, Where: map[string]string{"0.code": "BAD_TOKEN"}, Rejected: true},
	}}
	tests := []struct {
		name   string
		first  answer
		renews bool
	}{
		{"200 that rejects", answer{status: 200, header: asJSON, body: `{"ok":false,"error":"token_expired"}`}, true},
		{"200 with another error", answer{status: 200, header: asJSON, body: `{"ok":false,"error":"missing_scope"}`}, false},
		{"200 that is fine", answer{status: 200, header: asJSON, body: `{"ok":true}`}, false},
		{"200 of another type", answer{status: 200, body: `{"ok":false,"error":"token_expired"}`}, false},
		{"200 with a member twice", answer{status: 200, header: asJSON, body: `{"ok":false,"ok":true,"error":"token_expired"}`}, false},
		{"401 that no token fixes", answer{status: 401, body: `{"message":"Client ID and OAuth token do not match"}`}, false},
		{"401 of another kind", answer{status: 401, body: `{"message":"Invalid OAuth token"}`}, true},
		{"401 with a page", answer{status: 401, body: `<html>`}, true},
		{"401 without a body", answer{status: 401}, true},
		{"403 with a list that rejects", answer{status: 403, body: `[{"code":"BAD_TOKEN"}]`}, true},
		{"403 of another kind", answer{status: 403, body: `[{"code":"FORBIDDEN"}]`}, false},
	}
	for _, tt := range tests {
		base := &script{answers: []answer{tt.first, ok200}}
		rt := newTransport(t, newSource(), base, transport.Options{API: &facts})
		status, body := roundTrip(t, rt, newRequest(t, "GET", api, nil))
		want := "Bearer tok-1"
		if tt.renews {
			want = "Bearer tok-1, Bearer tok-2"
		}
		if base.auths() != want || !tt.renews && (status != tt.first.status || body != tt.first.body) {
			t.Errorf("%s: RoundTrip = %d %q after %q, want %q", tt.name, status, body, base.auths(), want)
		}
	}
}

// TestHeadersOfTheFacts has APIs that want the token elsewhere, or more than
// the token.
func TestHeadersOfTheFacts(t *testing.T) {
	tests := []struct {
		name  string
		facts tokensource.APIFacts
		own   http.Header // of the caller
		want  map[string]string
	}{
		{"a header more", tokensource.APIFacts{Headers: map[string]string{"client-id": "app"}}, nil,
			map[string]string{"Authorization": "Bearer tok-1", "Client-Id": "app"}},
		{"the caller's own header stays", tokensource.APIFacts{Headers: map[string]string{"Notion-Version": "1"}}, http.Header{"Notion-Version": {"2"}},
			map[string]string{"Authorization": "Bearer tok-1", "Notion-Version": "2"}},
		{"another scheme", tokensource.APIFacts{TokenScheme: "Zoho-oauthtoken"}, nil, map[string]string{"Authorization": "Zoho-oauthtoken tok-1"}},
		{"another header", tokensource.APIFacts{TokenHeader: "X-Shopify-Access-Token"}, http.Header{"Authorization": {"Basic own"}},
			map[string]string{"Authorization": "", "X-Shopify-Access-Token": "tok-1"}},
		{"another header and a scheme", tokensource.APIFacts{TokenHeader: "X-Token", TokenScheme: "Token"}, nil,
			map[string]string{"Authorization": "", "X-Token": "Token tok-1"}},
	}
	for _, tt := range tests {
		base := &script{answers: []answer{ok200}}
		req := newRequest(t, "GET", api, nil)
		maps.Copy(req.Header, tt.own)
		roundTrip(t, newTransport(t, newSource(), base, transport.Options{API: &tt.facts}), req)
		for name, want := range tt.want {
			if got := base.sent[0].header.Get(name); got != want {
				t.Errorf("%s: the request has %s %q, want %q", tt.name, name, got, want)
			}
		}
		if req.Header.Get("Authorization") != tt.own.Get("Authorization") {
			t.Errorf("%s: the caller's request was modified", tt.name)
		}
	}
}

// A program may write names of headers in any case. A request has one token and
// one value of each header that the facts name, also then.
func TestT2_AHeaderOfTheFactsInAnotherCase(t *testing.T) {
	facts := tokensource.APIFacts{TokenHeader: "X-Shopify-Access-Token", Headers: map[string]string{"Notion-Version": "1"}}
	own := http.Header{"x-shopify-access-token": {"own"}, "X-SHOPIFY-ACCESS-TOKEN": {"own"}, "AUTHORIZATION": {"own"}, "notion-version": {"2"}}
	base := &script{answers: []answer{ok200}}
	req := newRequest(t, "GET", api, nil)
	maps.Copy(req.Header, own)
	roundTrip(t, newTransport(t, newSource(), base, transport.Options{API: &facts}), req)
	want := http.Header{"X-Shopify-Access-Token": {"tok-1"}, "notion-version": {"2"}}
	if got := base.sent[0].header; !reflect.DeepEqual(got, want) {
		t.Errorf("headers %v were sent as %v, want %v", own, got, want)
	}
	if !reflect.DeepEqual(req.Header, own) {
		t.Errorf("the caller's request has headers %v, want %v", req.Header, own)
	}
}

// grantSource has a token whose grant names an origin.
type grantSource struct {
	*fakeSource
	origin string
}

func (s grantSource) APIFacts() tokensource.APIFacts {
	return tokensource.APIFacts{GrantHosts: []string{"*.force.example"}}
}

func (s grantSource) APIOrigins(tok *oauth2.Token) []string {
	if tok == nil {
		return []string{"https://login.example"}
	}
	return []string{"https://login.example", s.origin}
}

func (s grantSource) Endpoints() []string { return []string{"https://na1.force.example/token"} }

// TestT2_OriginOfTheGrant sends a token to the origin of its own grant, and to
// no other one.
func TestT2_OriginOfTheGrant(t *testing.T) {
	for url, sends := range map[string]bool{
		"https://login.example/a":         true,
		"https://na1.force.example/a":     true,
		"https://na1.force.example:443/a": true,
		"https://na2.force.example/a":     false,
		"https://na1.force.example/token": false,
		"http://na1.force.example/a":      false,
		"https://na1.force.example:8443/": false,
		"https://other.example/a":         false,
	} {
		base := &script{answers: []answer{ok200}}
		rt := newTransport(t, grantSource{newSource(), "https://na1.force.example"}, base, transport.Options{})
		roundTrip(t, rt, newRequest(t, "GET", url, nil))
		if got := base.sent[0].header.Get("Authorization") != ""; got != sends {
			t.Errorf("%s: the request has a token: %v, want %v", url, got, sends)
		}
	}
}
