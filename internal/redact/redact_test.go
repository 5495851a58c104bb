package redact_test

import (
	"testing"

	"github.com/authtrip/authtrip/internal/redact"
)

func TestText(t *testing.T) {
	tests := []struct {
		in      string
		limit   int
		secrets []string
		want    string
	}{
		{"plain words", 20, nil, "plain words"},
		{"line\r\nbreak \x1b[31m", 40, nil, "line..break .[31m"},
		{"caf\u00e9 \xff", 40, nil, "caf. ."},
		{"too long", 3, nil, "too..."},
		{"the token s3cret is bad", 40, []string{"s3cret", ""}, "the token REDACTED is bad"},
	}
	for _, tt := range tests {
		if got := redact.Text(tt.in, tt.limit, tt.secrets...); got != tt.want {
			t.Errorf("Text(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}
