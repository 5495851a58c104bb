package jose_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose"
)

const someURL = "https://api.example/things"

// every is every algorithm that a key can be made for.
var every = []gojose.SignatureAlgorithm{
	gojose.ES256, gojose.ES384, gojose.ES512, gojose.EdDSA, gojose.RS256, gojose.RS384, gojose.RS512, gojose.PS256, gojose.PS384, gojose.PS512,
}

func newDPoP(t testing.TB, o *jose.DPoPOptions) *jose.DPoP {
	t.Helper()
	d, err := jose.NewDPoP(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newKey(t testing.TB, d *jose.DPoP) tokensource.ProofKey {
	t.Helper()
	key, err := d.NewKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func prove(t testing.TB, key tokensource.ProofKey, method, target, access string) string {
	t.Helper()
	proof, err := key.Prove(t.Context(), method, target, access)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// claims are all members of a proof, to which a test compares them.
type claims map[string]any

// verified returns header and claims of a proof whose signature go-jose has
// verified with the key in its header.
func verified(t testing.TB, proof string) (header, body claims) {
	t.Helper()
	jws, err := gojose.ParseSignedCompact(proof, every)
	if err != nil {
		t.Fatalf("the proof is no JWS: %v", err)
	}
	key := jws.Signatures[0].Protected.JSONWebKey
	payload, err := jws.Verify(key)
	if err != nil {
		t.Fatalf("the signature of the proof is wrong: %v", err)
	}
	raw, _, _ := strings.Cut(proof, ".")
	text, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(text, &header) != nil || json.Unmarshal(payload, &body) != nil {
		t.Fatalf("the proof is no JSON: %s, %s", text, payload)
	}
	return header, body
}

func TestProofOfEachAlgorithm(t *testing.T) {
	long := must(rsa.GenerateKey(rand.Reader, 2048))
	for _, alg := range every {
		o := &jose.DPoPOptions{Algorithm: string(alg)}
		if alg != gojose.PS256 && strings.Contains("RS256 RS384 RS512 PS384 PS512", string(alg)) { // such a key is slow to make
			o = (&vault{alg: string(alg), keys: map[string]crypto.Signer{"projects/key.1": long}}).options()
		}
		d := newDPoP(t, o)
		key := newKey(t, d)
		opened, err := d.OpenKey(t.Context(), key.Stored())
		if err != nil || opened.Thumbprint() != key.Thumbprint() {
			t.Errorf("%s: OpenKey = %v, want the same key", alg, err)
			continue
		}
		for range 10 { // a number of an ECDSA signature may begin with zeros
			wantProof(t, opened, string(alg))
		}
	}
}

// wantProof checks header and claims of a proof.
func wantProof(t *testing.T, key tokensource.ProofKey, alg string) {
	t.Helper()
	header, body := verified(t, prove(t, key, "POST", someURL, "a-token"))
	jwk, _ := header["jwk"].(map[string]any)
	if header["typ"] != "dpop+jwt" || header["alg"] != alg || len(header) != 3 {
		t.Errorf("%s: the header is %v, want typ, alg and jwk", alg, header)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if jwk[private] != nil {
			t.Errorf("%s: the header shows the private member %s", alg, private)
		}
	}
	sum := sha256.Sum256([]byte("a-token"))
	if body["htm"] != "POST" || body["htu"] != someURL || body["ath"] != base64.RawURLEncoding.EncodeToString(sum[:]) || len(body) != 5 {
		t.Errorf("%s: the claims are %v", alg, body)
	}
}

// ECDSA signatures with numbers that begin with zeros have their full length.
func TestShortNumbersInSignatures(t *testing.T) {
	key := newKey(t, newDPoP(t, nil))
	for range 600 { // one in 128 has such a number
		proof := prove(t, key, "GET", someURL, "")
		if sig := proof[strings.LastIndexByte(proof, '.')+1:]; len(sig) != 86 {
			t.Fatalf("the signature has %d characters, want 86", len(sig))
		}
	}
}

func TestClaimsOfAProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t, newDPoP(t, nil))
		for _, tt := range []struct{ method, target, access string }{
			{"POST", "https://as.example/token", ""},
			{"GET", "https://api.example/a", "token"},
			{"M-SEARCH", `https://api.example/"quoted"\back`, "token"},
			{"GET", "https://api.example/ä&<>\x00", "token"},
		} {
			_, body := verified(t, prove(t, key, tt.method, tt.target, tt.access))
			_, hashed := body["ath"]
			if body["htm"] != tt.method || body["htu"] != tt.target || hashed != (tt.access != "") || body["iat"] != float64(time.Now().Unix()) {
				t.Errorf("claims of %q %q = %v", tt.method, tt.target, body)
			}
		}
	})
}

