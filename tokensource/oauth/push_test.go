package oauth_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// pushing is a server that takes pushed requests only, and an app of it.
func pushing() (oauthtest.Options, oauth.Registration) {
	app := oauthtest.ConfidentialApp()
	o := oauthtest.Options{RequirePKCE: true, RequireState: true, Provider: &provider.Provider{
		Name: "pushing", Issuer: "https://auth.example", IssuerRequired: true,
		AuthorizationURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token",
		RevocationURL: "https://auth.example/revoke", PushedAuthorizationURL: "https://auth.example/par", RequirePushed: true,
	}}
	return o, oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0], Scopes: []string{"read", "write"},
	}
}

// at returns a fake with the options o, and a client for it.
func at(t *testing.T, o oauthtest.Options, r oauth.Registration) (*oauthtest.Server, *oauth.Client) {
	t.Helper()
	fake := oauthtest.New(t, &o)
	client, err := oauth.New(fake.Provider(""), r, &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	return fake, client
}

// codeFor has the user agree to the request at authorize, and returns the code.
func codeFor(t *testing.T, fake *oauthtest.Server, authorize string) string {
	t.Helper()
	callback, err := fake.Authorize(t.Context(), "", authorize)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code")
}

func TestAuthorizePushesTheRequest(t *testing.T) {
	o, r := pushing()
	fake, client := at(t, o, r)
	verifier := oauth2.GenerateVerifier()
	login, err := client.Authorize(t.Context(), "a-state", verifier, url.Values{"login_hint": {"alice"}})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(u.Query()))
	if !slices.Equal(names, []string{"client_id", "request_uri"}) || u.Query().Get("client_id") != r.ClientID {
		t.Errorf("the URL has the parameters %q, want client_id and request_uri", names)
	}
	push := fake.Requests()[0]
	wire.WantParams(t, "push", push.Raw().PostForm, map[string]string{
		"response_type": "code", "client_id": r.ClientID, "redirect_uri": r.RedirectURL, "scope": "read write", "state": "a-state",
		"code_challenge": oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method": "S256", "login_hint": "alice",
	})
	wire.WantBackChannel(t, "push", push.Raw().Header, wire.Basic(r.ClientID, secret))
	if _, err := client.Exchange(t.Context(), codeFor(t, fake, login), verifier); err != nil {
		t.Errorf("Exchange() = %v, want tokens", err)
	}
	if _, err := fake.Authorize(t.Context(), "", login); err == nil {
		t.Error("the fake took one request_uri twice: it does not play what RFC 9126 section 4 says")
	}
}

// Each login pushes a request of its own.
func TestAuthorizePushesAnewForEachLogin(t *testing.T) {
	o, r := pushing()
	fake, client := at(t, o, r)
	seen := map[string]bool{}
	for _, state := range []string{"one", "two", "two"} {
		login, err := client.Authorize(t.Context(), state, oauth2.GenerateVerifier(), nil)
		if err != nil || seen[login] {
			t.Fatalf("Authorize() = %q, %v, want a new URL", login, err)
		}
		seen[login] = true
	}
	if n := len(fake.Requests()); n != 3 {
		t.Errorf("%d requests were pushed for 3 logins", n)
	}
}

