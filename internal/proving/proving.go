// Package proving puts proofs of possession into requests ([RFC 9449], DPoP).
//
// # Keys
//
// A token that is bound to a key carries the key with it: [Bind] adds a [Key],
// and [KeyOf] finds it. So a key is never separated from its token, and no
// caller has to hand over both. [Key.Open] opens the key when it is needed.
//
// # Requests
//
// A source embeds an [Authorizer]. So it is a tokensource.RequestAuthorizer,
// for tokens of both types: [Carry] sends a Bearer token as a Bearer token, and
// a token that is bound to a key with a proof of that key, never otherwise.
//
// # Concurrency and errors
//
// Everything is safe for concurrent use. An error of a key is a
// *tokensource.Error. An error of a token is one of package bearer, which
// quotes no token.
//
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
package proving

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// Type is the token_type of a token that is bound to a key.
const Type = "DPoP"

// A Key is the key of a grant, which is opened when it is needed. It prints
// nothing of the key.
type Key struct {
	open   func(context.Context) (tokensource.ProofKey, error)
	stored func() string
	opened *atomic.Pointer[opened]
}

type opened struct{ key func() tokensource.ProofKey }

// Opened returns the Key of a ProofKey.
func Opened(key tokensource.ProofKey) *Key {
	return &Key{
		open:   func(context.Context) (tokensource.ProofKey, error) { return key, nil },
		stored: key.Stored,
		opened: new(atomic.Pointer[opened]),
	}
}

// Named returns the Key that proofs will open. Proofs may be nil if this
// process has none. An empty text gives nil: a token that is bound to no key.
func Named(proofs tokensource.Proofs, stored string) *Key {
	if stored == "" {
		return nil
	}
	open := func(ctx context.Context) (tokensource.ProofKey, error) {
		if proofs == nil {
			return nil, errNoProofs
		}
		return proofs.OpenKey(ctx, stored)
	}
	return &Key{open: open, stored: func() string { return stored }, opened: new(atomic.Pointer[opened])}
}

var errNoProofs = errors.New("the tokens are bound to a key by DPoP, and this client has no oauth.Options.Proofs")

// Stored returns the text from which the key can be opened. A nil Key has an
// empty text.
func (k *Key) Stored() string {
	if k == nil {
		return ""
	}
	return k.stored()
}

// Open returns the key. A key that was opened stays open. The error is a
// *tokensource.Error: ErrReauthorize if the key is lost, ErrClient if this
// client opens no keys, ErrTemporary otherwise.
func (k *Key) Open(ctx context.Context, op string) (tokensource.ProofKey, error) {
	if o := k.opened.Load(); o != nil {
		return o.key(), nil
	}
	key, err := k.open(ctx)
	if err == nil && key == nil {
		err = errors.New("Proofs.OpenKey returned nil")
	}
	if err == nil {
		k.opened.Store(&opened{func() tokensource.ProofKey { return key }})
		return key, nil
	}
	e := &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: err}
	switch {
	case errors.Is(err, tokensource.ErrKeyLost):
		e.Kind, e.Reason = tokensource.ErrReauthorize, tokensource.ReasonKeyLost
	case errors.Is(err, errNoProofs):
		e.Kind, e.Hint = tokensource.ErrClient, "give each process that shares the store the same Proofs"
	}
	return nil, e
}

// Private reports whether what Proofs store is a secret. Nil stores nothing.
func Private(p tokensource.Proofs) bool {
	if p == nil {
		return false
	}
	r, ok := p.(interface{ References() bool })
	return !ok || !r.References()
}

// extra is the name under which a token has its key. No answer of a server has
// a function as a value, so what is found there is a Key of this package.
const extra = "authtrip: proof key"

// Bind returns tok with its key. Members of tok stay, and tok is not changed.
// Nil for the key returns tok.
func Bind(tok *oauth2.Token, members map[string]any, key *Key) *oauth2.Token {
	if key == nil {
		return tok.WithExtra(members)
	}
	members[extra] = key
	return tok.WithExtra(members)
}

// KeyOf returns the key of a token, or nil if it has none.
func KeyOf(tok *oauth2.Token) *Key {
	if tok == nil {
		return nil
	}
	key, _ := tok.Extra(extra).(*Key)
	return key
}
