package provider_test

import (
	"encoding/base64"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestX(t *testing.T) {
	x := provider.X()
	if err := x.Validate(); err != nil {
		t.Fatalf("Validate() = %v", err)
	}
	for name, tt := range map[string]struct{ got, want string }{
		"Name":                 {x.Name, "x"},
		"AuthorizationURL":     {x.AuthorizationURL, "https://x.com/i/oauth2/authorize"}, // not twitter.com: the session is on x.com
		"TokenURL":             {x.TokenURL, "https://api.x.com/2/oauth2/token"},
		"RevocationURL":        {x.RevocationURL, "https://api.x.com/2/oauth2/revoke"},
		"ClientCredentialsURL": {x.ClientCredentialsURL, "https://api.x.com/oauth2/token"}, // without /2
		"IdentityURL":          {x.IdentityURL, "https://api.x.com/2/users/me?user.fields=profile_image_url"},
		"APIOrigins":           {strings.Join(x.APIOrigins, " "), "https://api.x.com https://api.twitter.com https://ads-api.x.com https://upload.x.com"},
		"RefreshScope":         {x.RefreshScope, "offline.access"},
		"Issuer":               {x.Issuer, ""},
	} {
		if tt.got != tt.want {
			t.Errorf("X().%s = %q, want %q", name, tt.got, tt.want)
		}
	}
	if x.ClientAuth != provider.Basic || !x.ClientIDInBody || !x.SingleGrant || x.MaxState != 500 || x.ExpiresIn != 2*time.Hour || x.InsecureLoopback {
		t.Errorf("X() = %d, %v, %v, %d, %v: not what X does", x.ClientAuth, x.ClientIDInBody, x.SingleGrant, x.MaxState, x.ExpiresIn)
	}
}

// The API of X has its former host name too, and so have the endpoints that
// must not get a user's token.
func TestXEndpoints(t *testing.T) {
	got := provider.X().Endpoints()
	for _, host := range []string{"https://api.x.com", "https://api.twitter.com"} {
		for _, path := range []string{"/2/oauth2/token", "/2/oauth2/revoke", "/oauth2/token", "/oauth2/invalidate_token"} {
			if !slices.Contains(got, host+path) {
				t.Errorf("X().Endpoints() lacks %s%s", host, path)
			}
		}
	}
}

func TestXScopes(t *testing.T) {
	got := provider.X().Scopes
	for _, s := range []string{"tweet.read", "tweet.write", "users.read", "users.email", "offline.access", "media.write", "dm.read", "ads.write"} {
		if !slices.Contains(got, s) {
			t.Errorf("X().Scopes lacks %q", s)
		}
	}
	for _, s := range []string{"account.follows.read", "openid", "write", ""} { // the first stands in X's own sample
		if slices.Contains(got, s) {
			t.Errorf("X().Scopes has %q, which X does not know", s)
		}
	}
	sorted := slices.Sorted(slices.Values(got))
	if len(slices.Compact(sorted)) != len(got) {
		t.Errorf("X().Scopes = %q: one is there twice", got)
	}
}

func TestEachXIsOnesOwn(t *testing.T) {
	first, origin := provider.X(), provider.X().APIOrigins[0]
	first.Scopes[0], first.APIOrigins[0] = "changed", "https://changed.example"
	first.Scopes = append(first.Scopes, "new.at.x")
	if second := provider.X(); second.Scopes[0] == "changed" || slices.Contains(second.Scopes, "new.at.x") || second.APIOrigins[0] != origin {
		t.Error("what one caller did to X() reached another")
	}
}

func TestXCheckClient(t *testing.T) {
	id := base64.RawURLEncoding.EncodeToString
	tests := []struct {
		name, id     string
		confidential bool
		want         string // in the message; empty: there is no error
	}{
		{"confidential", id([]byte("3S9GpLW-wBjRqy3MKy8N:1:ci")), true, ""},
		{"public", id([]byte("3S9GpLW-wBjRqy3MKy8N:1:na")), false, ""},
		{"the documentation's", "M1M5R3BMVy13QmpScXkzTUt5OE46MTpjaQ", true, ""},
		{"the documentation's without a secret", "M1M5R3BMVy13QmpScXkzTUt5OE46MTpjaQ", false, "set the client secret"},
		{"padded", "M1M5R3BMVy13QmpScXkzTUt5OE46MTpjaQ==", false, "set the client secret"},
		{"public with a secret", id([]byte("3S9GpLW-wBjRqy3MKy8N:1:na")), true, "leave the client secret empty"},
		{"another shape", "my-app", true, ""},
		{"another shape without a secret", "my-app", false, ""},
		{"no base64", "my app:ci", false, ""},
		{"another kind of client", id([]byte("3S9GpLW-wBjRqy3MKy8N:1:xx")), false, ""},
	}
	for _, tt := range tests {
		err := provider.X().CheckClient(tt.id, tt.confidential)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("CheckClient(%s) = %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestXClassify(t *testing.T) {
	const (
		deadToken = "Value passed for the token was invalid."
		deadCode  = "Value passed for the authorization code was invalid."
	)
	tests := []struct {
		op          string
		status      int
		code        string
		description string
		want        provider.Fixer
	}{
		{"refresh", 400, "invalid_request", deadToken, provider.UserCanFix},
		{"exchange", 400, "invalid_request", deadCode, provider.UserCanFix},
		{"refresh", 400, "invalid_request", deadCode, provider.ByDefault},
		{"exchange", 400, "invalid_request", deadToken, provider.ByDefault},
		{"client_credentials", 400, "invalid_request", deadToken, provider.ByDefault},
		{"revoke", 400, "invalid_request", deadToken, provider.ByDefault},
		{"refresh", 401, "invalid_request", deadToken, provider.ByDefault},
		{"refresh", 503, "invalid_request", deadToken, provider.ByDefault},
		{"refresh", 400, "unauthorized_client", deadToken, provider.ByDefault},
		{"refresh", 400, "invalid_request", "", provider.ByDefault},
		{"refresh", 400, "invalid_request", "Missing required parameter [refresh_token].", provider.ByDefault},
		{"refresh", 400, "invalid_request", deadToken + " Perhaps.", provider.ByDefault},
		{"refresh", 400, "", "", provider.ByDefault},
	}
	for _, tt := range tests {
		body := `{"error":"` + tt.code + `","error_description":"` + tt.description + `"}`
		got := provider.X().Classify(provider.NewAnswer(tt.op, tt.status, nil, []byte(body)))
		if want := (provider.Verdict{Fixer: tt.want}); got != want {
			t.Errorf("Classify(%s, %d, %s) = %+v, want %+v", tt.op, tt.status, body, got, want)
		}
	}
}

func TestXParseIdentity(t *testing.T) {
	tests := []struct {
		body string
		want provider.Identity
		err  string
	}{
		{`{"data":{"id":"2244994945","name":"X Developers","username":"XDevelopers"}}`,
			provider.Identity{Subject: "2244994945", Username: "XDevelopers", Name: "X Developers"}, ""},
		{`{"data":{"id":"7"},"includes":{}}`, provider.Identity{Subject: "7"}, ""},
		{`{"data":{"id":"7","profile_image_url":"https://pbs.twimg.com/7.jpg","verified":true,"verified_type":"blue","public_metrics":{"like_count":1}}}`,
			provider.Identity{Subject: "7", Picture: "https://pbs.twimg.com/7.jpg", Claims: map[string]string{"verified": "true", "verified_type": "blue"}}, ""},
		{`{"data":{"id":""}}`, provider.Identity{}, "named no user"},
		{`{"errors":[{"title":"Not Found Error"}]}`, provider.Identity{}, "named no user"},
		{`{}`, provider.Identity{}, "named no user"},
		{`null`, provider.Identity{}, "named no user"},
		{`{"data":{"id":2244994945}}`, provider.Identity{}, "documented JSON"},
		{`{"data":[]}`, provider.Identity{}, "documented JSON"},
		{`{"data":{"id":"7"}} t0ken`, provider.Identity{}, "documented JSON"},
		{`<html>t0ken</html>`, provider.Identity{}, "documented JSON"},
		{``, provider.Identity{}, "documented JSON"},
	}
	for _, tt := range tests {
		got, err := provider.X().ParseIdentity([]byte(tt.body))
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("ParseIdentity(%q) = %+v, %v, want %+v, %q", tt.body, got, err, tt.want, tt.err)
		}
		if err != nil && strings.Contains(err.Error(), "t0ken") {
			t.Errorf("ParseIdentity(%q) = %v: it quotes the body", tt.body, err)
		}
	}
}

// Every place that X's user tokens are sent to by default is one of X's own.
func TestXSendsNothingElsewhere(t *testing.T) {
	x := provider.X()
	for _, raw := range []string{x.TokenURL, x.RevocationURL, x.IdentityURL, x.ClientCredentialsURL} {
		u, err := url.Parse(raw)
		if err != nil || !slices.Contains(x.APIOrigins, u.Scheme+"://"+u.Host) {
			t.Errorf("%q, %v: its origin is not one of %q", raw, err, x.APIOrigins)
		}
	}
}
