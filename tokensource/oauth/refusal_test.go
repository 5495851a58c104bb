package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// knows is a classifier for servers that word their refusals in their own way.
func knows(a provider.Answer) provider.Verdict {
	over := provider.Verdict{Fixer: provider.UserCanFix}
	switch {
	case a.Member("errors.0.errorType") == "invalid_grant": // Fitbit
		return provider.Verdict{Fixer: provider.UserCanFix, Code: "invalid_grant"}
	case a.Member("error_code") == "refresh_token_not_found": // Supabase
		return over
	case a.Op == "refresh" && strings.HasPrefix(a.Description(), "Refresh token is invalid"): // dex
		return over
	case a.Op == "refresh" && a.Status == 400 && len(a.Body()) == 0: // glewlwyd
		return over
	case a.Status == 500 && strings.Contains(string(a.Body()), "<title>Server Error (500)"): // django-oauth-toolkit
		return over
	case a.Header().Get("X-Reason") == "gone":
		return over
	case a.Code() == "dead_but_not_really":
		return provider.Verdict{Fixer: provider.TimeFixes}
	case a.Code() == "suspended":
		return provider.Verdict{Fixer: provider.OperatorFixes, Hint: "pay the bill"}
	}
	return provider.Verdict{}
}

// G16: A refusal is classified by who can fix it, on the answer as it came.
func TestG16_WhoCanCureARefusal(t *testing.T) {
	user, operator, passing := tokensource.ErrReauthorize, tokensource.ErrClient, tokensource.ErrTemporary
	page := oauthtest.Fault{Status: 500, Body: "<html><title>Server Error (500)</title></html>", ContentType: "text/html"}
	tests := []struct {
		name     string
		classify func(provider.Answer) provider.Verdict
		fault    oauthtest.Fault
		kind     error
		code     string
	}{
		{"Fitbit's errorType", knows, wire.JSON(400, `{"errors":[{"errorType":"invalid_grant"}],"success":false}`), user, "invalid_grant"},
		{"Fitbit's errorType, unknown to the provider", nil, wire.JSON(400, `{"errors":[{"errorType":"invalid_grant"}],"success":false}`), operator, ""},
		{"Supabase's error_code", knows, wire.JSON(400, `{"code":400,"error_code":"refresh_token_not_found","msg":"x"}`), user, ""},
		{"dex's invalid_request", knows, wire.JSON(400, `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`), user, "invalid_request"},
		{"400 with an empty body", knows, oauthtest.Fault{Status: 400}, user, ""},
		{"500 with invalid_grant, known", func(a provider.Answer) provider.Verdict {
			if a.Code() == "invalid_grant" {
				return provider.Verdict{Fixer: provider.UserCanFix}
			}
			return provider.Verdict{}
		}, wire.JSON(500, `{"error":"invalid_grant"}`), user, "invalid_grant"},
		{"500 with invalid_grant, unknown", nil, wire.JSON(500, `{"error":"invalid_grant"}`), passing, "invalid_grant"},
		{"500 in HTML, known", knows, page, user, ""},
		{"500 in HTML, unknown", nil, page, passing, ""},
		{"a header", knows, oauthtest.Fault{Status: 403, Header: map[string][]string{"X-Reason": {"gone"}}}, user, ""},
		{"a code with 200, known", func(a provider.Answer) provider.Verdict {
			if a.Code() == "gone_forever" {
				return provider.Verdict{Fixer: provider.UserCanFix}
			}
			return provider.Verdict{}
		}, wire.JSON(200, `{"error":"gone_forever"}`), user, "gone_forever"},
		{"a 429 that the provider knows better", knows, oauthtest.Fault{Status: 429, Header: map[string][]string{"X-Reason": {"gone"}}}, user, ""},
		{"a code that is temporary there", knows, wire.JSON(400, `{"error":"dead_but_not_really"}`), passing, "dead_but_not_really"},
		{"a hint of the provider", knows, wire.JSON(403, `{"error":"suspended"}`), operator, "suspended"},

		{"invalid_grant with 200", nil, wire.JSON(200, `{"error":"invalid_grant"}`), user, "invalid_grant"},
		{"invalid_grant beside tokens", nil, wire.JSON(200, `{"error":"invalid_grant","access_token":"a"}`), user, "invalid_grant"},
		{"invalid_grant in a form", nil, oauthtest.Fault{Status: 400, Body: "error=invalid_grant&error_description=x"}, user, "invalid_grant"},
		{"invalid_grant in HTML's media type", nil, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`, ContentType: "text/html"}, user, "invalid_grant"},
		{"invalid_grant behind a byte order mark", nil, wire.JSON(400, "\ufeff"+`{"error":"invalid_grant"}`), user, "invalid_grant"},
		{"bad_refresh_token with 200, as GitHub", nil, wire.JSON(200, `{"error":"bad_refresh_token"}`), user, "bad_refresh_token"},
		{"bad_refresh_token in a form, as GitHub", nil, oauthtest.Fault{Status: 200, Body: "error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect"}, user, "bad_refresh_token"},
		{"invalid_refresh_token, as Slack", nil, wire.JSON(200, `{"ok":false,"error":"invalid_refresh_token"}`), user, "invalid_refresh_token"},
		{"refresh_token_expired", nil, wire.JSON(401, `{"error":"refresh_token_expired"}`), user, "refresh_token_expired"},
		{"missing_refresh_token", nil, wire.JSON(400, `{"error":"missing_refresh_token"}`), operator, "missing_refresh_token"},
		{"token_inactive, as hydra", nil, wire.JSON(401, `{"error":"token_inactive"}`), user, "token_inactive"},
		{"interaction_required", nil, wire.JSON(400, `{"error":"interaction_required"}`), user, "interaction_required"},
		{"login_required", nil, wire.JSON(400, `{"error":"login_required"}`), user, "login_required"},
		{"consent_required", nil, wire.JSON(400, `{"error":"consent_required"}`), user, "consent_required"},
		{"account_selection_required", nil, wire.JSON(400, `{"error":"account_selection_required"}`), user, "account_selection_required"},
		{"interaction_required with 503", nil, wire.JSON(503, `{"error":"interaction_required"}`), passing, "interaction_required"},
		{"ratelimited with 200, as Slack", nil, wire.JSON(200, `{"ok":false,"error":"ratelimited"}`), passing, "ratelimited"},
		{"rate_limit_exceeded with 403", nil, wire.JSON(403, `{"error":"rate_limit_exceeded"}`), passing, "rate_limit_exceeded"},
		{"fatal_error with 200, as Slack", nil, wire.JSON(200, `{"ok":false,"error":"fatal_error"}`), passing, "fatal_error"},
		{"quota_exceeded", nil, wire.JSON(403, `{"error":"quota_exceeded"}`), passing, "quota_exceeded"},
		{"too_many_attempts", nil, wire.JSON(400, `{"error":"too_many_attempts"}`), passing, "too_many_attempts"},
		{"session_timeout", nil, wire.JSON(400, `{"error":"session_timeout"}`), user, "session_timeout"},
		{"internal_error with 200", nil, wire.JSON(200, `{"ok":false,"error":"internal_error"}`), passing, "internal_error"},
		{"service_unavailable with 200", nil, wire.JSON(200, `{"ok":false,"error":"service_unavailable"}`), passing, "service_unavailable"},
		{"a code that nobody knows, with 200", nil, wire.JSON(200, `{"ok":false,"error":"team_added_to_org"}`), operator, "team_added_to_org"},
		{"an error object with 200", nil, wire.JSON(200, `{"error":{"code":190,"message":"x"}}`), operator, ""},
		{"an error that is true, beside a token", nil, wire.JSON(200, `{"error":true,"access_token":"a"}`), operator, "true"},
		{"an error twice, beside a token", nil, wire.JSON(200, `{"error":"","error":"invalid_grant","access_token":"a"}`), operator, ""},
		{"an error with 400, cut off behind its code", nil, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant","x":1}`, Truncate: 26}, user, "invalid_grant"},
		{"an error with 200, cut off behind its code", nil, oauthtest.Fault{Status: 200, Body: `{"error":"invalid_grant","x":1}`, Truncate: 26}, user, "invalid_grant"},
		{"an error with 400, cut off in its code", nil, oauthtest.Fault{Status: 400, Body: `{"error":"invalid_grant","x":1}`, Truncate: 15}, passing, ""},
		{"409 of two requests that met", nil, wire.JSON(409, `{"error":"conflict"}`), passing, "conflict"},
		{"409 with invalid_grant", nil, wire.JSON(409, `{"error":"invalid_grant"}`), user, "invalid_grant"},
		{"408 as JSON", nil, wire.JSON(408, `{"message":"timeout"}`), passing, ""},
		{"423 as JSON", nil, wire.JSON(423, `{"error":"locked"}`), passing, "locked"},
		{"407 of a proxy", nil, oauthtest.Fault{Status: 407, Body: xapi.HTMLPage}, passing, ""},
		{"511 of a portal", nil, oauthtest.Fault{Status: 511, Body: xapi.HTMLPage}, passing, ""},
		{"451 in HTML", nil, oauthtest.Fault{Status: 451, Body: xapi.HTMLPage}, passing, ""},
		{"502 of a gateway", nil, oauthtest.Fault{Status: 502, Body: xapi.HTMLPage}, passing, ""},
		{"504 of a gateway with an error code", nil, wire.JSON(504, `{"error":"invalid_grant"}`), passing, "invalid_grant"},
		{"520 of a CDN", nil, oauthtest.Fault{Status: 520, Body: xapi.HTMLPage}, passing, ""},
	}
	for _, tt := range tests {
		w, s := newWorld(t), confidential()
		s.p.Classify = tt.classify
		w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
		tok, err := w.at(s).Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || tok != nil || e.Kind != tt.kind || e.Code != tt.code || e.Status != tt.fault.Status || e.InDoubt {
			t.Errorf("%s: Refresh() = %v, want %v with code %q and no doubt", tt.name, err, tt.kind, tt.code)
		}
		if errors.Is(tt.kind, user) && e.Reason != tokensource.ReasonRefused {
			t.Errorf("%s: reason = %q, want %q", tt.name, e.Reason, tokensource.ReasonRefused)
		}
		w.only()
	}
}

