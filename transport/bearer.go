package transport

import (
	"hash/maphash"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bearer"
)

// These errors say why a token is not sent. Match them with errors.Is.
var (
	// ErrTokenType means that the source supplied a token that is not a Bearer
	// token (RFC 6750). A token bound to a key, such as a DPoP token, is never sent
	// as a Bearer token (RFC 9449 section 7.1).
	ErrTokenType = bearer.ErrType

	// ErrBadToken means that the source supplied no token, or one with bytes that
	// no header may carry (RFC 6749 appendix A.12: printable ASCII without spaces).
	ErrBadToken = bearer.ErrToken
)

// headerSlots bounds the cache: that many tokens in use at once cost no string
// per request.
const headerSlots = 1024

// headers keeps the header values of the tokens seen last, for sources that
// keep none, so that a request costs no new string however long its token is.
// The token's address picks the slot and nothing more: an entry serves only the
// token whose text it was built from, so a changed token, or another one at a
// reused address, never gets a wrong header. Safe for concurrent use, without
// locks.
type headers struct {
	seed  maphash.Seed
	slots *[headerSlots]atomic.Pointer[header] // nil for a source that keeps the values itself
}

func newHeaders(kept bool) headers {
	if kept {
		return headers{}
	}
	return headers{maphash.MakeSeed(), new([headerSlots]atomic.Pointer[header])}
}

// header is never changed once it is stored.
type header struct {
	token, kind string
	value       string
}

// value returns the Authorization value for tok, or ErrTokenType or
// ErrBadToken.
func (c *headers) value(tok *oauth2.Token) (string, error) {
	if tok == nil {
		return "", ErrBadToken
	}
	if c.slots == nil {
		return bearer.Value(tok)
	}
	slot := &c.slots[maphash.Comparable(c.seed, tok)%headerSlots]
	if h := slot.Load(); h != nil && h.token == tok.AccessToken && h.kind == tok.TokenType {
		return h.value, nil
	}
	value, err := bearer.Value(tok)
	if err != nil {
		return "", err
	}
	slot.Store(&header{token: tok.AccessToken, kind: tok.TokenType, value: value})
	return value, nil
}
