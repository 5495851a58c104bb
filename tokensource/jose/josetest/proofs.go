package josetest

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Proofs verifies proofs of possession as a strict server does (RFC 9449
// section 4.3). Its zero value is ready.
type Proofs struct{}

var _ = oauthtest.Options{Proofs: Proofs{}}

// proofAlgorithms are all that have a public key.
var proofAlgorithms = []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
}

type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	Target string `json:"htu"`
	Issued int64  `json:"iat"`
	Hash   string `json:"ath"`
	Nonce  string `json:"nonce"`
}

// leeway is how far iat may be from the time of the server.
const leeway = 30 * time.Second

// VerifyProof returns the thumbprint of the key, and the ID and the nonce of a
// proof. It demands the typ dpop+jwt, a public key in the header and no other
// name of one, a signature of that key, an ID of at least 96 bits, the method,
// the target, the hash of the access token and an iat that is not more than 30
// seconds away.
func (Proofs) VerifyProof(proof, method, target, accessToken string, now time.Time) (thumbprint, id, nonce string, err error) {
	signed, err := jose.ParseSignedCompact(proof, proofAlgorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return "", "", "", errors.New("josetest: the proof is no JWT with an algorithm that is accepted")
	}
	header := signed.Signatures[0].Protected
	key := header.JSONWebKey
	if header.ExtraHeaders["typ"] != "dpop+jwt" || key == nil || !key.IsPublic() || header.KeyID != "" {
		return "", "", "", errors.New("josetest: the header is not that of a proof")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return "", "", "", errors.New("josetest: the signature of the proof is wrong")
	}
	var c proofClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", "", "", errors.New("josetest: the claims are not those of a proof")
	}
	if err := c.check(method, target, accessToken, now); err != nil {
		return "", "", "", err
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", "", "", errors.New("josetest: the key has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(sum), c.ID, c.Nonce, nil
}

func (c *proofClaims) check(method, target, accessToken string, now time.Time) error {
	const shortest = 16 // characters of base64url for 96 bits
	hash := ""
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		hash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	age := now.Sub(time.Unix(c.Issued, 0))
	switch {
	case len(c.ID) < shortest:
		return errors.New("josetest: the jti is too short")
	case c.Method != method, c.Target != target:
		return errors.New("josetest: the proof is for another request")
	case subtle.ConstantTimeCompare([]byte(c.Hash), []byte(hash)) != 1:
		return errors.New("josetest: the proof is for another access token")
	case age > leeway, age < -leeway:
		return errors.New("josetest: the proof is old, or from the future")
	}
	return nil
}