func TestTheProvidersHintIsShown(t *testing.T) {
	w, s := newWorld(t), confidential()
	s.p.Classify = knows
	w.answer(403, `{"error":"suspended"}`)
	for _, op := range operations {
		if err := op.run(t.Context(), w.at(s)); err == nil || !strings.Contains(err.Error(), "pay the bill") {
			t.Errorf("%s = %v, want the hint", op.name, err)
		}
	}
	_, err := w.at(s).Identity(t.Context(), &oauth2.Token{AccessToken: "a"})
	testworld.WantIs(t, err, tokensource.ErrClient)
	if err == nil || !strings.Contains(err.Error(), "pay the bill") {
		t.Errorf("Identity() = %v, want the hint", err)
	}
}

// What a classifier sees, for each operation.
func TestWhatTheProviderClassifies(t *testing.T) {
	for _, op := range operations {
		for _, status := range []int{302, 400, 403, 429, 500, 503} {
			w, s := newWorld(t), confidential()
			var seen []provider.Answer
			s.p.Classify = func(a provider.Answer) provider.Verdict { seen = append(seen, a); return provider.Verdict{} }
			w.Fake.Inject(oauthtest.Match{}, wire.JSON(status, `{"error":"e","error_description":"`+someRefresh+`"}`), 1)
			_ = op.run(t.Context(), w.at(s))
			if len(seen) != 1 || seen[0].Op != op.name || seen[0].Status != status || seen[0].Code() != "e" || seen[0].Description() != someRefresh {
				t.Errorf("%s with %d: Classify saw %v, want the answer once, as it came", op.name, status, seen)
			}
		}
	}
}

