package xapi_test

import (
	"net/http"
	"testing"
)

// TestOtherHostsOfX asks hosts of X other than api.x.com.
func TestOtherHostsOfX(t *testing.T) {
	s := fake(t, nil)
	const accounts, upload = "https://ads-api.x.com/12/accounts", "https://upload.x.com/2/media/upload"
	tests := []struct {
		method, url, scope string // no scope: no token
		want               int
	}{
		{"GET", accounts, "", 401},
		{"GET", accounts, "ads.read", 200},
		{"GET", accounts, "ads.write", 403},
		{"POST", accounts, "ads.write", 200},
		{"POST", accounts, "ads.read", 403},
		{"POST", upload, "", 401},
		{"POST", upload, "media.write", 200},
		{"POST", upload, "tweet.write", 403},
		{"GET", "https://ads-api.x.com:443/12/accounts", "", 401},
		{"POST", "https://ads-api.x.com/2/oauth2/token", "", 401}, // it is no authorization server
		{"POST", "https://ads-api.x.com/oauth2/token", "", 401},
		{"GET", "https://other.x.com/", "", 200}, // a stranger
	}
	for _, tt := range tests {
		token := ""
		if tt.scope != "" {
			token = issue(t, s, ci, tt.scope).Access
		}
		got := call(t, s, tt.method, tt.url, token, "")
		if got.status != tt.want || tt.want == 401 && got.body != unauthorized {
			t.Errorf("%s %s with %q = %d %s, want %d", tt.method, tt.url, tt.scope, got.status, got.body, tt.want)
		}
	}
	keys := apiKeys(ci)
	app := parseTokens(t, do(t, s, formRequest(t, appTokenURL, keys, values("grant_type", "client_credentials")))).Access
	if got := call(t, s, http.MethodGet, accounts, app, ""); got.status != http.StatusForbidden {
		t.Errorf("GET %s with an app-only token = %d, want 403", accounts, got.status)
	}
}
