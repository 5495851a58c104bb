package oauthtest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// keyed is an app that authenticates with an assertion.
var keyed = oauthtest.App{ClientID: "keyed", RedirectURLs: []string{"https://app.example/callback"}, Auth: "private_key_jwt"}

// named takes assertions that are the client ID and the audience.
type named struct{}

func (named) VerifyAssertion(assertion, audience string, _ time.Time) (string, error) {
	id, ok := strings.CutSuffix(assertion, " for "+audience)
	if !ok {
		return "", errors.New("another audience")
	}
	return id, nil
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// pusher is a server that takes pushed requests only.
func pusher(t *testing.T, change func(*oauthtest.Options)) *oauthtest.Server {
	t.Helper()
	o := &oauthtest.Options{
		Apps: []oauthtest.App{oauthtest.ConfidentialApp(), oauthtest.PublicApp(), keyed}, Assertions: named{},
		Provider: &provider.Provider{
			Name: "pusher", Issuer: "https://auth.example", AuthorizationURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token",
			PushedAuthorizationURL: "https://auth.example/par", RequirePushed: true, ClientAuth: provider.Post,
		},
	}
	if change != nil {
		change(o)
	}
	return oauthtest.New(t, o)
}

// request is a good authorization request of the public app, with changes. An
// empty value removes a parameter.
func request(changes url.Values) url.Values {
	form := url.Values{
		"response_type": {"code"}, "client_id": {oauthtest.PublicApp().ClientID}, "redirect_uri": {"https://app.example/callback"}, "state": {"s"},
	}
	for name, values := range changes {
		form[name] = values
		if values == nil {
			delete(form, name)
		}
	}
	return form
}

// posted returns the status of an answer to a form, and its JSON.
func posted(t *testing.T, s *oauthtest.Server, endpoint string, form url.Values) (status int, body map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestPush(t *testing.T) {
	secret := oauthtest.ConfidentialApp()
	for name, tt := range map[string]struct {
		changes url.Values
		status  int
		code    any
	}{
		"a public app":                  {nil, 201, nil},
		"an app with its secret":        {url.Values{"client_id": {secret.ClientID}, "client_secret": {secret.Secret()}}, 201, nil},
		"an app without its secret":     {url.Values{"client_id": {secret.ClientID}}, 401, "invalid_client"},
		"an unknown app":                {url.Values{"client_id": {"x"}}, 401, "invalid_client"},
		"a request_uri":                 {url.Values{"request_uri": {"urn:x"}}, 400, "invalid_request"},
		"an unknown redirect URL":       {url.Values{"redirect_uri": {"https://evil.example"}}, 400, "invalid_request"},
		"no response type":              {url.Values{"response_type": nil}, 400, "invalid_request"},
		"another response type":         {url.Values{"response_type": {"token"}}, 400, "unsupported_response_type"},
		"a parameter twice":             {url.Values{"state": {"a", "b"}}, 400, "invalid_request"},
		"an app with an assertion":      {url.Values{"client_id": {"keyed"}, "client_assertion_type": {assertionType}, "client_assertion": {"keyed for https://auth.example"}}, 201, nil},
		"an assertion for another one":  {url.Values{"client_id": {"keyed"}, "client_assertion_type": {assertionType}, "client_assertion": {"keyed for https://evil.example"}}, 401, "invalid_client"},
		"an assertion of another app":   {url.Values{"client_id": {"keyed"}, "client_assertion_type": {assertionType}, "client_assertion": {"x for https://auth.example"}}, 401, "invalid_client"},
		"an assertion without its type": {url.Values{"client_id": {"keyed"}, "client_assertion": {"keyed for https://auth.example"}}, 401, "invalid_client"},
		"an assertion and a secret": {
			url.Values{"client_id": {"keyed"}, "client_assertion_type": {assertionType}, "client_assertion": {"keyed for https://auth.example"}, "client_secret": {"x"}},
			401, "invalid_client",
		},
		"no assertion":                 {url.Values{"client_id": {"keyed"}}, 401, "invalid_client"},
		"an assertion of a public app": {url.Values{"client_assertion_type": {assertionType}, "client_assertion": {"x for https://auth.example"}}, 401, "invalid_client"},
	} {
		status, body := posted(t, pusher(t, nil), "https://auth.example/par", request(tt.changes))
		if status != tt.status || body["error"] != tt.code {
			t.Errorf("a push of %s = %d %v, want %d %v", name, status, body["error"], tt.status, tt.code)
		}
		if _, ok := body["request_uri"].(string); ok != (tt.status == 201) || ok && body["expires_in"] != 60.0 {
			t.Errorf("a push of %s = %v, want a request_uri for 60 seconds: %v", name, body, tt.status == 201)
		}
	}
}

// Without a verifier no assertion is good.
func TestNoVerifierOfAssertions(t *testing.T) {
	s := pusher(t, func(o *oauthtest.Options) { o.Assertions = nil })
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"keyed"}, "client_assertion_type": {assertionType}, "client_assertion": {"keyed for https://auth.example"},
	}
	if status, _ := posted(t, s, "https://auth.example/token", form); status != http.StatusUnauthorized {
		t.Errorf("a token request with an assertion = %d, want 401", status)
	}
	if status, _ := posted(t, pusher(t, nil), "https://auth.example/token", form); status != http.StatusOK {
		t.Errorf("a token request with an assertion at a server that verifies = %d, want 200", status)
	}
}