// A refusal is judged on the code as it came, whatever is removed from the
// text.
func TestASecretThatIsPartOfACode(t *testing.T) {
	for _, secret := range []string{"grant", "invalid", "invalid_grant"} {
		w, s := newWorld(t), confidential()
		s.r.Credential = oauth.Secret(secret)
		w.answer(400, `{"error":"invalid_grant","error_description":"the secret is `+secret+`"}`)
		_, err := w.at(s).Refresh(t.Context(), someRefresh)
		testworld.WantReason(t, err, tokensource.ReasonRefused)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Code != "invalid_grant" || strings.Contains(e.Description, secret) {
			t.Errorf("secret %q: Refresh() = %v, want the code as it came and no secret in the description", secret, err)
		}
	}
}

func TestHintsForARefusedClient(t *testing.T) {
	for name, tt := range map[string]struct {
		s    setting
		code string
		want []string
	}{
		"confidential": {confidential(), "invalid_client", []string{"client secret", "ClientAuth", "Post", "BasicRaw"}},
		"unauthorized": {confidential(), "unauthorized_client", []string{"client secret", "ClientAuth", "Post", "BasicRaw"}},
		"public":       {public(), "invalid_client", []string{"no Credential", "oauth.Secret"}},
		"unrecognized": {confidential(), "invalid_request", []string{"Provider.Classify"}},
	} {
		w := newWorld(t)
		w.answer(401, `{"error":"`+tt.code+`"}`)
		_, err := w.at(tt.s).Refresh(t.Context(), someRefresh)
		testworld.WantIs(t, err, tokensource.ErrClient)
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: Refresh() = %v, want %q in the hint", name, err, want)
			}
		}
	}
}

