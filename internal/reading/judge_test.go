package reading_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/reading"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestJudge(t *testing.T) {
	p := &provider.Provider{
		Name: "a",
		Refusals: []provider.Refusal{
			{Ops: []string{"refresh"}, Status: 200, Where: map[string]string{"error": "bad_refresh_token"}, Fixer: provider.UserCanFix},
			{Status: 400, Where: map[string]string{"errors.0.code": "invalid", "errors.0.field": "*"}, Fixer: provider.UserCanFix, CodeAt: "errors.0.code"},
			{Ops: []string{"refresh"}, Where: map[string]string{"message": "Token has*"}, Fixer: provider.TimeFixes, Hint: "wait"},
			{Ops: []string{"refresh"}, Status: 500, Where: map[string]string{"reason": "dead"}, Fixer: provider.UserCanFix},
			{Ops: []string{"revoke"}, Status: 404, Fixer: provider.UserCanFix},
		},
		Classify: func(a provider.Answer) provider.Verdict {
			if a.Code() == "classified" {
				return provider.Verdict{Fixer: provider.OperatorFixes}
			}
			return provider.Verdict{}
		},
	}
	tests := []struct {
		name, op string
		status   int
		body     string
		want     provider.Verdict
	}{
		{"a status of 200", "refresh", 200, `{"error":"bad_refresh_token"}`, provider.Verdict{Fixer: provider.UserCanFix}},
		{"another operation", "exchange", 200, `{"error":"bad_refresh_token"}`, provider.Verdict{}},
		{"another status", "refresh", 401, `{"error":"bad_refresh_token"}`, provider.Verdict{}},
		{"another value", "refresh", 200, `{"error":"bad_refresh_token2"}`, provider.Verdict{}},
		{"a member twice", "refresh", 200, `{"error":"x","error":"bad_refresh_token"}`, provider.Verdict{}},
		{"two members and a code", "exchange", 400, `{"errors":[{"code":"invalid","field":"code"}]}`, provider.Verdict{Fixer: provider.UserCanFix, Code: "invalid"}},
		{"one of two members", "exchange", 400, `{"errors":[{"code":"invalid"}]}`, provider.Verdict{}},
		{"an operation that is not listed", "identity", 400, `{"errors":[{"code":"invalid","field":"code"}]}`, provider.Verdict{}},
		{"a beginning", "refresh", 418, `{"message":"Token has expired"}`, provider.Verdict{Fixer: provider.TimeFixes, Hint: "wait"}},
		{"a beginning at an outage", "refresh", 503, `{"message":"Token has expired"}`, provider.Verdict{}},
		{"a beginning at a rate limit", "refresh", 429, `{"message":"Token has expired"}`, provider.Verdict{}},
		{"an outage that is named", "refresh", 500, `{"reason":"dead"}`, provider.Verdict{Fixer: provider.UserCanFix}},
		{"a status alone", "revoke", 404, ``, provider.Verdict{Fixer: provider.UserCanFix}},
		{"what Classify knows", "refresh", 400, `{"error":"classified"}`, provider.Verdict{Fixer: provider.OperatorFixes}},
		{"a page", "refresh", 200, `<html>`, provider.Verdict{}},
	}
	for _, tt := range tests {
		if got := reading.Judge(p, provider.NewAnswer(tt.op, tt.status, nil, []byte(tt.body))); got != tt.want {
			t.Errorf("%s: Judge(%s, %d, %s) = %+v, want %+v", tt.name, tt.op, tt.status, tt.body, got, tt.want)
		}
	}
	if got := reading.Judge(&provider.Provider{}, provider.NewAnswer("refresh", 400, nil, nil)); got != (provider.Verdict{}) {
		t.Errorf("Judge() of a provider without facts = %+v, want nothing", got)
	}
}