// Each proof has an ID of its own, of 128 bits (RFC 9449 section 4.2: 96).
func TestEachProofHasAnID(t *testing.T) {
	key, seen := newKey(t, newDPoP(t, nil)), map[any]bool{}
	for range 100 {
		_, body := verified(t, prove(t, key, "GET", someURL, "token"))
		id, _ := body["jti"].(string)
		if raw, err := base64.RawURLEncoding.DecodeString(id); err != nil || len(raw) != 16 || seen[id] {
			t.Fatalf("jti = %q, want 16 new bytes", id)
		}
		seen[id] = true
	}
}

// Each grant has a key of its own, and ES256 is the default.
func TestEachGrantHasAKey(t *testing.T) {
	d := newDPoP(t, nil)
	one, two := newKey(t, d), newKey(t, d)
	if one.Thumbprint() == two.Thumbprint() || one.Stored() == two.Stored() || d.References() {
		t.Error("two grants have one key, want two")
	}
	header, _ := verified(t, prove(t, one, "GET", someURL, "t"))
	if header["alg"] != "ES256" {
		t.Errorf("alg = %v, want ES256", header["alg"])
	}
	if m, ok := one.(interface{ Method() (string, string) }); !ok {
		t.Error("the key does not say how it signs")
	} else if name, alg := m.Method(); name != "dpop" || alg != "ES256" {
		t.Errorf("Method() = %s, %s, want dpop, ES256", name, alg)
	}
}

// vault keeps keys under names, as a key service does.
type vault struct {
	keys  map[string]crypto.Signer
	alg   string
	opens int
	err   error
}

func (v *vault) options() *jose.DPoPOptions {
	return &jose.DPoPOptions{Algorithm: v.alg, NewSigner: v.add, OpenSigner: v.open}
}

func (v *vault) add(context.Context) (string, crypto.Signer, error) {
	name := fmt.Sprintf("projects/key.%d", len(v.keys))
	return name, v.keys[name], v.err
}

func (v *vault) open(_ context.Context, name string) (crypto.Signer, error) {
	v.opens++
	if key := v.keys[name]; key != nil || v.err != nil {
		return key, v.err
	}
	return nil, fmt.Errorf("no key %s: %w", name, tokensource.ErrKeyLost)
}

// remote hides the type of a key, as a TPM does.
type remote struct{ crypto.Signer }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func someKeys() map[string]crypto.Signer {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"P-256":                    must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"P-384":                    must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"P-521":                    must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"Ed25519":                  ed,
		"RSA":                      must(rsa.GenerateKey(rand.Reader, 2048)),
		"P-256 in another place":   remote{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		"Ed25519 in another place": remote{ed},
	}
}

// A key that stays in another place: the grant holds its name.
func TestKeysInAnotherPlace(t *testing.T) {
	for name, signer := range someKeys() {
		v := &vault{keys: map[string]crypto.Signer{"projects/key.1": signer}}
		d := newDPoP(t, v.options())
		key := newKey(t, d)
		if !d.References() || !strings.HasSuffix(key.Stored(), ".projects/key.1") {
			t.Errorf("%s: Stored() = %q, want the name of the key", name, key.Stored())
		}
		opened, err := newDPoP(t, v.options()).OpenKey(t.Context(), key.Stored())
		if err != nil {
			t.Errorf("%s: OpenKey = %v", name, err)
			continue
		}
		verified(t, prove(t, opened, "GET", someURL, "token"))
	}
}