// TestAFailedPushHasNoOtherWay: whatever the server answers, there is no URL
// with the parameters in it.
func TestAFailedPushHasNoOtherWay(t *testing.T) {
	const good = `{"request_uri":"urn:example:1","expires_in":60}`
	tests := []struct {
		name  string
		fault oauthtest.Fault
		kind  error
		after time.Duration // RetryAfter
	}{
		{"201 with everything", wire.JSON(201, good), nil, 0},
		{"200 with everything", wire.JSON(200, good), nil, 0},
		{"202 with everything", wire.JSON(202, good), nil, 0},
		{"200 with HTML", oauthtest.Fault{Status: 200, Body: "<html>"}, tokensource.ErrTemporary, 0},
		{"200 with an error", wire.JSON(200, `{"request_uri":"urn:a","expires_in":60,"error":"invalid_request"}`), tokensource.ErrClient, 0},
		{"201 without a request_uri", wire.JSON(201, `{"expires_in":60}`), tokensource.ErrTemporary, 0},
		{"201 with two request_uris", wire.JSON(201, `{"request_uri":"urn:a","request_uri":"urn:b","expires_in":60}`), tokensource.ErrTemporary, 0},
		{"201 with a request_uri that has a line break", wire.JSON(201, `{"request_uri":"urn:a\n","expires_in":60}`), tokensource.ErrTemporary, 0},
		{"201 with a request_uri of 3 KiB", wire.JSON(201, `{"request_uri":"urn:`+strings.Repeat("a", 3<<10)+`","expires_in":60}`), tokensource.ErrTemporary, 0},
		{"201 without expires_in", wire.JSON(201, `{"request_uri":"urn:a"}`), tokensource.ErrTemporary, 0},
		{"201 with expires_in 0", wire.JSON(201, `{"request_uri":"urn:a","expires_in":0}`), tokensource.ErrTemporary, 0},
		{"201 with expires_in -1", wire.JSON(201, `{"request_uri":"urn:a","expires_in":-1}`), tokensource.ErrTemporary, 0},
		{"201 with an error", wire.JSON(201, `{"request_uri":"urn:a","expires_in":60,"error":"invalid_request"}`), tokensource.ErrClient, 0},
		{"201 with HTML", oauthtest.Fault{Status: 201, Body: "<html>"}, tokensource.ErrTemporary, 0},
		{"302", oauthtest.Fault{Status: 302, Header: http.Header{"Location": {"https://elsewhere.test/"}}}, tokensource.ErrClient, 0},
		{"400 invalid_request", wire.JSON(400, `{"error":"invalid_request"}`), tokensource.ErrClient, 0},
		{"400 login_required", wire.JSON(400, `{"error":"login_required"}`), tokensource.ErrClient, 0},
		{"401 invalid_client", wire.JSON(401, `{"error":"invalid_client"}`), tokensource.ErrClient, 0},
		{"405", oauthtest.Fault{Status: 405}, tokensource.ErrClient, 0},
		{"413", oauthtest.Fault{Status: 413}, tokensource.ErrClient, 0},
		{"429 with Retry-After", oauthtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, tokensource.ErrTemporary, 7 * time.Second},
		{"503", oauthtest.Fault{Status: 503}, tokensource.ErrTemporary, 0},
		{"no answer", oauthtest.Fault{Drop: true}, tokensource.ErrTemporary, 0},
	}
	for _, tt := range tests {
		o, r := pushing()
		fake, client := at(t, o, r)
		fake.Inject(oauthtest.Match{Op: "push"}, tt.fault, -1)
		login, err := client.Authorize(t.Context(), "canary-state", rfcVerifier, nil)
		if tt.kind == nil {
			if err != nil || login != "https://auth.example/authorize?client_id="+r.ClientID+"&request_uri=urn%3Aexample%3A1" {
				t.Errorf("%s: Authorize() = %q, %v, want a URL", tt.name, login, err)
			}
			continue
		}
		testworld.WantIs(t, err, tt.kind)
		e, ok := errors.AsType[*tokensource.Error](err)
		if login != "" || !ok || e.Op != "push" || e.Status != tt.fault.Status || e.RetryAfter != tt.after || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: Authorize() = %q, %#v, want no URL and an error of the push with status %d", tt.name, login, err, tt.fault.Status)
		}
		if n := len(fake.Requests()); n != 1 {
			t.Errorf("%s: %d requests, want 1", tt.name, n)
		}
	}
}

func TestAnErrorOfAPushShowsNoSecret(t *testing.T) {
	o, r := pushing()
	state, verifier := "canary-state", "canary-verifier-canary-verifier-canary-verifier"
	challenge := oauth2.S256ChallengeFromVerifier(verifier)
	for _, fault := range wire.Echoes(state, challenge, secret) {
		fake, client := at(t, o, r)
		fake.Inject(oauthtest.Match{Op: "push"}, fault, -1)
		_, err := client.Authorize(t.Context(), state, verifier, nil)
		if err == nil {
			t.Errorf("Authorize() after status %d = nil, want an error", fault.Status)
			continue
		}
		for _, s := range []string{state, challenge, secret} {
			if strings.Contains(err.Error(), s) {
				t.Errorf("Authorize() after status %d = %v: it shows a secret", fault.Status, err)
			}
		}
	}
}

func TestAuthorizePushesNothingAfterTheEndOfItsContext(t *testing.T) {
	o, r := pushing()
	fake, client := at(t, o, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Authorize(ctx, "a-state", rfcVerifier, nil)
	testworld.WantIs(t, err, context.Canceled)
	testworld.WantIs(t, err, tokensource.ErrTemporary)
	if n := len(fake.Requests()); n != 0 {
		t.Errorf("%d requests were sent, want none", n)
	}
}

// The parameters in the endpoint's own query are a part of the endpoint.
func TestAPushedRequestKeepsTheQueryOfTheAuthorizationEndpoint(t *testing.T) {
	o, r := pushing()
	o.Provider.AuthorizationURL += "?tenant=1"
	fake, client := at(t, o, r)
	login, err := client.Authorize(t.Context(), "a-state", rfcVerifier, nil)
	if err != nil || !strings.HasPrefix(login, "https://auth.example/authorize?client_id=") || !strings.HasSuffix(login, "&tenant=1") {
		t.Errorf("Authorize() = %q, %v, want the endpoint's own query beside what was pushed", login, err)
	}
	if form := fake.Requests()[0].Raw().PostForm; form.Has("tenant") {
		t.Errorf("the query of the authorization endpoint was pushed: %v", form)
	}
}

// A Prover proves a push as it proves a request for tokens (RFC 9449 section
// 10.1), and answers a challenge.
func TestAPushHasAProof(t *testing.T) {
	o, r := pushing()
	fake, client := at(t, o, r)
	fake.Inject(oauthtest.Match{}, oauthtest.Fault{
		Status: 400, Body: `{"error":"use_dpop_nonce"}`, ContentType: "application/json", Header: http.Header{"Dpop-Nonce": {"n1"}},
	}, 1)
	if _, err := client.WithProver(new(prover)).Authorize(t.Context(), "a-state", rfcVerifier, nil); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`proof-1 of POST https://auth.example/par "" with nonce ""`, `proof-2 of POST https://auth.example/par "" with nonce "n1"`} {
		if got := fake.Requests()[i].Raw().Header.Get("DPoP"); got != want {
			t.Errorf("proof of request %d = %q, want %q", i, got, want)
		}
	}
}
