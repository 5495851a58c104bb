package jose

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// ClientKeys are the keys of a client at servers that tie each grant to the
// client key of its login, as the AT Protocol demands. A login is signed with
// the first key, and the refreshes of its grant with the same key, also after
// another key has become the first one. Each grant remembers the name of its
// key beside its proof key. [NewClientKeys] makes one; the zero ClientKeys
// cannot be used. It is safe for concurrent use.
//
// To replace a key, add the new one behind the first. A day later, when no
// server has the old set any more, make the new one the first. Remove the old
// key when no grant needs it: the users of its grants must then authorize again
// (tokensource.ErrKeyLost).
type ClientKeys struct {
	first string
	by    func() map[string]*assertions // a closure, so that nothing prints the keys
	set   *KeySet
}

// NewClientKeys returns the keys of a client. All of them sign with the same
// algorithm, ES256 unless o says otherwise. Options KeyID and Certificate
// belong to one key and are refused. Nil options mean all defaults.
func NewClientKeys(o *AssertionOptions, first crypto.Signer, older ...crypto.Signer) (*ClientKeys, error) {
	if o == nil {
		o = new(AssertionOptions)
	}
	if o.KeyID != "" || o.Certificate != nil {
		return nil, errors.New("jose: KeyID and Certificate belong to one key: leave them out")
	}
	options := *o
	if options.Algorithm == "" {
		options.Algorithm = defaultAlgorithm
	}
	k, all := new(ClientKeys), map[string]*assertions{}
	var public []crypto.PublicKey
	for _, key := range append([]crypto.Signer{first}, older...) {
		if isnil.Value(key) {
			return nil, errors.New("jose: a client key is nil")
		}
		a, err := newAssertion(key, &options)
		if err != nil {
			return nil, fmt.Errorf("jose: %w", err)
		}
		name, err := Thumbprint(key.Public())
		if err != nil {
			return nil, err
		}
		if k.first == "" {
			k.first = name
		}
		all[name], public = a, append(public, key.Public())
	}
	k.by = func() map[string]*assertions { return all }
	var err error
	k.set, err = NewKeySet(public...)
	return k, err
}

// Algorithm returns the algorithm with which the keys sign, such as "ES256".
func (k *ClientKeys) Algorithm() string { return k.by()[k.first].algorithm }

// MarshalJSON returns the public keys, for the jwks of the client's metadata.
func (k *ClientKeys) MarshalJSON() ([]byte, error) { return k.set.MarshalJSON() }

// ServeHTTP serves the public keys, for the jwks_uri of the client. See
// [KeySet].
func (k *ClientKeys) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.set.ServeHTTP(w, r) }

// Credential returns the Credential of the client. Requests of a grant are
// signed with its key if the oauth.Options have the Proofs of k, and all others
// with the first one.
func (k *ClientKeys) Credential() oauth.Credential {
	return oauth.Authentication(clientAuthenticator{k})
}

// Proofs returns p for oauth.Options: what it opens remembers the client key of
// its grant.
func (k *ClientKeys) Proofs(p tokensource.Proofs) tokensource.Proofs { return &tiedProofs{p, k} }

// clientAuthenticator signs each request with the key of its grant.
type clientAuthenticator struct{ keys *ClientKeys }

// of returns what signs r.
func (a clientAuthenticator) of(r *oauth.TokenRequest) authenticator {
	name := a.keys.first
	if tied, ok := r.Key.(*tiedKey); ok {
		name = tied.client
	}
	made := a.keys.by()[name]
	return authenticator{func() *assertions { return made }}
}

func (a clientAuthenticator) Authenticate(ctx context.Context, r *oauth.TokenRequest) error {
	return a.of(r).Authenticate(ctx, r)
}

func (clientAuthenticator) Check(p *provider.Provider) error { return authenticator{}.Check(p) }

func (a clientAuthenticator) Method() (name, alg string) {
	return a.of(new(oauth.TokenRequest)).Method()
}

func (a clientAuthenticator) Observe(r *oauth.TokenRequest, header http.Header, code string) (again bool) {
	return a.of(r).Observe(r, header, code)
}

// tiedProofs are proof keys that remember a client key.
type tiedProofs struct {
	tokensource.Proofs
	keys *ClientKeys
}

// tiedKey is the proof key of a grant that belongs to a client key.
type tiedKey struct {
	tokensource.ProofKey
	client string // the name of the client key
}

// formTied begins the text of such a key. The name of the client key follows.
const formTied = "tied"

func (k *tiedKey) Stored() string { return join(formTied, k.client, k.ProofKey.Stored()) }

// Method says how the key signs, if it says so.
func (k *tiedKey) Method() (name, alg string) {
	if m, ok := k.ProofKey.(interface{ Method() (name, alg string) }); ok {
		return m.Method()
	}
	return "", ""
}

func (p *tiedProofs) NewKey(ctx context.Context) (tokensource.ProofKey, error) {
	key, err := p.Proofs.NewKey(ctx)
	if err != nil || isnil.Value(key) {
		return nil, err
	}
	return &tiedKey{key, p.keys.first}, nil
}

// OpenKey opens the key of an earlier grant. If the client key of the grant is
// gone, the server does not refresh the grant.
func (p *tiedProofs) OpenKey(ctx context.Context, stored string) (tokensource.ProofKey, error) {
	form, rest, _ := strings.Cut(stored, ".")
	client, inner, ok := strings.Cut(rest, ".")
	if form != formTied || !ok {
		return nil, errDamaged
	}
	if p.keys.by()[client] == nil {
		return nil, fmt.Errorf("jose: the client key of the grant is not used any more: %w", tokensource.ErrKeyLost)
	}
	key, err := p.Proofs.OpenKey(ctx, inner)
	if err != nil || isnil.Value(key) {
		return nil, err
	}
	return &tiedKey{key, client}, nil
}

// Algorithm returns the algorithm of the proofs, if it is known.
func (p *tiedProofs) Algorithm() string {
	if a, ok := p.Proofs.(interface{ Algorithm() string }); ok {
		return a.Algorithm()
	}
	return ""
}

// References reports whether grants hold names of keys only.
func (p *tiedProofs) References() bool {
	r, ok := p.Proofs.(interface{ References() bool })
	return ok && r.References()
}
