package jose

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/oauth"
)

const (
	appleAudience = "https://appleid.apple.com"

	// Apple accepts a client secret for six months. A short one is worth less
	// to a thief.
	appleLife  = time.Hour
	appleSpare = 10 * time.Minute
)

// An AppleKey is the key for Sign in with Apple, as the developer account shows
// it. Its fields are no secrets.
type AppleKey struct {
	ClientID string // the identifier of the service or app
	TeamID   string // the team that owns the key
	KeyID    string // the identifier of the key
}

// AppleSecret returns the Credential of a client of Sign in with Apple. Apple
// wants a client secret that the client makes: a JWT which is signed with the
// key of the developer account ([Creating a client secret]). The key is what
// x509.ParsePKCS8PrivateKey reads from the file of the developer account; it is
// on the curve P-256.
//
// The secret is valid for an hour. It is made again ten minutes before its end,
// by the request that then needs it.
//
// [Creating a client secret]: https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
func AppleSecret(key crypto.Signer, a AppleKey) (oauth.Credential, error) {
	if a.ClientID == "" || a.TeamID == "" || a.KeyID == "" {
		return oauth.Credential{}, errors.New("jose: an AppleKey needs ClientID, TeamID and KeyID")
	}
	s, err := newSigning(key, string(jose.ES256), map[jose.HeaderKey]any{"kid": a.KeyID})
	if err != nil {
		return oauth.Credential{}, fmt.Errorf("jose: the key of Apple: %w", err)
	}
	made := &appleSecret{sign: func(now time.Time) (string, error) {
		return s.sign(map[string]any{
			"iss": a.TeamID, "sub": a.ClientID, "aud": appleAudience, "iat": now.Unix(), "exp": now.Add(appleLife).Unix(),
		})
	}}
	return oauth.SecretFunc(made.current), nil
}

// appleSecret keeps the secret that was made last. Requests at the same time
// may each make one: a lock would be held while a key service signs.
type appleSecret struct {
	sign func(now time.Time) (string, error)
	last atomic.Pointer[madeSecret]
}

type madeSecret struct {
	text string
	ends time.Time
}

func (a *appleSecret) current(context.Context) (string, error) {
	now := time.Now().Round(0) // the wall clock, which Apple has too
	if last := a.last.Load(); last != nil {
		if left := last.ends.Sub(now); left > appleSpare && left <= appleLife {
			return last.text, nil
		}
	}
	text, err := a.sign(now)
	if err != nil {
		return "", fmt.Errorf("jose: the client secret could not be signed: %w", err)
	}
	a.last.Store(&madeSecret{text, now.Add(appleLife)})
	return text, nil
}
