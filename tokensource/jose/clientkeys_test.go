package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
)

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestNewClientKeysRefuses(t *testing.T) {
	good, other := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var none *ecdsa.PrivateKey
	for name, tt := range map[string]struct {
		o    *jose.AssertionOptions
		keys []crypto.Signer
	}{
		"no key":                         {nil, []crypto.Signer{nil}},
		"a nil pointer":                  {nil, []crypto.Signer{none}},
		"a nil key behind the first":     {nil, []crypto.Signer{good, nil}},
		"a key twice":                    {nil, []crypto.Signer{good, good}},
		"a key of another curve":         {nil, []crypto.Signer{other}},
		"keys of two curves":             {nil, []crypto.Signer{good, other}},
		"an RSA key for ES256":           {nil, []crypto.Signer{weak}},
		"a name of one key":              {&jose.AssertionOptions{KeyID: "k"}, []crypto.Signer{good}},
		"an algorithm that does not fit": {&jose.AssertionOptions{Algorithm: "PS256"}, []crypto.Signer{good}},
	} {
		if k, err := jose.NewClientKeys(tt.o, tt.keys[0], tt.keys[1:]...); err == nil {
			t.Errorf("%s: NewClientKeys = %v, nil, want an error", name, k)
		}
	}
}

// What a ClientKeys shows is the public half of its keys.
func TestPrintedClientKeys(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	k, err := jose.NewClientKeys(nil, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(k)
	if err != nil || strings.Contains(string(text), `"d"`) || !strings.Contains(string(text), `"kid"`) {
		t.Errorf("json.Marshal = %s, %v, want public keys", text, err)
	}
	private, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%+v", k.Credential())} {
		if strings.Contains(printed, fmt.Sprintf("%d", private)) || strings.Contains(printed, fmt.Sprintf("%x", private)) {
			t.Error("a private key was printed")
		}
	}
	if got := k.Algorithm(); got != "ES256" {
		t.Errorf("Algorithm() = %q, want ES256", got)
	}
}

// The key of a grant remembers the client key, and is lost with it.
func TestProofKeysTiedToAClientKey(t *testing.T) {
	dpop, err := jose.NewDPoP(nil)
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	ring := func(first crypto.Signer, older ...crypto.Signer) tokensource.Proofs {
		k, err := jose.NewClientKeys(nil, first, older...)
		if err != nil {
			t.Fatal(err)
		}
		return k.Proofs(dpop)
	}
	key, err := ring(old).NewKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := dpop.NewKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		proofs tokensource.Proofs
		stored string
		lost   bool
	}{
		"the same client key":                   {ring(old), key.Stored(), false},
		"the client key behind another":         {ring(fresh, old), key.Stored(), false},
		"the client key is gone":                {ring(fresh), key.Stored(), true},
		"a key of a login without a client key": {ring(old), plain.Stored(), true},
		"a damaged text":                        {ring(old), "tied", true},
		"the name of a client key alone":        {ring(old), key.Stored()[:48], true},
	} {
		got, err := tt.proofs.OpenKey(t.Context(), tt.stored)
		switch {
		case tt.lost && !errors.Is(err, tokensource.ErrKeyLost):
			t.Errorf("%s: OpenKey = %v, want ErrKeyLost", name, err)
		case !tt.lost && (err != nil || got.Stored() != tt.stored || got.Thumbprint() != key.Thumbprint()):
			t.Errorf("%s: OpenKey = %v, want the same key", name, err)
		}
	}
}
