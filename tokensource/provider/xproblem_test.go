package provider_test

import (
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// TestXProblems has the answers with which X refuses an app, as captured.
func TestXProblems(t *testing.T) {
	const host = `"type":"https://api.x.com/2/problems/`
	tests := []struct {
		name, op   string
		status     int
		body, want string // want is the code; empty means that the verdict is ByDefault
	}{
		{"credits depleted", "identity", 402, `{"detail":"credits depleted","status":402,"title":"Payment Required",` + host + `credits-depleted"}`, "credits-depleted"},
		{"credits, in the words of 2025", "identity", 402, `{"title":"CreditsDepleted","type":"https://api.twitter.com/2/problems/credits"}`, "credits"},
		{"402 without a body", "identity", 402, ``, "credits-depleted"},
		{"402 with a page", "identity", 402, `<html>`, "credits-depleted"},
		{"spend cap", "identity", 403, `{"title":"Forbidden","detail":"Your monthly spend cap has been reached.",` + host + `spend-cap-reached"}`, "spend-cap-reached"},
		{"user not enrolled", "identity", 403, `{"title":"Client Forbidden","reason":"user-not-enrolled","registration_url":"https://console.x.com",` + host + `client-forbidden"}`, "user-not-enrolled"},
		{"client not enrolled", "identity", 403, `{"reason":"client-not-enrolled","type":"https://api.twitter.com/2/problems/client-forbidden"}`, "client-not-enrolled"},
		{"client forbidden for a new reason", "identity", 403, `{"reason":"other",` + host + `client-forbidden"}`, "client-forbidden"},
		{"app-only token", "identity", 403, `{"title":"Unsupported Authentication",` + host + `unsupported-authentication","status":403}`, "unsupported-authentication"},
		{"usage cap", "identity", 429, `{"title":"UsageCapExceeded","period":"Monthly",` + host + `usage-capped"}`, "usage-capped"},
		{"at the token endpoint", "refresh", 403, `{` + host + `spend-cap-reached"}`, "spend-cap-reached"},
		{"at the exchange", "exchange", 402, `{` + host + `credits-depleted"}`, "credits-depleted"},

		{"rate limit", "identity", 429, `{"title":"Too Many Requests","type":"about:blank","status":429}`, ""},
		{"a type of another kind", "identity", 429, `{"type":"https://evil.example/spend-cap-reached"}`, ""},
		{"a reason without a problem", "identity", 429, `{"reason":"user-not-enrolled"}`, ""},
		{"401", "identity", 401, `{"title":"Unauthorized","type":"about:blank","status":401}`, ""},
		{"503", "identity", 503, ``, ""},
		{"an error of the RFC", "refresh", 400, `{"error":"invalid_request","error_description":"Missing required parameter [refresh_token]."}`, ""},
		{"403 at the token endpoint", "refresh", 403, `<html>blocked</html>`, ""},
	}
	for _, tt := range tests {
		got := provider.X().Classify(provider.NewAnswer(tt.op, tt.status, http.Header{}, []byte(tt.body)))
		if got.Code != tt.want || (got.Fixer == provider.OperatorFixes) != (tt.want != "") || (got.Hint != "") != (tt.want != "") {
			t.Errorf("Classify(%s) = %+v, want the code %q", tt.name, got, tt.want)
		}
	}
}

// TestXProblems_Scope is the 403 whose body says nothing.
func TestXProblems_Scope(t *testing.T) {
	body := []byte(`{"title":"Forbidden","type":"about:blank","status":403,"detail":"Forbidden"}`)
	got := provider.X().Classify(provider.NewAnswer("identity", 403, nil, body))
	if want := "the token lacks a scope: GET /2/users/me needs users.read and tweet.read"; got.Hint != want || got.Fixer != provider.OperatorFixes {
		t.Errorf("Classify(403) = %+v, want the hint %q", got, want)
	}
}