func TestOpenKeySaysWhetherAKeyIsLost(t *testing.T) {
	away := errors.New("the key service is away")
	signer, other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	v := &vault{keys: map[string]crypto.Signer{"projects/key.1": signer}}
	reference := newKey(t, newDPoP(t, v.options())).Stored()
	generated := newKey(t, newDPoP(t, nil)).Stored()
	replace := func(old, with string) string { return strings.Replace(generated, old, with, 1) }
	for name, tt := range map[string]struct {
		stored string
		vault  *vault
		lost   bool
	}{
		"a key that is gone":         {reference, &vault{}, true},
		"another key under the name": {reference, &vault{keys: map[string]crypto.Signer{"projects/key.1": other}}, true},
		"a key of another curve under the name": {reference, &vault{keys: map[string]crypto.Signer{
			"projects/key.1": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		}}, true},
		"a key of another type under the name": {reference, &vault{keys: map[string]crypto.Signer{
			"projects/key.1": must(rsa.GenerateKey(rand.Reader, 2048)),
		}}, true},
		"a key service that fails":        {reference, &vault{err: away}, false},
		"a reference without OpenSigner":  {reference, nil, false},
		"nothing":                         {"", nil, true},
		"the key of another algorithm":    {replace("ES256", "ES512"), nil, true},
		"a key of an unknown algorithm":   {replace("ES256", "ES256K"), nil, true},
		"a text of another kind":          {"something", nil, true},
		"an unknown form":                 {replace("key.", "kee."), nil, true},
		"a private key that is cut off":   {generated[:len(generated)-9], nil, true},
		"a private key that is no base64": {generated + "!", nil, true},
	} {
		o := new(jose.DPoPOptions)
		if tt.vault != nil {
			o = tt.vault.options()
		}
		_, err := newDPoP(t, o).OpenKey(t.Context(), tt.stored)
		if err == nil || errors.Is(err, tokensource.ErrKeyLost) != tt.lost {
			t.Errorf("OpenKey(%s) = %v, want a lost key: %v", name, err, tt.lost)
		}
		if err != nil && strings.Contains(err.Error(), generated[20:40]) {
			t.Errorf("OpenKey(%s) shows the private key: %v", name, err)
		}
	}
}

// A caller of Prove and Observe may give a text that is no URL.
func TestATargetThatIsNoURL(t *testing.T) {
	key := newKey(t, newDPoP(t, nil))
	header := http.Header{"Dpop-Nonce": {"abc"}}
	for _, target := range []string{"", "/", "x", "://", "https:", "https://", "https://as.example"} {
		key.Observe(target, false, header, "use_dpop_nonce")
		if _, err := key.Prove(t.Context(), "POST", target, ""); err != nil {
			t.Errorf("Prove(%q) = %v", target, err)
		}
	}
}

func TestNewDPoPRefuses(t *testing.T) {
	v := &vault{}
	for name, o := range map[string]*jose.DPoPOptions{
		"an unknown algorithm":         {Algorithm: "HS256"},
		"no algorithm":                 {Algorithm: "none"},
		"NewSigner without OpenSigner": {NewSigner: v.add},
		"OpenSigner without NewSigner": {OpenSigner: v.open},
	} {
		if _, err := jose.NewDPoP(o); err == nil {
			t.Errorf("NewDPoP(%s) = nil, want an error", name)
		}
	}
}

