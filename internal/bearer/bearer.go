// Package bearer makes the Authorization header of a Bearer token ([RFC 6750]
// section 2.1).
//
// [Value] makes the value of the header, and refuses a token that must not be
// in one. A source that keeps such values beside its tokens is a [Readier].
// Package transport then makes none of its own.
//
// Everything is safe for concurrent use. The errors are [ErrType] and
// [ErrToken]. They do not quote the token.
//
// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
package bearer

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/oauth2"
)

// These errors say why a token cannot be sent. Package transport shows them to
// users, so their texts begin with its name.
var (
	ErrType  = errors.New("transport: the token is not a Bearer token")
	ErrToken = errors.New("transport: the source supplied no usable token")
)

const scheme = "Bearer "

// Value returns the value of the header for tok. The error is [ErrType] or
// [ErrToken], and does not quote the token.
func Value(tok *oauth2.Token) (string, error) {
	if tok == nil {
		return "", ErrToken
	}
	if tok.TokenType != "" && !strings.EqualFold(tok.TokenType, "Bearer") {
		return "", fmt.Errorf("%w: its type is %.20q", ErrType, tok.TokenType)
	}
	if err := Check(tok.AccessToken); err != nil {
		return "", err
	}
	return scheme + tok.AccessToken, nil
}

// Check refuses a token that no header may carry, with [ErrToken].
func Check(token string) error {
	if token == "" {
		return fmt.Errorf("%w: it is empty", ErrToken)
	}
	for i := range len(token) {
		if c := token[i]; c < 0x21 || c > 0x7e {
			return fmt.Errorf("%w: it contains byte 0x%02x", ErrToken, c)
		}
	}
	return nil
}
