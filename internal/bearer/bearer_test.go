package bearer_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
)

func TestValue(t *testing.T) {
	tests := []struct {
		tok  *oauth2.Token
		want string
		err  error
	}{
		{&oauth2.Token{AccessToken: "abc"}, "Bearer abc", nil},
		{&oauth2.Token{AccessToken: "abc", TokenType: "bearer"}, "Bearer abc", nil},
		{nil, "", bearer.ErrToken},
		{&oauth2.Token{}, "", bearer.ErrToken},
		{&oauth2.Token{AccessToken: "canary\r\n"}, "", bearer.ErrToken},
		{&oauth2.Token{AccessToken: "canary x"}, "", bearer.ErrToken},
		{&oauth2.Token{AccessToken: "canary", TokenType: "DPoP"}, "", bearer.ErrType},
	}
	for _, test := range tests {
		got, err := bearer.Value(test.tok)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("Value = %q, %v, want %q, %v", got, err, test.want, test.err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("Value's error quotes the token: %v", err)
		}
	}
}
