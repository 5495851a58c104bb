package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestAnswerMember(t *testing.T) {
	const fitbit = `{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid"}],"success":false}`
	tests := []struct{ name, body, path, want string }{
		{"a text", `{"error":"a"}`, "error", "a"},
		{"a list of objects", fitbit, "errors.0.errorType", "invalid_grant"},
		{"behind the list", fitbit, "errors.1.errorType", ""},
		{"before the list", fitbit, "errors.-1.errorType", ""},
		{"a name in a list", fitbit, "errors.first", ""},
		{"a Boolean", fitbit, "success", "false"},
		{"a list", fitbit, "errors", ""},
		{"an object", fitbit, "errors.0", ""},
		{"a number", `{"code":400}`, "code", "400"},
		{"a large number", `{"id":12345678901234567890}`, "id", "12345678901234567890"},
		{"null", `{"error":null}`, "error", ""},
		{"a path into a text", `{"error":"a"}`, "error.code", ""},
		{"no such member", `{}`, "error", ""},
		{"no path", `{"":"a"}`, "", "a"},
		{"another case", `{"Error":"a"}`, "error", ""},
		{"a member twice", `{"error":"a","error":"b"}`, "error", ""},
		{"an inner member twice", `{"error":{"code":"a","code":"b"}}`, "error.code", ""},
		{"a form", "error=bad+token&error_description=x%20y", "error", "bad token"},
		{"a byte order mark", "\ufeff" + `{"error":"a"}`, "error", "a"},
		{"cut short", `{"error":"a","x":`, "error", "a"},
		{"a list of errors, as Salesforce", `[{"errorCode":"INVALID_SESSION_ID"}]`, "0.errorCode", "INVALID_SESSION_ID"},
		{"a list behind a byte order mark", "\ufeff" + `["a","b"]`, "1", "b"},
		{"behind a list", `["a"]`, "1", ""},
		{"a code in a list", `["error"]`, "error", ""},
		{"a list that is cut short", `["a"`, "0", ""},
		{"HTML", `<html error="a">`, "error", ""},
		{"nothing", ``, "error", ""},
	}
	for _, tt := range tests {
		a := provider.NewAnswer("refresh", 400, nil, []byte(tt.body))
		if got := a.Member(tt.path); got != tt.want {
			t.Errorf("%s: Member(%q) of %q = %q, want %q", tt.name, tt.path, tt.body, got, tt.want)
		}
	}
}

func TestAnswerIsWhatTheServerSent(t *testing.T) {
	header := http.Header{"X-Reason": {"gone"}}
	body := `{"error":"e","error_description":"d"}` + strings.Repeat(" ", 64<<10)
	a := provider.NewAnswer("exchange", 500, header, []byte(body))
	if a.Op != "exchange" || a.Status != 500 || a.Header().Get("X-Reason") != "gone" || a.Code() != "e" || a.Description() != "d" {
		t.Errorf("NewAnswer() = %s, %d, %v, %q, %q", a.Op, a.Status, a.Header(), a.Code(), a.Description())
	}
	if got := a.Body(); len(got) != 64<<10 || string(got) != body[:64<<10] {
		t.Errorf("Body() has %d bytes, want the first %d", len(got), 64<<10)
	}
	var none provider.Answer
	if none.Code() != "" || none.Header() != nil || none.Body() != nil {
		t.Error("the zero Answer has content")
	}
}

func TestAnAnswerIsPrintedWithoutItsContent(t *testing.T) {
	const canary = "canary-t0ken"
	a := provider.NewAnswer("refresh", 400, http.Header{"X": {canary}}, []byte(`{"error":"`+canary+`"}`))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(format, a); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("Sprintf(%s) = %q: it shows the content", format, text)
		}
	}
}

func TestKeptMembers(t *testing.T) {
	p := example()
	p.KeepMembers = []string{"id_token", "team.id", "sites.1.url", "missing", "team.missing", "id_token.x"}
	answer := map[string]any{
		"id_token": "jwt", "team": map[string]any{"id": "T1"}, "sites": []any{nil, map[string]any{"url": "u"}}, "other": "o",
	}
	got := p.Kept(func(name string) any { return answer[name] })
	if want := map[string]any{"id_token": "jwt", "team.id": "T1", "sites.1.url": "u"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Kept() = %v, want %v", got, want)
	}
}

// FuzzAnswer reads what any server may send as a classifier would.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"error":"invalid_grant","error_description":"x"}`, `{"errors":[{"errorType":"invalid_grant"}]}`, "error=a&error_description=b+c",
		`<html>`, ``, `{"error":{"code":190}}`, `{"error":"a","error":"b"}`, "\ufeff{}", `{"errors":[[[[`,
	} {
		f.Add(400, []byte(body), "errors.0.errorType")
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, path string) {
		a := provider.NewAnswer("refresh", status, nil, body)
		if len(a.Body()) > 64<<10 || !strings.HasPrefix(string(body), string(a.Body())) {
			t.Errorf("Body() of %q has %d bytes", body, len(a.Body()))
		}
		if a.Member("error") != a.Code() || a.Member("error_description") != a.Description() {
			t.Errorf("%q: Code() = %q, Description() = %q", body, a.Code(), a.Description())
		}
		if text := a.Member(path); len(text) > 3*len(body) {
			t.Errorf("Member(%q) of %q = %q: it is longer than the body", path, body, text)
		}
		for _, op := range []string{"exchange", "refresh", "identity", "revoke"} {
			v := provider.X().Classify(provider.NewAnswer(op, status, nil, body))
			if v.Fixer == provider.UserCanFix && status != 400 && status != 401 {
				t.Errorf("Classify(%s, %d, %q) = %+v: a grant is taken for dead", op, status, body, v)
			}
		}
	})
}
