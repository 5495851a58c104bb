package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/jose"
)

func TestKeySetServesPublicKeys(t *testing.T) {
	keys := []crypto.Signer{curve(t, elliptic.P256()), rsaKey(t), edKey(t)}
	var public []crypto.PublicKey
	for _, key := range keys {
		public = append(public, key.Public())
	}
	set, err := jose.NewKeySet(public...)
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405} {
		w := httptest.NewRecorder()
		set.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/jwks.json", http.NoBody))
		if w.Code != want || want == 200 && w.Header().Get("Content-Type") != "application/jwk-set+json" {
			t.Errorf("%s = %d %q, want %d", method, w.Code, w.Header().Get("Content-Type"), want)
		}
	}
	text, err := json.Marshal(map[string]any{"jwks": set})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ JWKS gojose.JSONWebKeySet }
	if err := json.Unmarshal(text, &got); err != nil || len(got.JWKS.Keys) != len(keys) {
		t.Fatalf("the set is %s, %v, want %d keys", text, err, len(keys))
	}
	for i, key := range got.JWKS.Keys {
		name, _ := jose.Thumbprint(public[i])
		if key.KeyID != name || key.Use != "sig" || !key.IsPublic() {
			t.Errorf("key %d = %+v, want a public one with its thumbprint as kid", i, key)
		}
	}
	for _, member := range []string{`"d"`, `"p"`, `"q"`, `"dp"`} {
		if strings.Contains(string(text), member) {
			t.Errorf("the set has the member %s of a private key", member)
		}
	}
}

func TestNewKeySetRefuses(t *testing.T) {
	key := curve(t, elliptic.P256())
	for name, keys := range map[string][]crypto.PublicKey{
		"nothing": nil, "a private key": {key}, "a key twice": {key.Public(), key.Public()}, "nil": {nil}, "a nil pointer": {(*ecdsa.PublicKey)(nil)},
		"P-224": {curve(t, elliptic.P224()).Public()}, "RSA of 1024 bits": {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}},
		"a text": {"secret"},
	} {
		if _, err := jose.NewKeySet(keys...); err == nil {
			t.Errorf("NewKeySet(%s) = nil, want an error", name)
		}
	}
}

func TestTheZeroKeySetIsEmpty(t *testing.T) {
	if got, err := json.Marshal(new(jose.KeySet)); err != nil || string(got) != `{"keys":[]}` {
		t.Errorf("the zero KeySet is %s, %v, want no keys", got, err)
	}
}