func TestNewKeyRefuses(t *testing.T) {
	small := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for name, v := range map[string]*vault{
		"an error of NewSigner":            {err: errors.New("the key service is away")},
		"no key":                           {},
		"a key on a curve that JOSE lacks": {keys: map[string]crypto.Signer{"projects/key.1": small}},
		"a key of another algorithm":       {keys: map[string]crypto.Signer{"projects/key.1": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}, alg: "RS256"},
	} {
		if _, err := newDPoP(t, v.options()).NewKey(t.Context()); err == nil {
			t.Errorf("NewKey(%s) = nil, want an error", name)
		}
	}
}

// badSigner signs in a form that is none.
type badSigner struct {
	crypto.Signer
	signature []byte
	err       error
}

func (b badSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return b.signature, b.err
}

func TestAKeyThatDoesNotSign(t *testing.T) {
	signer := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	long := must(must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)).Sign(rand.Reader, make([]byte, 64), crypto.SHA512))
	for name, bad := range map[string]badSigner{
		"an error": {signer, nil, errors.New("locked")}, "no ASN.1": {signer, []byte("signature"), nil}, "nothing": {signer, nil, nil},
		"bytes behind": {signer, append(must(signer.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)), 1), nil}, "another curve": {signer, long, nil},
	} {
		v := &vault{keys: map[string]crypto.Signer{"projects/key.1": bad}}
		if _, err := newDPoP(t, v.options()).NewKey(t.Context()); err == nil {
			t.Errorf("NewKey with a key that makes %s = nil, want an error", name)
		}
	}
}

