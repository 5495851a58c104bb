package tokensource_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// jsonFault answers with status and a JSON body.
func jsonFault(status int, body string) oauthtest.Fault {
	return oauthtest.Fault{Status: status, Body: body, ContentType: "application/json"}
}

// What eleven real servers and the gateways before them answer, and what it means.
func TestErrorResponses(t *testing.T) {
	const (
		problem    = `{"type":"about:blank","title":"Bad Request","status":400,"detail":"no"}`
		xDeadToken = `{"error":"invalid_request","error_description":"Value passed for the token was invalid."}`
		xDeadCode  = `{"error":"invalid_request","error_description":"Value passed for the authorization code was invalid.","errors":[{"code":1}]}`
		dexDead    = `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`
	)
	dead, client, temporary := tokensource.ErrReauthorize, tokensource.ErrClient, tokensource.ErrTemporary
	page := oauthtest.Fault{Status: 403, Body: oauthtest.HTMLPage}
	tests := []struct {
		name  string
		op    string // every one if empty
		fault oauthtest.Fault
		kind  error
		code  string
	}{
		{"invalid_grant", "refresh", jsonFault(400, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant with 401", "refresh", jsonFault(401, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant with 403", "refresh", jsonFault(403, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant for a code", "exchange", jsonFault(400, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant for a code with 401", "exchange", jsonFault(401, `{"error":"invalid_grant"}`), dead, "invalid_grant"},
		{"invalid_grant in another media type", "refresh", oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, dead, "invalid_grant"},
		{"invalid_grant with 429", "", jsonFault(429, `{"error":"invalid_grant"}`), temporary, "invalid_grant"},
		{"invalid_grant with 500", "", jsonFault(500, `{"error":"invalid_grant"}`), temporary, "invalid_grant"},
		{"invalid_grant with 503", "", jsonFault(503, `{"error":"invalid_grant"}`), temporary, "invalid_grant"},
		{"X's dead refresh token", "refresh", jsonFault(400, xDeadToken), dead, "invalid_request"},
		{"X's dead refresh token for a code", "exchange", jsonFault(400, xDeadToken), client, "invalid_request"},
		{"X's dead refresh token with 401", "refresh", jsonFault(401, xDeadToken), client, "invalid_request"},
		{"X's dead code", "exchange", jsonFault(400, xDeadCode), dead, "invalid_request"},
		{"X's dead code at a refresh", "refresh", jsonFault(400, xDeadCode), client, "invalid_request"},
		{"invalid_request alone", "", jsonFault(400, `{"error":"invalid_request"}`), client, "invalid_request"},
		{"dex's text is known to nobody here", "refresh", jsonFault(400, dexDead), client, "invalid_request"},
		{"400 with nothing", "", oauthtest.Fault{Status: 400}, client, ""},
		{"400 in HTML", "", oauthtest.Fault{Status: 400, Body: oauthtest.HTMLPage}, client, ""},
		{"problem details", "", oauthtest.Fault{Status: 400, Body: problem, ContentType: "application/problem+json"}, client, ""},
		{"invalid_code", "exchange", jsonFault(403, `{"error":"invalid_code"}`), client, "invalid_code"},
		{"expired_token", "exchange", jsonFault(400, `{"error":"expired_token"}`), client, "expired_token"},
		{"invalid_client", "", jsonFault(401, `{"error":"invalid_client"}`), client, "invalid_client"},
		{"invalid_client with 400", "", jsonFault(400, `{"error":"invalid_client"}`), client, "invalid_client"},
		{"unauthorized_client", "", jsonFault(401, `{"error":"unauthorized_client"}`), client, "unauthorized_client"},
		{"unauthorized_client with 403", "", jsonFault(403, `{"error":"unauthorized_client"}`), client, "unauthorized_client"},
		{"unsupported_grant_type", "", jsonFault(400, `{"error":"unsupported_grant_type"}`), client, "unsupported_grant_type"},
		{"invalid_scope", "", jsonFault(400, `{"error":"invalid_scope"}`), client, "invalid_scope"},
		{"401 with nothing", "", oauthtest.Fault{Status: 401}, client, ""},
		{"404", "", oauthtest.Fault{Status: 404, Body: oauthtest.HTMLPage}, client, ""},
		{"403 of X's app-only endpoint", "", jsonFault(403, `{"errors":[{"code":99,"message":"Unable to verify your credentials"}]}`), client, ""},
		{"an edge's page with 403", "", page, temporary, ""},
		{"403 with nothing", "", oauthtest.Fault{Status: 403}, temporary, ""},
		{"408 of a gateway", "", oauthtest.Fault{Status: 408, Body: "timeout"}, temporary, ""},
		{"425", "", oauthtest.Fault{Status: 425}, temporary, ""},
		{"429 in text", "", oauthtest.Fault{Status: 429, Body: "Rate limit exceeded"}, temporary, ""},
		{"429 as a problem", "", jsonFault(429, `{"title":"Too Many Requests","status":429}`), temporary, ""},
		{"500 server_error", "", jsonFault(500, `{"error":"server_error"}`), temporary, "server_error"},
		{"500 with invalid_request of dex", "", jsonFault(500, dexDead), temporary, "invalid_request"},
		{"500 in HTML", "", oauthtest.Fault{Status: 500, Body: oauthtest.HTMLPage}, temporary, ""},
		{"502", "", oauthtest.Fault{Status: 502, Body: "Bad Gateway"}, temporary, ""},
		{"over capacity", "", jsonFault(503, `{"errors":[{"code":130,"message":"Over capacity"}]}`), temporary, ""},
		{"504 with nothing", "", oauthtest.Fault{Status: 504}, temporary, ""},
		{"server_error with 400", "", jsonFault(400, `{"error":"server_error"}`), temporary, "server_error"},
		{"temporarily_unavailable with 400", "", jsonFault(400, `{"error":"temporarily_unavailable"}`), temporary, "temporarily_unavailable"},
		{"an error twice", "refresh", jsonFault(400, `{"error":"x","error":"invalid_grant"}`), client, ""},
		{"an error in another case", "refresh", jsonFault(400, `{"Error":"invalid_grant"}`), client, ""},
		{"an error that is no string", "refresh", jsonFault(400, `{"error":["invalid_grant"]}`), client, ""},
		{"an error and more", "refresh", jsonFault(400, `{"error":"invalid_grant"}{}`), client, ""},
	}
	for _, tt := range tests {
		for _, op := range operations {
			if tt.op != "" && tt.op != op.name {
				continue
			}
			w, what := newWorld(t), tt.name+", "+op.name
			w.fake.Inject(oauthtest.Match{}, tt.fault, 1)
			err := op.run(t.Context(), w.client)
			e, ok := errors.AsType[*tokensource.Error](err)
			if !ok || e.Kind != tt.kind || e.Code != tt.code || e.Status != tt.fault.Status || e.Op != op.name || e.InDoubt {
				t.Errorf("%s = %v, want %v with code %q", what, err, tt.kind, tt.code)
			}
			if err != nil && (strings.Contains(err.Error(), "<") || strings.Contains(err.Error(), "about:blank")) {
				t.Errorf("%s = %v: it quotes the body", what, err)
			}
			w.only()
		}
	}
}

func TestAProviderKnowsItsDeadGrants(t *testing.T) {
	var seen provider.Failure
	s := confidential()
	s.p.DeadGrant = func(f provider.Failure) bool { seen = f; return f.Status == 400 && f.Code == "" }
	w := newWorld(t)
	w.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 400}, 1) // glewlwyd's refusal
	_, err := w.at(s).Refresh(t.Context(), someRefresh)
	wantReason(t, err, tokensource.ReasonRefused)
	if want := (provider.Failure{GrantType: "refresh_token", Status: 400}); seen != want {
		t.Errorf("DeadGrant saw %+v, want %+v", seen, want)
	}
	seen = provider.Failure{}
	w.fake.Inject(oauthtest.Match{}, jsonFault(500, `{"error":"invalid_request"}`), 1)
	_, err = w.at(s).Refresh(t.Context(), someRefresh)
	wantIs(t, err, tokensource.ErrTemporary)
	if seen != (provider.Failure{}) {
		t.Errorf("DeadGrant was asked about %+v, which no server can mean for good", seen)
	}
}

