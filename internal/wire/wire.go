// Package wire states what tests expect of the requests that reach the fake
// authorization server, and scripts the answers of that server.
package wire

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// Basic returns the value of the Authorization header for a user and a password
// ([RFC 7617]).
//
// [RFC 7617]: https://www.rfc-editor.org/rfc/rfc7617
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// JSON is the fault that answers with status and a JSON body.
func JSON(status int, body string) oauthtest.Fault {
	return oauthtest.Fault{Status: status, Body: body, ContentType: "application/json"}
}

// Only returns the request that reached fake. It fails the test unless exactly
// one request did.
func Only(t *testing.T, fake *xapi.Server) oauthtest.Request {
	t.Helper()
	list := fake.Requests()
	if len(list) != 1 {
		t.Fatalf("requests = %v, want exactly one", list)
	}
	return list[0]
}

// WantParams compares parameters. Each of want must be there once, with this
// value, and there must be no other parameter.
func WantParams(t *testing.T, what string, got url.Values, want map[string]string) {
	t.Helper()
	for name, values := range got {
		if value, ok := want[name]; !ok || len(values) != 1 || values[0] != value {
			t.Errorf("%s: parameter %s = %q, want %q", what, name, values, value)
		}
	}
	for name := range want {
		if !got.Has(name) {
			t.Errorf("%s: parameter %s is missing", what, name)
		}
	}
}

// WantBackChannel compares all headers of a request to the authorization
// server: there must be no cookie, no Referer and no other header. An empty
// authorization means that there must be no Authorization header.
func WantBackChannel(t *testing.T, what string, got http.Header, authorization string) {
	t.Helper()
	want := http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"authtrip"},
	}
	if authorization != "" {
		want.Set("Authorization", authorization)
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%s: headers = %q, want %q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}
