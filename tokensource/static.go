package tokensource

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/redact"
)

// StaticSource always supplies the same token: for scripts and tests. It cannot renew.
type StaticSource struct{ token *oauth2.Token }

// Static returns a Source of one access token that does not change.
func Static(accessToken string) (*StaticSource, error) {
	if accessToken == "" || !ascii.Visible(accessToken) {
		return nil, errors.New("tokensource: the access token is empty or holds spaces or line breaks: trim what was read from a file")
	}
	return &StaticSource{token: &oauth2.Token{AccessToken: accessToken, TokenType: "Bearer"}}, nil
}

// Token returns the token.
func (s *StaticSource) Token(context.Context) (*oauth2.Token, error) { return s.token, nil }

// Format prints no token, whatever the verb.
func (s *StaticSource) Format(f fmt.State, _ rune) { redact.Write(f, s.String()) }

// String prints no token.
func (s *StaticSource) String() string { return "StaticSource{" + redact.Mark + "}" }