// Nothing prints a private key.
func TestKeysAreNotShown(t *testing.T) {
	d := newDPoP(t, nil)
	key := newKey(t, d)
	secret := key.Stored()[len("key.ES256."):]
	exposure.Check(t, "a key", key, secret)
	exposure.Check(t, "a DPoP", d, secret)
	exposure.Check(t, "a struct with a key", struct{ Key tokensource.ProofKey }{key}, secret)
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// Nonces are kept by origin and role, of every answer, and checked (RFC 9449
// sections 8.1, 8.2 and 9).
func TestNonces(t *testing.T) {
	const as = "https://as.example/token"
	for _, tt := range []struct {
		name     string
		resource bool // the answer is a resource server's
		header   http.Header
		code     string
		again    bool
		target   string // of the next request
		access   string
		nonce    any
	}{
		{name: "a challenge", header: header("DPoP-Nonce", "n1"), code: "use_dpop_nonce", again: true, target: as, nonce: "n1"},
		{name: "a challenge, and another path", header: header("DPoP-Nonce", "n1"), code: "use_dpop_nonce", again: true, target: "https://as.example/par", nonce: "n1"},
		{name: "a success", header: header("DPoP-Nonce", "n1"), target: as, nonce: "n1"},
		{name: "another refusal", header: header("DPoP-Nonce", "n1"), code: "invalid_grant", target: as, nonce: "n1"},
		{name: "a challenge of an API", resource: true, header: header("DPoP-Nonce", "n1"), code: "use_dpop_nonce", again: true, target: as, access: "t", nonce: "n1"},
		{name: "the API at the same origin", header: header("DPoP-Nonce", "n1"), target: as, access: "t"},
		{name: "the other role of an API", resource: true, header: header("DPoP-Nonce", "n1"), target: as},
		{name: "another origin", header: header("DPoP-Nonce", "n1"), target: "https://as.example.evil/token"},
		{name: "another port", header: header("DPoP-Nonce", "n1"), target: "https://as.example:8443/token"},
		{name: "http in place of https", header: header("DPoP-Nonce", "n1"), target: "http://as.example/token"},
		{name: "a challenge without a nonce", header: header(), code: "use_dpop_nonce", target: as},
		{name: "an empty nonce", header: header("DPoP-Nonce", ""), code: "use_dpop_nonce", target: as},
		{name: "two nonces", header: header("DPoP-Nonce", "n1", "DPoP-Nonce", "n2"), code: "use_dpop_nonce", target: as},
		{name: "a nonce with a space", header: header("DPoP-Nonce", "n 1"), code: "use_dpop_nonce", target: as},
		{name: "a nonce with a quote", header: header("DPoP-Nonce", `n"1`), code: "use_dpop_nonce", target: as},
		{name: "a nonce with a control character", header: header("DPoP-Nonce", "n\x7f1"), code: "use_dpop_nonce", target: as},
		{name: "a nonce that is too long", header: header("DPoP-Nonce", strings.Repeat("n", 1025)), code: "use_dpop_nonce", target: as},
		{name: "a long nonce", header: header("DPoP-Nonce", strings.Repeat("n", 1024)), target: as, nonce: strings.Repeat("n", 1024)},
	} {
		d := newDPoP(t, nil)
		one, two := newKey(t, d), newKey(t, d)
		again := one.Observe(as, tt.resource, tt.header, tt.code)
		if again != tt.again {
			t.Errorf("%s: Observe = %v, want %v", tt.name, again, tt.again)
		}
		if _, body := verified(t, prove(t, two, "POST", tt.target, tt.access)); body["nonce"] != tt.nonce {
			t.Errorf("%s: the next proof has nonce %v, want %v", tt.name, body["nonce"], tt.nonce)
		}
	}
}

func TestTheNewestNonceIsUsed(t *testing.T) {
	key := newKey(t, newDPoP(t, nil))
	for _, nonce := range []string{"n1", "n2", "n3"} {
		key.Observe(someURL, true, header("DPoP-Nonce", nonce), "")
		key.Observe(someURL, true, header(), "") // an answer without one changes nothing
		if _, body := verified(t, prove(t, key, "GET", someURL, "t")); body["nonce"] != nonce {
			t.Errorf("the next proof has nonce %v, want %q", body["nonce"], nonce)
		}
	}
}

// The number of servers of which something is remembered is bounded.
func TestServersAreBounded(t *testing.T) {
	key := newKey(t, newDPoP(t, nil))
	remembered := 0
	const servers = 1200
	for i := range servers {
		key.Observe(fmt.Sprintf("https://%d.example/", i), true, header("DPoP-Nonce", "n1"), "")
	}
	for i := range servers {
		if _, body := verified(t, prove(t, key, "GET", fmt.Sprintf("https://%d.example/", i), "t")); body["nonce"] != nil {
			remembered++
		}
	}
	if remembered == 0 || remembered > 1024 {
		t.Errorf("the nonces of %d servers are remembered, want at most 1024", remembered)
	}
}

// A clock that is a little wrong is corrected by the Date of a refusal, within
// a bound.
func TestTheClockOfTheServer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ahead time.Duration
		code  string
		again bool
		want  time.Duration
	}{
		{"ahead by a minute", time.Minute, "invalid_dpop_proof", true, time.Minute},
		{"behind by four minutes", -4 * time.Minute, "invalid_dpop_proof", true, -4 * time.Minute},
		{"ahead by ten minutes", 10 * time.Minute, "invalid_dpop_proof", false, 0},
		{"behind by a day", -24 * time.Hour, "invalid_dpop_proof", false, 0},
		{"ahead by a second", time.Second, "invalid_dpop_proof", false, 0},
		{"ahead by a minute, and another refusal", time.Minute, "invalid_token", false, 0},
		{"ahead by a minute, and a success", time.Minute, "", false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			key := newKey(t, newDPoP(t, nil))
			date := header("Date", time.Now().Add(tt.ahead).UTC().Format(http.TimeFormat))
			if again := key.Observe(someURL, true, date, tt.code); again != tt.again {
				t.Errorf("%s: Observe = %v, want %v", tt.name, again, tt.again)
			}
			_, body := verified(t, prove(t, key, "GET", someURL, "t"))
			if want := time.Now().Add(tt.want).Unix(); body["iat"] != float64(want) {
				t.Errorf("%s: iat = %v, want %v", tt.name, body["iat"], want)
			}
			if key.Observe(someURL, true, date, tt.code) {
				t.Errorf("%s: a second refusal asks for one more proof, want no more", tt.name)
			}
		})
	}
}
