package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/jose"
)

func TestThumbprintOfTheKeysInTheRFCs(t *testing.T) {
	data, err := os.ReadFile("testdata/thumbprints.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		From       string
		Key        gojose.JSONWebKey
		Thumbprint string
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("testdata/thumbprints.json: %d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		if got, err := jose.Thumbprint(v.Key.Key); got != v.Thumbprint || err != nil {
			t.Errorf("Thumbprint(key of %s) = %q, %v, want %q", v.From, got, err, v.Thumbprint)
		}
	}
}

func TestThumbprintRefusesWhatIsNoPublicKey(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.PublicKey{nil, private, []byte("a secret"), "a text", (*ecdsa.PublicKey)(nil), &ecdsa.PublicKey{}} {
		if got, err := jose.Thumbprint(key); err == nil {
			t.Errorf("Thumbprint(%T) = %q, want an error", key, got)
		}
	}
}
