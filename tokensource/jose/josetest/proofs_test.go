package josetest_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/jose/josetest"
)

// vector is a proof that is printed in RFC 9449.
type vector struct {
	From, Method, Target, Proof, ID, Thumbprint string
	AccessToken                                 string `json:"access_token"`
	Issued                                      int64
}

func vectors(t *testing.T) (list []vector) {
	t.Helper()
	data, err := os.ReadFile("../testdata/proofs.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		t.Fatalf("%d vectors, %v", len(list), err)
	}
	return list
}

func TestProofsOfRFC9449(t *testing.T) {
	for _, v := range vectors(t) {
		thumbprint, id, nonce, err := josetest.Proofs{}.VerifyProof(v.Proof, v.Method, v.Target, v.AccessToken, time.Unix(v.Issued, 0))
		if err != nil || thumbprint != v.Thumbprint || id != v.ID || nonce != "" {
			t.Errorf("VerifyProof(%s) = %q, %q, %q, %v, want %q, %q", v.From, thumbprint, id, nonce, err, v.Thumbprint, v.ID)
		}
	}
}

func TestProofsThatAreRefused(t *testing.T) {
	good := vectors(t)[1]
	for name, change := range map[string]func(v *vector){
		"a text":                       func(v *vector) { v.Proof = "proof" },
		"another method":               func(v *vector) { v.Method = "POST" },
		"another method in lower case": func(v *vector) { v.Method = "get" },
		"another target":               func(v *vector) { v.Target += "/" },
		"another access token":         func(v *vector) { v.AccessToken += "x" },
		"no access token":              func(v *vector) { v.AccessToken = "" },
		"an old proof":                 func(v *vector) { v.Issued += 31 },
		"a proof from the future":      func(v *vector) { v.Issued -= 31 },
		"another signature":            func(v *vector) { v.Proof = v.Proof[:len(v.Proof)-86] + strings.Repeat("A", 86) },
		"the claims of another proof": func(v *vector) {
			parts, others := strings.Split(v.Proof, "."), strings.Split(vectors(t)[0].Proof, ".")
			v.Proof = parts[0] + "." + others[1] + "." + parts[2]
		},
	} {
		v := good
		change(&v)
		if _, _, _, err := (josetest.Proofs{}).VerifyProof(v.Proof, v.Method, v.Target, v.AccessToken, time.Unix(v.Issued, 0)); err == nil {
			t.Errorf("VerifyProof(%s) = nil, want an error", name)
		}
	}
}

// The proofs of package jose pass.
func TestProofsOfJose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := jose.NewDPoP(nil)
		if err != nil {
			t.Fatal(err)
		}
		key, err := d.NewKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		proof, err := key.Prove(t.Context(), "PUT", "https://api.example/a", "token")
		if err != nil {
			t.Fatal(err)
		}
		thumbprint, _, _, err := josetest.Proofs{}.VerifyProof(proof, "PUT", "https://api.example/a", "token", time.Now())
		if err != nil || thumbprint != key.Thumbprint() {
			t.Errorf("VerifyProof = %q, %v, want the thumbprint of the key", thumbprint, err)
		}
	})
}
