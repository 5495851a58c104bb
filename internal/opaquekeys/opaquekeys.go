// Package opaquekeys has keys that are names, for tests of everything that
// handles keys and must not know what they are.
//
// [Proofs] is a tokensource.Proofs. A proof of its keys is a text that names
// the key, and [Proofs.VerifyProof] reads it for the fake server. Nothing in it
// is random, so a simulation repeats it. Everything is safe for concurrent use.
package opaquekeys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// Proofs makes keys. Its zero value is ready.
type Proofs struct {
	// Name is part of the ID of each proof. It distinguishes the processes of a
	// test, each of which has Proofs of its own.
	Name string

	// Err is the error of OpenKey, or nil.
	Err func(stored string) error

	mu     sync.Mutex // guards what follows
	keys   int
	proofs int
	nonces map[string]string // by origin and role
}

// NewKey implements [tokensource.Proofs].
func (p *Proofs) NewKey(context.Context) (tokensource.ProofKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys++
	return &key{p, fmt.Sprint("key-", p.keys)}, nil
}

// OpenKey implements [tokensource.Proofs].
func (p *Proofs) OpenKey(_ context.Context, stored string) (tokensource.ProofKey, error) {
	if p.Err != nil {
		if err := p.Err(stored); err != nil {
			return nil, err
		}
	}
	name, ok := strings.CutPrefix(stored, "stored ")
	if !ok {
		return nil, fmt.Errorf("opaquekeys: %w", tokensource.ErrKeyLost)
	}
	return &key{p, name}, nil
}

// References reports that the keys are names, which any store may hold.
func (p *Proofs) References() bool { return true }

type key struct {
	proofs *Proofs
	name   string
}

func place(target string, resource bool) string {
	scheme, rest, _ := strings.Cut(target, "://")
	host, _, _ := strings.Cut(rest, "/")
	return fmt.Sprint(scheme, host, resource)
}

func (k *key) Prove(_ context.Context, method, target, access string) (string, error) {
	p := k.proofs
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs++
	return strings.Join([]string{k.name, fmt.Sprint(p.Name, "-", p.proofs), method, target, hash(access), p.nonces[place(target, access != "")]}, " "), nil
}

func (k *key) Observe(target string, resource bool, header http.Header, code string) bool {
	p := k.proofs
	p.mu.Lock()
	defer p.mu.Unlock()
	nonce := header.Get("DPoP-Nonce")
	if nonce == "" {
		return false
	}
	if p.nonces == nil {
		p.nonces = map[string]string{}
	}
	p.nonces[place(target, resource)] = nonce
	return code == "use_dpop_nonce"
}

func (k *key) Thumbprint() string { return k.name }

func (k *key) Stored() string { return "stored " + k.name }

func (k *key) Method() (name, alg string) { return "dpop", "ES256" }

func hash(access string) string {
	if access == "" {
		return "-"
	}
	sum := sha256.Sum256([]byte(access))
	return hex.EncodeToString(sum[:8])
}

// VerifyProof reads a proof for package oauthtest.
func (p *Proofs) VerifyProof(proof, method, target, accessToken string, _ time.Time) (thumbprint, id, nonce string, err error) {
	parts := strings.Split(proof, " ")
	if len(parts) != 6 || parts[2] != method || parts[3] != target || parts[4] != hash(accessToken) {
		return "", "", "", errors.New("opaquekeys: the proof is for another request")
	}
	return parts[0], parts[1], parts[5], nil
}
