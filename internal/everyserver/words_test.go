package everyserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// says is a transport that gives one answer to every request.
type says struct {
	status int
	body   string
}

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{
		StatusCode: s.status, Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(s.body)), ContentLength: int64(len(s.body)),
	}, nil
}

// TestRefusalsInTheWordsOfAServer sends answers that servers are known to give
// through a Client of that server.
func TestRefusalsInTheWordsOfAServer(t *testing.T) {
	const bad = `"message":"Bad Request"`
	tests := []struct {
		server, op string
		says
		want error
	}{
		{"airtable", "refresh", says{409, `{"error":"invalid_request"}`}, tokensource.ErrTemporary},
		{"airtable", "refresh", says{409, ``}, tokensource.ErrTemporary},
		{"airtable", "refresh", says{400, `{"error":"invalid_grant"}`}, tokensource.ErrReauthorize},
		{"auth0", "refresh", says{403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`}, tokensource.ErrReauthorize},
		{"canva", "refresh", says{400, `{"code":"invalid_grant","message":"Invalid refresh token"}`}, tokensource.ErrReauthorize},
		{"keycloak", "refresh", says{400, `{"error":"invalid_grant","error_description":"Session not active"}`}, tokensource.ErrReauthorize},
		{"salesforce", "refresh", says{400, `{"error":"invalid_grant","error_description":"expired access/refresh token"}`}, tokensource.ErrReauthorize},
		{"strava", "refresh", says{400, `{` + bad + `,"errors":[{"resource":"Application","field":"client_id","code":"invalid"}]}`}, tokensource.ErrClient},
		{"todoist", "exchange", says{400, `{"error":"bad_authorization_code"}`}, tokensource.ErrReauthorize},
		{"todoist", "refresh", says{400, `{"error":"incorrect_application_credentials"}`}, tokensource.ErrClient},
		{"zoom", "refresh", says{400, `{"reason":"Invalid Token!","error":"invalid_grant"}`}, tokensource.ErrReauthorize},
	}
	every := everyProvider(t)
	for _, tt := range tests {
		client, err := oauth.New(every[tt.server].Provider, oauth.Registration{
			ClientID: "app", Credential: oauth.Secret("secret"), RedirectURL: "https://app.example/callback",
		}, &oauth.Options{HTTPClient: &http.Client{Transport: tt.says}})
		if err != nil {
			t.Fatal(err)
		}
		if tt.op == "refresh" {
			_, err = client.Refresh(t.Context(), "old-refresh-token")
		} else {
			_, err = client.Exchange(t.Context(), "code", strings.Repeat("v", 43))
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: a %s answered with %d %s = %v, want %v", tt.server, tt.op, tt.status, tt.body, err, tt.want)
		}
	}
}

// counter is a Source that counts renewals.
type counter struct {
	p        *provider.Provider
	renewals int
}

func (c *counter) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "token", TokenType: "Bearer"}, nil
}

func (c *counter) Renew(context.Context, *oauth2.Token) (*oauth2.Token, error) {
	c.renewals++
	return nil, tokensource.ErrJustRenewed
}

func (c *counter) APIFacts() tokensource.APIFacts    { return c.p.API }
func (c *counter) APIOrigins(*oauth2.Token) []string { return []string{"https://api.example"} }
func (c *counter) Endpoints() []string               { return nil }

// TestAnswersOfAPIsInTheWordsOfAServer shows which answers of an API ask for
// another token.
func TestAnswersOfAPIsInTheWordsOfAServer(t *testing.T) {
	tests := []struct {
		server string
		says
		renewals int
	}{
		{"airtable", says{401, `{"error":{"type":"AUTHENTICATION_REQUIRED"}}`}, 1},
		{"clickup", says{401, `{"err":"Token invalid","ECODE":"OAUTH_025"}`}, 1},
		{"clickup", says{401, `{"err":"Team(s) not authorized","ECODE":"OAUTH_023"}`}, 0},
		{"clickup", says{401, `{"err":"Team not authorized","ECODE":"OAUTH_027"}`}, 0},
		{"clickup", says{401, `{"err":"Team not authorized","ECODE":"OAUTH_038"}`}, 0},
		{"figma", says{403, `{"status":403,"err":"Invalid token"}`}, 1},
		{"figma", says{403, `{"status":403,"err":"Forbidden"}`}, 0},
		{"salesforce", says{401, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`}, 1},
		{"salesforce", says{401, `[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]`}, 0},
		{"salesforce", says{401, `{"message":"Connected app is not attached to Agent"}`}, 0},
		{"salesforce", says{401, `[{"message":"BlackTab users cannot perform API operations"}]`}, 0},
		{"todoist", says{401, `{"error":"Unauthorized","error_code":477,"error_extra":{"retry_after":128}}`}, 1},
	}
	every := everyProvider(t)
	for _, tt := range tests {
		source := &counter{p: every[tt.server].Provider}
		rt, err := transport.New(source, &transport.Options{Base: tt.says})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if source.renewals != tt.renewals {
			t.Errorf("%s: after %d %s there were %d renewals, want %d (error %v)", tt.server, tt.status, tt.body, source.renewals, tt.renewals, err)
		}
	}
}
