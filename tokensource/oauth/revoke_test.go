package oauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

func TestRevoke(t *testing.T) {
	for name, s := range map[string]setting{"confidential": confidential(), "public": public()} {
		w := newWorld(t)
		client := w.at(s)
		access, refresh, err := w.Fake.IssueToken(w.User, s.r.ClientID, testworld.Scopes...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []struct{ token, hint string }{
			{refresh, oauth.HintRefreshToken}, {access, oauth.HintAccessToken}, {refresh, oauth.HintRefreshToken},
			{"never-issued", oauth.HintAccessToken},
		} {
			if err := client.Revoke(t.Context(), r.token, r.hint); err != nil {
				t.Errorf("%s: Revoke(%s) = %v, want none", name, r.hint, err)
			}
		}
		if g := w.Fake.Grants()[0]; g.LiveAccess != 0 || g.LiveRefresh != 0 {
			t.Errorf("%s: tokens outlived their revocation: %+v", name, g)
		}
		if r := w.Fake.Requests()[0]; r.Raw().PostForm.Get("token_type_hint") != "refresh_token" || r.Path != xapi.PathRevoke {
			t.Errorf("%s: the first request was %v, want one with the hint refresh_token", name, r)
		}
		if err := w.Fake.Audit(); err != nil {
			t.Errorf("%s: Audit() = %v", name, err)
		}
	}
}

func TestRevokeRefusesBeforeItAsks(t *testing.T) {
	w := newWorld(t)
	tests := []struct{ name, token, hint, want string }{
		{"no token", "", oauth.HintAccessToken, "empty"},
		{"no hint", someRefresh, "", "HintRefreshToken"},
		{"unknown hint", someRefresh, "id_token", "HintRefreshToken"},
	}
	for _, tt := range tests {
		if err := w.Client.Revoke(t.Context(), tt.token, tt.hint); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Revoke(%s) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if n := len(w.Fake.Requests()); n != 0 {
		t.Errorf("requests = %d, want none", n)
	}
}

func TestRevokeWithoutAnEndpoint(t *testing.T) {
	w, s := newWorld(t), confidential()
	s.p.RevocationURL = ""
	err := w.at(s).Revoke(t.Context(), someRefresh, oauth.HintRefreshToken)
	testworld.WantIs(t, err, errors.ErrUnsupported)
	if err == nil || !strings.Contains(err.Error(), "RevocationURL") {
		t.Errorf("Revoke() = %v, want the name of the setting", err)
	}
	if n := len(w.Fake.Requests()); n != 0 {
		t.Errorf("requests = %d, want none", n)
	}
}

// 200 is success whatever the body (RFC 7009 section 2.2); anything else is
// not.
func TestRevocationResponses(t *testing.T) {
	tests := []struct {
		name  string
		fault oauthtest.Fault
		kind  error // nil: revoked
	}{
		{"X", wire.JSON(200, `{"revoked":true}`), nil},
		{"nothing", oauthtest.Fault{Status: 200}, nil},
		{"nothing, called JSON", wire.JSON(200, ``), nil},
		{"HTML", oauthtest.Fault{Status: 200, Body: xapi.HTMLPage}, nil},
		{"an error in the body", wire.JSON(200, `{"error":"invalid_request"}`), nil},
		{"more than a mebibyte", oauthtest.Fault{Status: 200, Body: strings.Repeat("x", 2<<20)}, nil},
		{"cut short", oauthtest.Fault{Status: 200, Body: "revoked", Truncate: 3}, nil},
		{"204", oauthtest.Fault{Status: 204}, nil},
		{"202", oauthtest.Fault{Status: 202}, nil},
		{"invalid_token of what is gone", wire.JSON(400, `{"error":"invalid_token"}`), nil},
		{"invalid_token with 401", wire.JSON(401, `{"error":"invalid_token"}`), nil},
		{"invalid_grant", wire.JSON(400, `{"error":"invalid_grant"}`), nil},
		{"token_inactive", wire.JSON(401, `{"error":"token_inactive"}`), nil},
		{"token_revoked", wire.JSON(400, `{"error":"token_revoked"}`), nil},
		{"refresh_token_not_found", wire.JSON(404, `{"error":"refresh_token_not_found"}`), nil},

		{"invalid_token with 429", wire.JSON(429, `{"error":"invalid_token"}`), tokensource.ErrTemporary},
		{"invalid_token with 500", wire.JSON(500, `{"error":"invalid_token"}`), tokensource.ErrTemporary},
		{"invalid_client", wire.JSON(401, `{"error":"invalid_client"}`), tokensource.ErrClient},
		{"temporarily_unavailable with 400", wire.JSON(400, `{"error":"temporarily_unavailable"}`), tokensource.ErrTemporary},
		{"unsupported_token_type", wire.JSON(400, `{"error":"unsupported_token_type"}`), tokensource.ErrClient},
		{"invalid_request", wire.JSON(400, `{"error":"invalid_request","error_description":"Missing required parameter [token_type_hint]."}`), tokensource.ErrClient},
		{"401 with nothing", oauthtest.Fault{Status: 401}, tokensource.ErrClient},
		{"404", oauthtest.Fault{Status: 404}, tokensource.ErrClient},
		{"429", oauthtest.Fault{Status: 429}, tokensource.ErrTemporary},
		{"500", oauthtest.Fault{Status: 500}, tokensource.ErrTemporary},
		{"503", oauthtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"30"}}}, tokensource.ErrTemporary},
		{"dropped", oauthtest.Fault{Drop: true}, tokensource.ErrTemporary},
		{"done, then dropped", oauthtest.Fault{Drop: true, Commit: true}, tokensource.ErrTemporary},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
		err := w.Client.Revoke(t.Context(), someRefresh, oauth.HintRefreshToken)
		if tt.kind == nil {
			if err != nil {
				t.Errorf("Revoke() with %s = %v, want none", tt.name, err)
			}
			continue
		}
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Kind != tt.kind || e.Op != "revoke" || e.Status != tt.fault.Status {
			t.Errorf("Revoke() with %s = %v, want %v", tt.name, err, tt.kind)
		}
		if tt.fault.Status == 503 && e.RetryAfter != 30*time.Second {
			t.Errorf("Revoke() with %s = %v, want RetryAfter 30s", tt.name, err)
		}
		w.only()
	}
}