// Of a refusal that nothing explains, nobody knows whether it concerns the
// client.
func TestUnrecognizedRefusals(t *testing.T) {
	tests := []struct {
		name  string
		fault oauthtest.Fault
		want  bool
	}{
		{"400 with nothing", oauthtest.Fault{Status: 400}, true},
		{"400 in HTML", oauthtest.Fault{Status: 400, Body: xapi.HTMLPage}, true},
		{"401 with nothing", oauthtest.Fault{Status: 401}, true},
		{"invalid_request", wire.JSON(400, `{"error":"invalid_request"}`), true},
		{"a code that nobody knows", wire.JSON(400, `{"error":"whatever"}`), true},
		{"a code that nobody knows, with 200", wire.JSON(200, `{"error":"whatever"}`), true},
		{"a code that nobody knows, with 404", wire.JSON(404, `{"error":"whatever"}`), true},
		{"problem details", wire.JSON(400, `{"title":"Bad Request","status":400}`), true},
		{"invalid_client", wire.JSON(401, `{"error":"invalid_client"}`), false},
		{"unauthorized_client", wire.JSON(403, `{"error":"unauthorized_client"}`), false},
		{"unsupported_grant_type", wire.JSON(400, `{"error":"unsupported_grant_type"}`), false},
		{"invalid_scope", wire.JSON(400, `{"error":"invalid_scope"}`), false},
		{"302", oauthtest.Fault{Status: 302}, false},
		{"404 in HTML", oauthtest.Fault{Status: 404, Body: xapi.HTMLPage}, false},
		{"405", oauthtest.Fault{Status: 405}, false},
		{"tokens that cannot be used", wire.JSON(200, `{"access_token":"a b"}`), false},
		{"invalid_grant", wire.JSON(400, `{"error":"invalid_grant"}`), false},
		{"500", oauthtest.Fault{Status: 500}, false},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
		_, err := w.Client.Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Unrecognized != tt.want {
			t.Errorf("%s: Refresh() = %v: unrecognized %v, want %v", tt.name, err, ok && e.Unrecognized, tt.want)
		}
	}
	s := confidential()
	s.p.Classify = func(provider.Answer) provider.Verdict { return provider.Verdict{Fixer: provider.OperatorFixes} }
	w := newWorld(t)
	w.answer(400, `{}`)
	_, err := w.at(s).Refresh(t.Context(), someRefresh)
	if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Kind != tokensource.ErrClient || e.Unrecognized {
		t.Errorf("Refresh() = %v, want a refusal that the provider recognizes", err)
	}
}
