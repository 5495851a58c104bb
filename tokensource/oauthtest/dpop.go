package oauthtest

import (
	"net/http"
	"strings"
)

// dpopHeader is the canonical name of the header with the proof.
const dpopHeader = "Dpop"

// proofs are what the server remembers of proofs of possession (RFC 9449).
// Server.mu guards them.
type proofs struct {
	seen   map[string]bool // IDs of proofs
	nonces [2]nonces       // of the authorization server, and of the API
}

// nonces are the nonce that is sent now, and the one before it, which is good
// too: it may be under way.
type nonces struct {
	now, before string
	served      int // answers with now
}

const maxProofs = 100_000

// nonce returns the nonce that goes out with an answer, or nothing. The lock
// must be held.
func (c *call) nonce() string {
	if !c.k.Proof.Nonces || c.s.options.Proofs == nil || c.foreign {
		return ""
	}
	n := &c.s.proofs.nonces[c.role()]
	if n.served++; n.now == "" || c.k.Proof.NonceServes > 0 && n.served > c.k.Proof.NonceServes {
		n.before, n.now, n.served = n.now, c.s.randomText(22), 1
	}
	return n.now
}

// role is the index of the nonces of the server that was asked.
func (c *call) role() int {
	if c.op == opIdentity || c.op == opAPI {
		return 1
	}
	return 0
}

// prove checks the proof of a request, which may come with an access token. It
// returns the error code of a refusal, or nothing. Afterwards c.thumbprint is
// that of the key, or empty without a proof.
func (c *call) prove(accessToken string) (code string) {
	values := c.r.Header.Values(dpopHeader)
	if c.s.options.Proofs == nil || len(values) == 0 {
		return ""
	}
	c.s.mu.Lock()
	now := c.s.now().Add(c.k.ClockSkew)
	c.s.mu.Unlock()
	scheme := "http"
	if c.secure {
		scheme = "https"
	}
	target := scheme + "://" + strings.ToLower(c.r.Host) + c.r.URL.EscapedPath()
	thumbprint, id, nonce, err := c.s.options.Proofs.VerifyProof(values[0], c.r.Method, target, accessToken, now)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	p := &c.s.proofs
	switch n := p.nonces[c.role()]; {
	case err != nil || len(values) > 1:
		c.noteLocked("bad proof")
		return "invalid_dpop_proof"
	case c.k.Proof.AlwaysChallenge, c.k.Proof.Nonces && (nonce == "" || nonce != n.now && nonce != n.before):
		c.noteLocked("nonce challenge")
		delete(c.s.recorder.verifiers, digestOf(c.form.Get("code_verifier"))) // nothing was redeemed: it is sent once more
		return "use_dpop_nonce"
	case p.seen[id]:
		c.noteLocked("proof used again")
		return "invalid_dpop_proof"
	}
	if p.seen == nil || len(p.seen) > maxProofs {
		p.seen = map[string]bool{}
	}
	p.seen[id] = true
	c.thumbprint = thumbprint
	return ""
}

// proven refuses a request to the authorization server whose proof is wrong. A
// request without a proof is for Bearer tokens: that is refused too, unless
// Knobs.Proof.Optional is set.
func (c *call) proven() *reply {
	code := c.prove("")
	if code == "" && c.thumbprint == "" && c.s.options.Proofs != nil && !c.k.Proof.Optional {
		code = "invalid_dpop_proof"
	}
	if code != "" {
		return refused(http.StatusBadRequest, code, "the proof of possession was not accepted")
	}
	return nil
}

// foreignKey reports whether a request proves another key than the one of the
// grant or of the code. The lock must be held.
func (c *call) foreignKey(thumbprint string) bool {
	if c.thumbprint == thumbprint {
		return false
	}
	c.noteLocked("another key")
	return true
}

// challenge returns the header with which the API refuses a proof (RFC 9449
// section 7.1).
func (c *call) challenge(code string) *reply {
	rep := newReply(http.StatusUnauthorized, typeText, "Unauthorized\n")
	rep.header.Set("WWW-Authenticate", `dpop error="`+code+`", algs="ES256 EdDSA PS256"`)
	return rep
}

// carried checks how a request carries a token that is bound to a key, or to
// none. It returns the error code of a refusal, or nothing.
func (c *call) carried(raw string, tok Token) string {
	scheme, _, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	bound := strings.EqualFold(scheme, "DPoP")
	if !bound && tok.Thumbprint == "" {
		return ""
	}
	if bound != (tok.Thumbprint != "") {
		c.note("token of another type")
		return "invalid_token"
	}
	if len(c.r.Header.Values(dpopHeader)) == 0 {
		return "invalid_dpop_proof"
	}
	if code := c.prove(raw); code != "" {
		return code
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.foreignKey(tok.Thumbprint) {
		return "invalid_token"
	}
	return ""
}
