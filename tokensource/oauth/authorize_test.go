package oauth_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/wire"
)

// The verifier and the challenge of RFC 7636 appendix B.
const (
	rfcVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfcChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// authorizationQuery builds an authorization URL and returns its parts.
func authorizationQuery(t *testing.T, s setting, state, verifier string, params url.Values) (*url.URL, url.Values) {
	t.Helper()
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := client.Authorize(t.Context(), state, verifier, params)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	return u, q
}

func TestAuthorize(t *testing.T) {
	base := func(s setting) map[string]string {
		return map[string]string{
			"response_type": "code", "client_id": s.r.ClientID, "redirect_uri": s.r.RedirectURL, "state": "st4te",
			"scope":          "tweet.read users.read offline.access",
			"code_challenge": rfcChallenge, "code_challenge_method": "S256",
		}
	}
	tests := []struct {
		name   string
		s      setting
		change func(*setting)
		params url.Values
		expect func(map[string]string)
	}{
		{name: "confidential client", s: confidential()},
		{name: "public client", s: public()},
		{name: "generic provider", s: generic()},
		{
			name: "no scope is added", s: confidential(),
			change: func(s *setting) { s.r.Scopes = nil },
			expect: func(m map[string]string) { delete(m, "scope") },
		},
		{
			name: "the endpoint's own query stays", s: confidential(),
			change: func(s *setting) { s.p.AuthorizationURL += "?tenant=a%26b&x=" },
			expect: func(m map[string]string) { m["tenant"], m["x"] = "a&b", "" },
		},
		{
			name: "what the endpoint's query has of ours is replaced", s: confidential(),
			change: func(s *setting) { s.p.AuthorizationURL += "?client_id=other&state=s&code_challenge_method=plain" },
		},
		{
			name: "further parameters", s: confidential(), params: url.Values{"prompt": {"consent"}, "login_hint": {"a b+c&d=\u00e9"}},
			expect: func(m map[string]string) { m["prompt"], m["login_hint"] = "consent", "a b+c&d=\u00e9" },
		},
		{
			name: "parameters that are empty", s: confidential(), params: url.Values{"acr_values": {""}, "prompt": {" "}, "max_age": {}, "hd": nil},
		},
		{
			name: "an empty parameter that the endpoint's query and the provider have", s: confidential(), params: url.Values{"acr_values": {""}, "prompt": {""}},
			change: func(s *setting) {
				s.p.AuthorizationURL += "?acr_values=gold"
				s.p.AuthorizationParams = url.Values{"prompt": {"consent"}}
			},
			expect: func(m map[string]string) { m["acr_values"], m["prompt"] = "gold", "consent" },
		},
		{
			name: "redirect URI byte for byte", s: confidential(),
			change: func(s *setting) { s.r.RedirectURL = "https://App.Example:443/a%2Fb/?q=1&r=a+b" },
			expect: func(m map[string]string) { m["redirect_uri"] = "https://App.Example:443/a%2Fb/?q=1&r=a+b" },
		},
	}
	for _, tt := range tests {
		want := base(tt.s)
		if tt.change != nil {
			tt.change(&tt.s)
		}
		if tt.expect != nil {
			tt.expect(want)
		}
		u, q := authorizationQuery(t, tt.s, "st4te", rfcVerifier, tt.params)
		wire.WantParams(t, tt.name, q, want)
		if got := u.Scheme + "://" + u.Host + u.Path; got != "https://x.com/i/oauth2/authorize" {
			t.Errorf("%s: endpoint = %s", tt.name, got)
		}
		if strings.Contains(u.RawQuery, "+") || strings.Contains(u.String(), rfcVerifier) || u.Fragment != "" {
			t.Errorf("%s: %s has a plus for a space, the verifier or a fragment", tt.name, u)
		}
		if strings.Contains(u.String(), secret) {
			t.Errorf("%s: the secret is in the URL", tt.name)
		}
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	tests := []struct {
		name            string
		state, verifier string
		params          url.Values
		want            string
	}{
		{"no state", "", rfcVerifier, nil, "RFC 6749 section 10.12"},
		{"state longer than X takes", strings.Repeat("s", 501), rfcVerifier, nil, "501 characters"},
		{"no verifier", "st4te", "", nil, "oauth2.GenerateVerifier"},
		{"verifier too short", "st4te", rfcVerifier[:42], nil, "oauth2.GenerateVerifier"},
		{"verifier too long", "st4te", strings.Repeat("v", 129), nil, "oauth2.GenerateVerifier"},
		{"verifier with plus", "st4te", rfcVerifier + "+", nil, "oauth2.GenerateVerifier"},
		{"verifier with space inside", "st4te", "a b" + rfcVerifier, nil, "oauth2.GenerateVerifier"},
		{"the verifier as the state", rfcVerifier, rfcVerifier, nil, "must not be in a URL"},
		{"verifier beyond ASCII", "st4te", rfcVerifier[:20] + "\u00e9" + rfcVerifier[20:], nil, "oauth2.GenerateVerifier"},
	}
	for _, name := range []string{
		"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
		"request", "request_uri", "dpop_jkt",
	} {
		tests = append(tests, struct {
			name            string
			state, verifier string
			params          url.Values
			want            string
		}{"parameter " + name, "st4te", rfcVerifier, url.Values{"prompt": {"none"}, name: {"x"}}, `"` + name + `"`})
	}
	client, err := confidential().client()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		got, err := client.Authorize(t.Context(), tt.state, tt.verifier, tt.params)
		if err == nil || !strings.Contains(err.Error(), tt.want) || got != "" {
			t.Errorf("AuthorizationURL(%s) = %q, %v, want an error with %q", tt.name, got, err, tt.want)
		} else if tt.verifier != "" && strings.Contains(err.Error(), tt.verifier) {
			t.Errorf("AuthorizationURL(%s) = %v: it shows the verifier", tt.name, err)
		}
	}
}

func TestAuthorizationURLRefusesAParameterOfTheEndpoint(t *testing.T) {
	s := confidential()
	s.p.AuthorizationURL += "?tenant=1"
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Authorize(t.Context(), "st4te", rfcVerifier, url.Values{"tenant": {"2"}})
	if err == nil || !strings.Contains(err.Error(), "tenant") {
		t.Errorf("AuthorizationURL(tenant twice) = %v, want an error", err)
	}
}

func TestAuthorizeTakes(t *testing.T) {
	tests := []struct{ name, state, verifier string }{
		{"the longest state at X", strings.Repeat("s", 500), rfcVerifier},
		{"characters, not bytes", strings.Repeat("\u00e9", 500), rfcVerifier},
		{"a state to encode", "a b+c&d=e%20/?#\u00e9", rfcVerifier},
		{"the shortest verifier", "st4te", rfcVerifier},
		{"the longest verifier", "st4te", strings.Repeat("-._~", 32)},
		{"a generated verifier", "st4te", oauth2.GenerateVerifier()},
	}
	for _, tt := range tests {
		_, q := authorizationQuery(t, confidential(), tt.state, tt.verifier, nil)
		if got := q.Get("state"); got != tt.state {
			t.Errorf("%s: state = %q, want %q", tt.name, got, tt.state)
		}
		if got, want := q.Get("code_challenge"), oauth2.S256ChallengeFromVerifier(tt.verifier); got != want {
			t.Errorf("%s: code_challenge = %q, want %q", tt.name, got, want)
		}
	}
}

// Two requests of one client share nothing that is theirs, and building one
// leaves the caller's parameters alone.
func TestTwoRequestsOfAClientShareNothing(t *testing.T) {
	params := url.Values{"audience": {"https://api.example/a", "https://api.example/b"}}
	before := maps.Clone(params)
	_, first := authorizationQuery(t, generic(), "one", oauth2.GenerateVerifier(), params)
	_, second := authorizationQuery(t, generic(), "two", oauth2.GenerateVerifier(), nil)
	if first.Get("code_challenge") == second.Get("code_challenge") || first.Get("state") == second.Get("state") || second.Has("audience") {
		t.Errorf("two requests share values: %v, %v", first, second)
	}
	if got := first["audience"]; !slices.Equal(got, before["audience"]) {
		t.Errorf("audience = %q, want both", got)
	}
	if len(params) != 1 || len(params["audience"]) != 2 {
		t.Errorf("the caller's parameters are now %v", params)
	}
}