// The server takes each pushed request once, for its own app, in its time.
func TestARequestURIIsUsedOnce(t *testing.T) {
	id := oauthtest.PublicApp().ClientID
	for name, tt := range map[string]struct {
		query func(uri string) url.Values
		wait  time.Duration
		ok    bool
	}{
		"in time":            {func(uri string) url.Values { return url.Values{"client_id": {id}, "request_uri": {uri}} }, 59 * time.Second, true},
		"too late":           {func(uri string) url.Values { return url.Values{"client_id": {id}, "request_uri": {uri}} }, time.Minute, false},
		"of another app":     {func(uri string) url.Values { return url.Values{"client_id": {"keyed"}, "request_uri": {uri}} }, 0, false},
		"without an app":     {func(uri string) url.Values { return url.Values{"request_uri": {uri}} }, 0, false},
		"unknown":            {func(uri string) url.Values { return url.Values{"client_id": {id}, "request_uri": {uri + "x"}} }, 0, false},
		"in the query alone": {func(string) url.Values { return request(nil) }, 0, false},
	} {
		now := time.Now()
		s := pusher(t, func(o *oauthtest.Options) { o.Clock = func() time.Time { return now } })
		_, body := posted(t, s, "https://auth.example/par", request(nil))
		uri, _ := body["request_uri"].(string)
		s.Advance(tt.wait)
		target := "https://auth.example/authorize?" + tt.query(uri).Encode()
		if back, err := s.Authorize(t.Context(), "", target); (err == nil) != tt.ok {
			t.Errorf("a request_uri %s = %q, %v, want success: %v", name, back, err, tt.ok)
		}
		if back, err := s.Authorize(t.Context(), "", target); err == nil {
			t.Errorf("a request_uri %s, a second time = %q, want an error", name, back)
		}
	}
}

func TestResourcesOfAServer(t *testing.T) {
	app := oauthtest.ConfidentialApp()
	for name, tt := range map[string]struct {
		change    func(*oauthtest.Options)
		resources []string
		ok        bool
	}{
		"a known one":                     {func(o *oauthtest.Options) { o.Resources = []string{"urn:a", "urn:b"} }, []string{"urn:b"}, true},
		"two known ones":                  {func(o *oauthtest.Options) { o.Resources = []string{"urn:a", "urn:b"} }, []string{"urn:b", "urn:a"}, true},
		"an unknown one":                  {func(o *oauthtest.Options) { o.Resources = []string{"urn:a"} }, []string{"urn:b"}, false},
		"none":                            {func(o *oauthtest.Options) { o.Resources = []string{"urn:a"} }, nil, true},
		"none where one is required":      {func(o *oauthtest.Options) { o.RequireResource = true }, nil, false},
		"any where one is required":       {func(o *oauthtest.Options) { o.RequireResource = true }, []string{"urn:x"}, true},
		"one at a server that takes none": {func(o *oauthtest.Options) { o.Provider.NoResource = true }, []string{"urn:x"}, false},
	} {
		status, body := posted(t, pusher(t, tt.change), "https://auth.example/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.Secret()}, "resource": tt.resources,
		})
		if (status == 200) != tt.ok || !tt.ok && body["error"] != "invalid_target" {
			t.Errorf("a request for %s = %d %v, want success: %v", name, status, body["error"], tt.ok)
		}
	}
}