func TestDescriptionsAreMadeFitForLogs(t *testing.T) {
	tests := []struct{ name, body, code, description string }{
		{"plain", `{"error":"invalid_scope","error_description":"no such scope"}`, "invalid_scope", "no such scope"},
		{"line breaks", `{"error":"a\r\nb","error_description":"x\r\nlevel=INFO msg=\"logged in\"\u0000"}`, "a..b", `x..level=INFO msg="logged in".`},
		{"terminal", `{"error":"\u001b]0;x\u0007","error_description":"\u001b[2Jgone\u009b"}`, ".]0;x.", ".[2Jgone."},
		{"beyond ASCII", `{"error":"e","error_description":"caf\u00e9 \u202e"}`, "e", "caf. ."},
		{"long", `{"error":"` + strings.Repeat("c", 999) + `","error_description":"` + strings.Repeat("d", 999) + `"}`,
			strings.Repeat("c", 64) + "...", strings.Repeat("d", 200) + "..."},
		{"echoes", `{"error":"` + someRefresh + `","error_description":"` + someRefresh + ` of ` + oauthtest.ConfidentialApp().Secret + `"}`,
			"REDACTED", "REDACTED of REDACTED"},
		{"no string", `{"error":"e","error_description":{"a":1}}`, "e", ""},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.fake.Inject(oauthtest.Match{}, jsonFault(400, tt.body), 1)
		_, err := w.client.Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Code != tt.code || e.Description != tt.description {
			t.Errorf("%s: code, description = %q, %q, want %q, %q", tt.name, e.Code, e.Description, tt.code, tt.description)
		}
		if text := err.Error(); strings.ContainsAny(text, "\r\n\x1b\x00") {
			t.Errorf("%s: Error() = %q", tt.name, text)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		tests := []struct {
			value string
			want  time.Duration
		}{
			{"", 0},
			{"0", 0},
			{"7", 7 * time.Second},
			{" 7 ", 7 * time.Second},
			{"3600", time.Hour},
			{"3601", time.Hour},
			{"2147483647", time.Hour},
			{"-5", 0},
			{"+5", 0},
			{"1.5", 0},
			{"1e3", 0},
			{"soon", 0},
			{"7 seconds", 0},
			{at(90 * time.Second), 90 * time.Second},
			{time.Now().Add(90 * time.Second).UTC().Format(time.RFC850), 90 * time.Second},
			{at(-time.Hour), 0},
			{at(48 * time.Hour), time.Hour},
			{"Mon, 32 Jan 2026 00:00:00 GMT", 0},
		}
		w := newWorld(t)
		for _, tt := range tests {
			for _, status := range []int{429, 503} {
				w.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: status, Header: http.Header{"Retry-After": {tt.value}}}, len(operations))
				for _, op := range operations {
					err := op.run(t.Context(), w.client)
					e, ok := errors.AsType[*tokensource.Error](err)
					if !ok || e.RetryAfter != tt.want {
						t.Errorf("%s with Retry-After %q = %v, want RetryAfter %v", op.name, tt.value, err, tt.want)
					}
					if said := strings.Contains(err.Error(), "retry after"); said != (tt.want > 0) {
						t.Errorf("%s with Retry-After %q = %v", op.name, tt.value, err)
					}
				}
			}
		}
		w.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 401, Header: http.Header{"Retry-After": {"7"}}}, 1)
		_, err := w.client.Refresh(t.Context(), someRefresh)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter != 0 {
			t.Errorf("Refresh() = %v, want no RetryAfter: nothing will change by itself", err)
		}
	})
}

func TestErrorText(t *testing.T) {
	err := fmt.Errorf("app: %w", &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrTemporary, Status: 503, Code: "server_error", Description: "busy",
		RetryAfter: 1500 * time.Millisecond, InDoubt: true, Hint: "wait", Err: errors.New("cause"),
	})
	want := "app: tokensource: refresh: temporary failure: HTTP 503: server_error (busy): the outcome is unknown: retry after 2s: cause: wait"
	if got := err.Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	gone := &tokensource.Error{Op: "token", Kind: tokensource.ErrNoGrant, Reason: tokensource.ReasonNoGrant}
	if got, want := gone.Error(), "tokensource: token: no grant"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	wantIs(t, gone, tokensource.ErrReauthorize)
	if got := (&tokensource.Error{Op: "load"}).Unwrap(); len(got) != 0 {
		t.Errorf("Unwrap() = %v, want nothing", got)
	}
}
