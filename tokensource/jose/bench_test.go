package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"
)

// accessToken is about as long as those that servers issue for DPoP, which are
// JWTs.
var accessToken = string(make([]byte, 600))

// sign is what a proof is compared with: the signature alone.
func sign(b testing.TB, key *ecdsa.PrivateKey, input []byte) {
	sum := sha256.Sum256(input)
	if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPairedProof compares a proof with a signature over the same bytes,
// in turns, and reports how many times as long it takes.
func BenchmarkPairedProof(b *testing.B) {
	proofs, signer := newKey(b, newDPoP(b, nil)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	input := []byte(prove(b, proofs, "GET", someURL, accessToken))
	var proving, signing time.Duration
	for b.Loop() {
		begun := time.Now()
		for range 10 {
			prove(b, proofs, "GET", someURL, accessToken)
		}
		between := time.Now()
		for range 10 {
			sign(b, signer, input)
		}
		proving, signing = proving+between.Sub(begun), signing+time.Since(between)
	}
	b.ReportMetric(float64(proving)/float64(signing), "ratio")
}

// A proof costs at most six allocations more than its signature.
func TestAllocationsOfAProof(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	key, signer := newKey(t, newDPoP(t, nil)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	key.Observe(someURL, true, header("DPoP-Nonce", "a-nonce"), "")
	input := []byte(prove(t, key, "GET", someURL, accessToken))
	one := testing.AllocsPerRun(500, func() { prove(t, key, "GET", someURL, accessToken) })
	other := testing.AllocsPerRun(500, func() { sign(t, signer, input) })
	t.Logf("a proof costs %v allocations, and its signature %v", one, other)
	if one > other+6 {
		t.Errorf("a proof costs %v allocations and its signature %v, want at most 6 more", one, other)
	}
}
