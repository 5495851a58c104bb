package oauth_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestClientAuthentication(t *testing.T) {
	auth := func(style provider.ClientAuth, inBody bool, id, secret string) setting {
		s := generic()
		s.p.ClientAuth, s.p.ClientIDInBody, s.r.ClientID, s.r.Credential = style, inBody, id, oauth.Secret(secret)
		return s
	}
	x := confidential()
	tests := []struct {
		name   string
		s      setting
		header string            // Authorization
		form   map[string]string // what is added to the form
	}{
		{"X, confidential", x, wire.Basic(x.r.ClientID, secret), map[string]string{"client_id": x.r.ClientID}},
		{"X, public", public(), "", map[string]string{"client_id": public().r.ClientID}},
		{"the vector of RFC 6749 section 2.3.1", auth(provider.Basic, false, "s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"),
			"Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", nil},
		{"Basic, odd characters", auth(provider.Basic, false, "my+odd/id:1", "s=c%r:e+t&~'"),
			wire.Basic("my%2Bodd%2Fid%3A1", "s%3Dc%25r%3Ae%2Bt%26~%27"), nil},
		{"BasicRaw, odd characters", auth(provider.BasicRaw, false, "my+odd/id", "s=c%r:e+t&~'"),
			wire.Basic("my+odd/id", "s=c%r:e+t&~'"), nil},
		{"Post", auth(provider.Post, false, "my+odd/id", "s=c%r:e+t"), "",
			map[string]string{"client_id": "my+odd/id", "client_secret": "s=c%r:e+t"}},
		{"Basic with the ID in the body", auth(provider.Basic, true, "an-id", "s3cret"), wire.Basic("an-id", "s3cret"),
			map[string]string{"client_id": "an-id"}},
		{"Post of a public client", auth(provider.Post, false, "an-id", ""), "", map[string]string{"client_id": "an-id"}},
		{"BasicRaw of a public client", auth(provider.BasicRaw, true, "an-id", ""), "", map[string]string{"client_id": "an-id"}},
	}
	forms := map[string]map[string]string{
		"exchange": {"grant_type": "authorization_code", "code": someCode, "code_verifier": rfcVerifier, "redirect_uri": x.r.RedirectURL},
		"refresh":  {"grant_type": "refresh_token", "refresh_token": someRefresh},
		"revoke":   {"token": someRefresh, "token_type_hint": "refresh_token"},
	}
	paths := map[string]string{"exchange": xapi.PathToken, "refresh": xapi.PathToken, "revoke": xapi.PathRevoke}
	for _, tt := range tests {
		for _, op := range operations {
			w := newWorld(t)
			_ = op.run(t.Context(), w.at(tt.s)) // the request is what counts
			r, what := w.only(), tt.name+", "+op.name
			want := maps.Clone(forms[op.name])
			maps.Copy(want, tt.form)
			wire.WantParams(t, what, r.Raw().PostForm, want)
			wire.WantBackChannel(t, what, r.Raw().Header, tt.header)
			if r.Method != http.MethodPost || r.Raw().URL.String() != "https://api.x.com"+paths[op.name] {
				t.Errorf("%s: %s %s, want a POST without a query", what, r.Method, r.Raw().URL.String())
			}
		}
	}
}

// A refused client is refused once: nothing is tried in a second way (RFC 6749
// section 2.3).
func TestClientAuthenticationIsNotProbed(t *testing.T) {
	for _, body := range []string{
		`{"error":"unauthorized_client","error_description":"Missing valid authorization header"}`,
		`{"error":"invalid_client"}`,
		``,
	} {
		for _, s := range []setting{confidential(), public()} {
			for _, op := range operations {
				w := newWorld(t)
				w.answer(http.StatusUnauthorized, body)
				err := op.run(t.Context(), w.at(s))
				testworld.WantIs(t, err, tokensource.ErrClient)
				w.only()
			}
		}
	}
}

func TestARefusedClientIsToldWhatToCheck(t *testing.T) {
	tests := []struct {
		s    setting
		want string
	}{
		{confidential(), "check ClientID and the client secret"},
		{public(), "no Credential is set"},
	}
	for _, tt := range tests {
		for _, code := range []string{"unauthorized_client", "invalid_client"} {
			w := newWorld(t)
			w.answer(http.StatusUnauthorized, `{"error":"`+code+`"}`)
			_, err := w.at(tt.s).Refresh(t.Context(), someRefresh)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), code) {
				t.Errorf("Refresh() with %s = %v, want %q", code, err, tt.want)
			}
		}
	}
}

func TestPrepare(t *testing.T) {
	type key struct{}
	for _, op := range operations {
		w := newWorld(t)
		seen := 0
		client := w.NewClient(&oauth.Options{
			HTTPClient: &http.Client{Transport: w.Fake.Transport()},
			Prepare: func(ctx context.Context, r *oauth.TokenRequest) error {
				seen++
				if r.Op != op.name || ctx.Value(key{}) != "mine" || !strings.HasPrefix(r.URL, "https://api.x.com/2/oauth2/") {
					t.Errorf("%s: Prepare saw %v in a foreign context", op.name, r)
				}
				if !r.Form().Has("client_id") || r.Header().Get("Authorization") == "" {
					t.Errorf("%s: Prepare ran before the client was authenticated", op.name)
				}
				r.Form().Set("resource", "https://api.example/")
				r.Header().Set("DPoP", "a-proof")
				r.URL = "https://elsewhere.test/"
				return nil
			},
		})
		_ = op.run(context.WithValue(t.Context(), key{}, "mine"), client)
		r := w.only()
		if r.Raw().PostForm.Get("resource") != "https://api.example/" || r.Raw().Header.Get("DPoP") != "a-proof" {
			t.Errorf("%s: what Prepare added was not sent", op.name)
		}
		if seen != 1 || r.Foreign {
			t.Errorf("%s: Prepare ran %d times, and the request went to %s", op.name, seen, r.Host)
		}
	}
}

func TestAnErrorOfPrepareStopsTheRequest(t *testing.T) {
	broken := errors.New("the key is locked")
	for _, op := range operations {
		w := newWorld(t)
		client := w.NewClient(&oauth.Options{
			HTTPClient: &http.Client{Transport: w.Fake.Transport()},
			Prepare:    func(context.Context, *oauth.TokenRequest) error { return broken },
		})
		err := op.run(t.Context(), client)
		testworld.WantIs(t, err, broken)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Op != op.name || e.InDoubt || !strings.Contains(err.Error(), "Options.Prepare") {
			t.Errorf("%s: %v, want an *Error that names Prepare", op.name, err)
		}
		if n := len(w.Fake.Requests()); n != 0 {
			t.Errorf("%s: %d requests were sent", op.name, n)
		}
	}
}
