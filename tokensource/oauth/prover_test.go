package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// prover makes proofs that name the nonce of the last answer, as DPoP does.
type prover struct {
	proofs int
	nonce  string
	codes  []string
	always bool // wants every request to be sent again
	err    error
}

func (p *prover) Prove(_ context.Context, method, target, access string) (string, error) {
	p.proofs++
	return fmt.Sprintf("proof-%d of %s %s %q with nonce %q", p.proofs, method, target, access, p.nonce), p.err
}

func (p *prover) Observe(_ string, _ bool, header http.Header, code string) bool {
	if nonce := header.Get("DPoP-Nonce"); nonce != "" {
		p.nonce = nonce
	}
	p.codes = append(p.codes, code)
	return p.always || code == "use_dpop_nonce"
}

func (p *prover) Thumbprint() string { return "thumbprint" }

func (p *prover) Stored() string { return "stored" }

func (w world) challenge(times int) {
	w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{
		Status: 400, Body: `{"error":"use_dpop_nonce"}`, ContentType: "application/json", Header: http.Header{"Dpop-Nonce": {"n1"}},
	}, times)
}

// A challenge costs one more request, with a new proof (T12).
func TestAChallengeIsAnsweredOnce(t *testing.T) {
	for _, op := range operations {
		w, p := newWorld(t), new(prover)
		w.challenge(1)
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 503}, 1)
		err := op.run(t.Context(), w.Client.WithProver(p))
		testworld.WantIs(t, err, tokensource.ErrTemporary) // of the second answer
		var proofs []string
		for _, r := range w.Fake.Requests() {
			proofs = append(proofs, r.Raw().Header.Get("DPoP"))
		}
		url := w.Fake.Requests()[0].Raw().URL.String()
		want := []string{`proof-1 of POST ` + url + ` "" with nonce ""`, `proof-2 of POST ` + url + ` "" with nonce "n1"`}
		if !slices.Equal(proofs, want) || !slices.Equal(p.codes, []string{"use_dpop_nonce", ""}) {
			t.Errorf("%s: proofs %q, codes %q, want %q", op.name, proofs, p.codes, want)
		}
	}
}

func TestAChallengeIsNotAnsweredForEver(t *testing.T) {
	for _, op := range operations {
		w, p := newWorld(t), &prover{always: true}
		w.challenge(-1)
		err := op.run(t.Context(), w.Client.WithProver(p))
		testworld.WantIs(t, err, tokensource.ErrClient)
		if n := len(w.Fake.Requests()); n != 2 {
			t.Errorf("%s: %d requests, want 2", op.name, n)
		}
	}
}

// No other refusal of a proof has a code or a refresh token sent again: a
// server may have used it up before it looked at the proof (RFC 9449 section
// 8).
func TestOnlyAChallengeRepeatsWhatIsUsedOnce(t *testing.T) {
	for _, op := range operations {
		w, p := newWorld(t), &prover{always: true}
		w.answer(400, `{"error":"invalid_dpop_proof"}`)
		if err := op.run(t.Context(), w.Client.WithProver(p)); err == nil {
			t.Errorf("%s = nil, want the refusal", op.name)
		}
		want := 1
		if op.name == "revoke" {
			want = 2
		}
		if n := len(w.Fake.Requests()); n != want {
			t.Errorf("%s: %d requests, want %d", op.name, n, want)
		}
	}
}

// A success is never repeated, whatever the key says: the code is redeemed.
func TestASuccessIsNotRepeated(t *testing.T) {
	w, p := newWorld(t), &prover{always: true}
	code, verifier := w.Flow()
	w.answer(200, `{"access_token":"a","token_type":"DPoP"}`)
	if _, err := w.Client.WithProver(p).Exchange(t.Context(), code, verifier); err != nil {
		t.Errorf("Exchange() = %v, want a token", err)
	}
	if n := len(w.Fake.Requests()) - 1; n != 1 || len(p.codes) != 1 {
		t.Errorf("the code was sent %d times, and %d answers were observed, want 1 and 1", n, len(p.codes))
	}
}

// After an outage nothing is known of the credential: it is not sent again
// (G3), whatever the key says.
func TestAnOutageIsNoChallenge(t *testing.T) {
	for _, fault := range []oauthtest.Fault{
		{Status: 503, Body: `{"error":"use_dpop_nonce"}`, ContentType: "application/json"},
		{Status: 400}, {Status: 302, Body: `{"error":"use_dpop_nonce"}`, ContentType: "application/json"},
	} {
		for _, op := range operations {
			w, p := newWorld(t), &prover{always: true}
			w.Fake.Inject(oauthtest.Match{}, fault, -1)
			if err := op.run(t.Context(), w.Client.WithProver(p)); err == nil || len(w.Fake.Requests()) != 1 {
				t.Errorf("%s with status %d = %v after %d requests, want an error after 1", op.name, fault.Status, err, len(w.Fake.Requests()))
			}
		}
	}
}

func TestAKeyThatFailsStopsTheRequest(t *testing.T) {
	broken := errors.New("the key is locked")
	for _, op := range operations {
		w := newWorld(t)
		err := op.run(t.Context(), w.Client.WithProver(&prover{err: broken}))
		testworld.WantIs(t, err, broken)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if n := len(w.Fake.Requests()); n != 0 || !strings.Contains(err.Error(), "ProofKey") {
			t.Errorf("%s = %v with %d requests, want an error that names the ProofKey", op.name, err, n)
		}
	}
}

// Each grant has a key of its own, and the Client without one has none.
func TestWithProverChangesNoOtherClient(t *testing.T) {
	w, one, two := newWorld(t), new(prover), new(prover)
	for _, client := range []*oauth.Client{w.Client, w.Client.WithProver(one), w.Client.WithProver(one).WithProver(two), w.Client.WithProver(one).WithProver(nil)} {
		_, _ = client.Refresh(t.Context(), someRefresh) // the request is what counts
	}
	var with []bool
	for _, r := range w.Fake.Requests() {
		with = append(with, r.Raw().Header.Get("DPoP") != "")
	}
	if want := []bool{false, true, true, false}; !slices.Equal(with, want) || one.proofs != 1 || two.proofs != 1 {
		t.Errorf("requests with a proof = %v, want %v; proofs %d and %d, want 1 and 1", with, want, one.proofs, two.proofs)
	}
}
