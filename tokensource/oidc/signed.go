package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"

	oidc "github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

// maxToken is the length of the longest token that is read, in bytes.
const maxToken = 64 << 10

// signed is a token whose signature is valid.
type signed struct {
	*oidc.IDToken

	claims claims
	typ    string // of its header, in lower case
}

// open verifies the signature of a token, and nothing else. With offline, no
// request is made, and a key that is not known counts as valid.
func (v *Verifier) open(ctx context.Context, op, raw string, offline bool) (signed, error) {
	jws, err := v.parse(raw)
	if err != nil {
		return signed{}, refused(op, "%w", err)
	}
	s := &signatures{keys: v.keys, chosen: v.chosen, op: op, jws: jws, offline: offline}
	token, err := oidc.NewVerifier("", s, &oidc.Config{
		SkipClientIDCheck: true, SkipExpiryCheck: true, SkipIssuerCheck: true, SupportedSigningAlgs: v.algorithms,
	}).Verify(ctx, raw)
	switch {
	case s.err != nil:
		return signed{}, s.err
	case err != nil:
		return signed{}, refused(op, "one of its claims has the wrong form")
	}
	// go-oidc also takes "SUB" for "sub", whichever comes last.
	token.Issuer, token.Subject, token.AccessTokenHash = s.claims.text("iss"), s.claims.text("sub"), s.claims.text("at_hash")
	token.Audience = s.claims.texts("aud")
	typ, _ := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	return signed{token, s.claims, strings.TrimPrefix(strings.ToLower(typ), "application/")}, nil
}

// parse reads a token in its compact form, whose algorithm is allowed.
func (v *Verifier) parse(raw string) (*jose.JSONWebSignature, error) {
	var allowed []jose.SignatureAlgorithm
	for _, name := range v.algorithms {
		allowed = append(allowed, jose.SignatureAlgorithm(name))
	}
	if len(raw) > maxToken {
		return nil, errors.New("it is too long")
	}
	jws, err := jose.ParseSignedCompact(raw, allowed)
	unexpected, otherAlgorithm := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err)
	switch {
	case otherAlgorithm && slices.Contains([]string{"none", "HS256", "HS384", "HS512"}, string(unexpected.Got)):
		return nil, errors.New("it is signed with " + string(unexpected.Got) + ", which anybody could do")
	case otherAlgorithm:
		return nil, errors.New("it is signed with an algorithm that is not allowed")
	case err != nil:
		return nil, errors.New("it is no signed token in the compact form")
	}
	return jws, nil
}

// signatures is what go-oidc asks to verify a signature. It belongs to one
// token.
type signatures struct {
	keys    *keySet
	chosen  []string // claims that are kept
	op      string
	jws     *jose.JSONWebSignature
	offline bool

	claims claims
	err    error
}

func (s *signatures) VerifySignature(ctx context.Context, _ string) (payload []byte, err error) {
	payload, err = s.payload(ctx)
	if err == nil {
		s.claims, err = readClaims(payload, s.chosen)
		if err != nil {
			err = refused(s.op, "%w", err)
		}
	}
	s.err = err
	return payload, err
}

func (s *signatures) payload(ctx context.Context) ([]byte, error) {
	if !s.offline {
		return s.keys.verify(ctx, s.op, s.jws)
	}
	payload, err := s.keys.verifyKnown(ctx, s.jws)
	switch {
	case errors.Is(err, errUnknownKey):
		return s.jws.UnsafePayloadWithoutVerification(), nil
	case err != nil:
		return nil, refused(s.op, "%w", err)
	}
	return payload, nil
}
