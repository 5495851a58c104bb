package josetest

import (
	"crypto"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Assertions verifies client assertions as a strict server does (RFC 7523
// section 3, and the FAPI 2.0 Security Profile). [NewAssertions] makes one. It
// is safe for concurrent use.
type Assertions struct {
	key func(clientID, keyID string) crypto.PublicKey // nil for an unknown one

	mu   sync.Mutex // guards seen
	seen map[string]bool
}

var _ = oauthtest.Options{Assertions: (*Assertions)(nil)}

// NewAssertions returns a verifier that knows the public keys of clients, by
// their client IDs.
func NewAssertions(keys map[string]crypto.PublicKey) *Assertions {
	return &Assertions{key: func(clientID, _ string) crypto.PublicKey { return keys[clientID] }, seen: map[string]bool{}}
}

// PublishedAssertions returns a verifier that reads the keys of a client in its
// metadata, as a server does that knows clients by their client ID metadata
// documents. The function returns the document of a client ID, or nil.
func PublishedAssertions(document func(clientID string) []byte) *Assertions {
	return &Assertions{seen: map[string]bool{}, key: func(clientID, keyID string) crypto.PublicKey {
		var m struct {
			Keys jose.JSONWebKeySet `json:"jwks"`
		}
		if json.Unmarshal(document(clientID), &m) != nil {
			return nil
		}
		for _, key := range m.Keys.Key(keyID) {
			if key.IsPublic() {
				return key.Key
			}
		}
		return nil
	}}
}

// algorithms are those that the FAPI 2.0 Security Profile allows (section
// 5.4.1), and further ones that servers accept.
var algorithms = []jose.SignatureAlgorithm{jose.PS256, jose.ES256, jose.EdDSA, jose.RS256, jose.ES384, jose.PS512}

type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience any    `json:"aud"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// VerifyAssertion returns the client that the assertion is of. It demands the
// typ client-authentication+jwt, a kid, the audience alone and as a string, a
// lifetime of at most a minute, an iat that is neither old nor more than 10
// seconds ahead, and a jti that was not there before.
func (a *Assertions) VerifyAssertion(assertion, audience string, now time.Time) (clientID string, err error) {
	signed, err := jose.ParseSignedCompact(assertion, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return "", errors.New("josetest: the assertion is no JWT with an algorithm that is accepted")
	}
	header := signed.Signatures[0].Protected
	var c claims
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &c); err != nil {
		return "", errors.New("josetest: the claims are not those of an assertion")
	}
	key := a.key(c.Issuer, header.KeyID)
	if key == nil {
		return "", errors.New("josetest: the client has no key")
	}
	if _, err := signed.Verify(key); err != nil {
		return "", errors.New("josetest: the signature is wrong")
	}
	iat, exp := time.Unix(c.Issued, 0), time.Unix(c.Expires, 0)
	switch {
	case header.ExtraHeaders[jose.HeaderType] != "client-authentication+jwt":
		return "", errors.New("josetest: the typ is another one")
	case header.KeyID == "":
		return "", errors.New("josetest: there is no kid")
	case c.Subject != c.Issuer:
		return "", errors.New("josetest: iss and sub differ")
	case c.Audience != audience:
		return "", errors.New("josetest: the audience is another one, or not a string")
	case iat.After(now.Add(10 * time.Second)), !exp.After(now), exp.Sub(iat) > time.Minute:
		return "", errors.New("josetest: the assertion is too old, too new or valid for too long")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(c.ID) < 16 || a.seen[c.ID] {
		return "", errors.New("josetest: the jti is missing or was there before")
	}
	a.seen[c.ID] = true
	return c.Issuer, nil
}
