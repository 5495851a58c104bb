package tokensource_test

import (
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
)

func TestStatic(t *testing.T) {
	s, err := tokensource.Static("AAAA%2FAAA%3D")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.Token(t.Context())
	if err != nil || tok.AccessToken != "AAAA%2FAAA%3D" || tok.Type() != "Bearer" || !tok.Expiry.IsZero() || tok.RefreshToken != "" {
		t.Errorf("Token() = %v, want the bearer token without expiry", err)
	}
	if _, ok := any(s).(tokensource.Renewer); ok {
		t.Error("a static source says that it can renew")
	}
}

func TestStaticRefuses(t *testing.T) {
	for name, token := range map[string]string{
		"nothing": "", "a line break": "t0ken\n", "a header": "t0ken\r\nX-Admin: 1", "a space": " t0ken", "a tab": "t0\tken",
		"NUL": "t0ken\x00", "DEL": "t0ken\x7f", "beyond ASCII": "t0k\u00e9n",
	} {
		s, err := tokensource.Static(token)
		if err == nil || s != nil || !strings.Contains(err.Error(), "trim") || strings.Contains(err.Error(), "t0") {
			t.Errorf("Static(%s) = %v, want an error that says to trim and does not tell the token", name, err)
		}
	}
}
