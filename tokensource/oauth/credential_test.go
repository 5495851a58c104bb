package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// changing returns a secret that changes with each call, and then stays the
// last.
func changing(calls *atomic.Int64, secrets ...string) oauth.Credential {
	return oauth.SecretFunc(func(context.Context) (string, error) {
		n := int(calls.Add(1))
		return secrets[min(n, len(secrets))-1], nil
	})
}

// appToken is the operation whose request contains nothing that is single-use.
var appToken = operation{"client_credentials", func(ctx context.Context, c *oauth.Client) error {
	_, err := c.ClientCredentials(ctx)
	return err
}}

// How often a request is sent, and how often the secret is asked for, when the
// server refuses the client at first.
func TestAChangedSecret(t *testing.T) {
	const refused = `{"error":"invalid_client"}`
	tests := []struct {
		name           string
		secrets        []string
		status         int
		body           string
		single, repeat int // requests of an operation with a single-use credential, and of one without
		asked          int // by an operation without
	}{
		{"changed", []string{"first", "second"}, 401, refused, 1, 2, 2},
		{"changed, as X says it", []string{"first", "second"}, 401, `{"error":"unauthorized_client"}`, 1, 2, 2},
		{"the same", []string{"first"}, 401, refused, 1, 1, 2},
		{"unauthorized for the grant", []string{"first", "second"}, 400, `{"error":"unauthorized_client"}`, 1, 1, 1},
		{"another refusal", []string{"first", "second"}, 400, `{"error":"invalid_request"}`, 1, 1, 1},
		{"an outage that says so", []string{"first", "second"}, 503, `{"error":"server_error"}`, 1, 1, 1},
		{"changed to nothing", []string{"first", ""}, 401, refused, 1, 1, 2},
	}
	for _, tt := range tests {
		for _, op := range append([]operation{appToken}, operations...) {
			w, s, calls := newWorld(t), generic(), new(atomic.Int64)
			s.r.Credential = changing(calls, tt.secrets...)
			w.answer(tt.status, tt.body)
			err := op.run(t.Context(), w.at(s))
			want, asked := tt.repeat, tt.asked
			if op.name == "exchange" || op.name == "refresh" {
				want, asked = tt.single, 1
			}
			if got := len(w.Fake.Requests()); got != want || int(calls.Load()) != asked || err == nil {
				t.Errorf("%s, %s = %v: %d requests, %d calls, want %d and %d", tt.name, op.name, err, got, calls.Load(), want, asked)
			}
			if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Status != tt.status {
				t.Errorf("%s, %s = %v, want the server's refusal", tt.name, op.name, err)
			}
		}
	}
}

func TestTheChangedSecretIsSent(t *testing.T) {
	w, s, calls := newWorld(t), generic(), new(atomic.Int64)
	s.r.Credential = changing(calls, "0utdated", secret)
	if err := w.at(s).Revoke(t.Context(), someRefresh, oauth.HintRefreshToken); err != nil {
		t.Errorf("Revoke() = %v, want none: the second secret is right", err)
	}
	list := w.Fake.Requests()
	for i, want := range []string{"0utdated", secret} {
		if got := list[i].Raw().Header.Get("Authorization"); got != wire.Basic(s.r.ClientID, want) {
			t.Errorf("request %d was not sent with secret %d", i, i)
		}
		if got := list[i].Raw().PostForm; got.Get("token") != someRefresh || len(got["token"]) != 1 {
			t.Errorf("request %d has the form %v", i, got)
		}
	}
}

func TestASecretThatCannotBeHad(t *testing.T) {
	locked := errors.New("the vault is locked")
	tests := []struct {
		name   string
		secret string
		err    error
		want   string
	}{
		{"an error", "", locked, "SecretFunc: the vault is locked"},
		{"nothing", "", nil, "the client secret is empty"},
		{"a line break", "canary-s3cret\n", nil, "trim"},
	}
	for _, tt := range tests {
		for _, op := range append([]operation{appToken}, operations...) {
			w, s := newWorld(t), generic()
			s.r.Credential = oauth.SecretFunc(func(context.Context) (string, error) { return tt.secret, tt.err })
			err := op.run(t.Context(), w.at(s))
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			if tt.err != nil {
				testworld.WantIs(t, err, tt.err)
			}
			e, ok := errors.AsType[*tokensource.Error](err)
			if !ok || e.InDoubt || e.Op != op.name || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, %s = %v, want an error with %q and no doubt", tt.name, op.name, err, tt.want)
			}
			if n := len(w.Fake.Requests()); n != 0 {
				t.Errorf("%s, %s: %d requests were sent", tt.name, op.name, n)
			}
		}
	}
}

