package jose

import (
	"crypto"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/internal/isnil"
)

// Thumbprint returns the SHA-256 thumbprint of a public key in base64url ([RFC
// 7638] section 3). It is the value of dpop_jkt and of cnf.jkt ([RFC 9449]
// sections 6.1 and 10). The error is that of a key of a type which JOSE does
// not have.
//
// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
func Thumbprint(public crypto.PublicKey) (string, error) {
	key := jose.JSONWebKey{Key: public}
	if isnil.Value(public) || !key.Valid() || !key.IsPublic() {
		return "", fmt.Errorf("jose: a %T is no public key that can be named by a thumbprint", public)
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("jose: a %T has no thumbprint", public)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
