package middleware

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// Where the client proves possession (DPoP, [RFC 9449]), each flow has a key of
// its own. The authorization request names it, so that nobody without the key
// can use the code. It stays in the sealed cookie until the exchange, and then
// in the grant.
//
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449

// bind makes the key of a new flow.
func (l *login) bind(ctx context.Context, f *flow) error {
	proofs := l.client.Proofs()
	if proofs == nil {
		return nil
	}
	key, err := proofs.NewKey(ctx)
	if err != nil {
		return &Error{
			Op: opAuthorize, Kind: tokensource.ErrTemporary, Cause: "no key could be made for the login",
			Retry: l.authorizePath(f.returnTo), Err: err,
		}
	}
	f.key, f.client = redact.Hide(key.Stored()), f.client.WithProver(key)
	return nil
}

// prover returns the client that exchanges the code of a flow.
func (l *login) prover(ctx context.Context, f flow) (*oauth.Client, error) {
	if f.key.Reveal() == "" {
		return f.client, nil
	}
	key, err := proving.Named(l.client.Proofs(), f.key.Reveal()).Open(ctx, "exchange")
	if err != nil {
		return nil, fmt.Errorf("middleware: the key of the login cannot be used: %w", err)
	}
	return f.client.WithProver(key), nil
}

// encodeKey returns the key of a flow as one line.
func (f flow) encodeKey() string { return base64.RawURLEncoding.EncodeToString([]byte(f.key.Reveal())) }

// decodeKey is the inverse of encodeKey.
func decodeKey(line string) (redact.Hidden, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(line)
	return redact.Hide(string(text)), err == nil
}

// noKey stands for the key of a flow where nothing is sent, because a key may
// be made in another place, and for one login.
type noKey struct{}

func (noKey) Prove(context.Context, string, string, string) (string, error) { return "proof", nil }

func (noKey) Observe(string, bool, http.Header, string) bool { return false }

func (noKey) Thumbprint() string { return "thumbprint" }

func (noKey) Stored() string { return "" }

func (noKey) Method() (name, alg string) { return "dpop", "ES256" }
