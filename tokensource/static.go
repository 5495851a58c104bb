package tokensource

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/ascii"
)

// A StaticSource always supplies the same token, for scripts and tests. It
// cannot renew. [Static] makes one; the zero StaticSource supplies
// [ErrNoGrant]. It is safe for concurrent use.
type StaticSource struct {
	token func() *oauth2.Token // in a closure, so that nothing prints the token
}

// Static returns a Source of one access token that does not change. It refuses
// an empty text, and one with spaces or line breaks, as of a file that was not
// trimmed.
func Static(accessToken string) (*StaticSource, error) {
	if accessToken == "" || !ascii.Visible(accessToken) {
		return nil, errors.New("tokensource: the access token is empty or holds spaces or line breaks: trim what was read from a file")
	}
	tok := &oauth2.Token{AccessToken: accessToken, TokenType: "Bearer"}
	return &StaticSource{func() *oauth2.Token { return tok }}, nil
}

// Token returns the token.
func (s *StaticSource) Token(context.Context) (*oauth2.Token, error) {
	if s.token == nil {
		return nil, ErrNoGrant
	}
	return s.token(), nil
}