func TestIsZero(t *testing.T) {
	ask := func(context.Context) (string, error) { return "", nil }
	for name, tt := range map[string]struct {
		credential oauth.Credential
		want       bool
	}{
		"the zero Credential": {oauth.Credential{}, true}, "an empty secret": {oauth.Secret(""), true},
		"no Authenticator": {oauth.Authentication(nil), true}, "no function": {oauth.SecretFunc(nil), true}, "a secret": {oauth.Secret("a"), false},
		"a function": {oauth.SecretFunc(ask), false}, "an Authenticator": {oauth.Authentication(assertion{}), false},
	} {
		if got := tt.credential.IsZero(); got != tt.want {
			t.Errorf("IsZero() of %s = %v, want %v", name, got, tt.want)
		}
	}
}

// assertion is an Authenticator as package jose has one.
type assertion struct{ err error }

func (a assertion) Authenticate(_ context.Context, r *oauth.TokenRequest) error {
	r.Form().Set("client_assertion", "canary-assertion of "+r.ClientID+" for "+r.URL+" at "+r.Op)
	r.Header().Set("X-Assertion", "canary-header")
	return a.err
}

func TestAnAuthenticatorOfTheProgram(t *testing.T) {
	for _, style := range []provider.ClientAuth{provider.Basic, provider.BasicRaw, provider.Post} {
		for _, op := range operations {
			w, s := newWorld(t), generic()
			s.p.ClientAuth, s.r.Credential = style, oauth.Authentication(assertion{})
			echo := "canary-header and canary-assertion of " + s.r.ClientID + " for " + s.p.TokenURL + " at refresh"
			w.answer(http.StatusUnauthorized, `{"error":"invalid_client","error_description":"`+echo+`"}`)
			err := op.run(t.Context(), w.at(s))
			testworld.WantIs(t, err, tokensource.ErrClient)
			r := w.only() // an Authenticator is not asked again
			if r.Raw().Header.Get("Authorization") != "" || r.Raw().PostForm.Has("client_secret") || r.Raw().PostForm.Has("client_id") {
				t.Errorf("%s: the client was authenticated twice", op.name)
			}
			if !strings.Contains(r.Raw().PostForm.Get("client_assertion"), "of "+s.r.ClientID+" for "+r.Raw().URL.String()+" at "+op.name) {
				t.Errorf("%s: client_assertion = %q", op.name, r.Raw().PostForm.Get("client_assertion"))
			}
			if op.name == "refresh" && strings.Contains(err.Error(), "canary") {
				t.Errorf("Refresh() = %v: it shows what the Authenticator sent", err)
			}
		}
	}
}

func TestAnErrorOfAnAuthenticatorStopsTheRequest(t *testing.T) {
	broken := errors.New("the key is locked")
	for _, op := range operations {
		w, s := newWorld(t), generic()
		s.r.Credential = oauth.Authentication(assertion{broken})
		err := op.run(t.Context(), w.at(s))
		testworld.WantIs(t, err, broken)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if n := len(w.Fake.Requests()); n != 0 {
			t.Errorf("%s: %d requests were sent", op.name, n)
		}
	}
}

// A second secret never reaches a server that has not refused the first.
func TestASecretFuncIsAskedForEachRequest(t *testing.T) {
	w, s, calls := newWorld(t), generic(), new(atomic.Int64)
	s.r.Credential = changing(calls, secret)
	client := w.at(s)
	for range 3 {
		if err := client.Revoke(t.Context(), someRefresh, oauth.HintRefreshToken); err != nil {
			t.Fatal(err)
		}
	}
	if got := calls.Load(); got != 3 {
		t.Errorf("the function was called %d times for 3 requests, want 3", got)
	}
	w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Drop: true}, 1)
	err := client.Revoke(t.Context(), someRefresh, oauth.HintRefreshToken)
	testworld.WantIs(t, err, tokensource.ErrTemporary)
	if got := calls.Load(); got != 4 {
		t.Errorf("the function was called %d times for 4 requests, want 4: an answer that was lost says nothing about the secret", got)
	}
}
