package jose

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/authtrip/authtrip/internal/isnil"
	"github.com/authtrip/authtrip/tokensource"
)

// DPoPOptions adjusts a [DPoP]. The zero value makes a key for each grant. The
// key is kept in the grant.
type DPoPOptions struct {
	// Algorithm is how new keys sign: "ES256", "ES384", "ES512", "EdDSA",
	// "RS256", "RS384", "RS512", "PS256", "PS384" or "PS512". The server must
	// take it: its metadata has dpop_signing_alg_values_supported. Empty means
	// ES256, and with NewSigner what suits the key: ES256, ES384, ES512, EdDSA or
	// PS256. A grant keeps the algorithm of its login.
	Algorithm string

	// NewSigner makes the key of a new grant in another place, such as a TPM or a
	// key service, and returns a name under which OpenSigner finds it. The grant
	// then holds the name, and no private key. Do not return a key twice: a key
	// that two servers know lets each of them see that the user is the same ([RFC
	// 9449] section 11.4). OpenSigner is needed too.
	//
	// Nil means that keys are made in memory and kept in the grants.
	//
	// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
	NewSigner func(ctx context.Context) (name string, key crypto.Signer, err error)

	// OpenSigner returns the key that NewSigner has made under a name. It is
	// called often, so it should keep what it has opened. An error that matches
	// tokensource.ErrKeyLost says that there is no such key any more: the user
	// must authorize again. Any other error counts as temporary.
	OpenSigner func(ctx context.Context, name string) (crypto.Signer, error)
}

// DPoP makes and opens the keys with which requests prove possession ([RFC
// 9449]). It is for oauth.Options.Proofs. [NewDPoP] makes one. Use one DPoP for
// all clients of a process: it also keeps the nonces that servers send, which
// are shared by all keys. It is safe for concurrent use.
//
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
type DPoP struct {
	o       DPoPOptions
	servers *servers
}

var _ tokensource.Proofs = (*DPoP)(nil)

// defaultAlgorithm is how keys sign that are made in memory.
const defaultAlgorithm = "ES256"

// NewDPoP returns a DPoP. Nil options mean all defaults. It refuses an unknown
// algorithm, and one of NewSigner and OpenSigner without the other.
func NewDPoP(o *DPoPOptions) (*DPoP, error) {
	if o == nil {
		o = new(DPoPOptions)
	}
	if (o.NewSigner == nil) != (o.OpenSigner == nil) {
		return nil, errors.New("jose: NewSigner and OpenSigner need each other: one names a key, and the other finds it")
	}
	if _, ok := algorithms[o.Algorithm]; !ok && o.Algorithm != "" {
		return nil, fmt.Errorf("jose: DPoP has no algorithm %.20q: use ES256, or one that the server's metadata names", o.Algorithm)
	}
	return &DPoP{o: *o, servers: newServers()}, nil
}

// Algorithm returns the algorithm with which the keys of new grants sign. It is
// empty if each key of NewSigner has its own.
func (d *DPoP) Algorithm() string {
	if d.o.Algorithm == "" && d.o.NewSigner == nil {
		return defaultAlgorithm
	}
	return d.o.Algorithm
}

// The text of a key is its form, its algorithm, and what follows: the private
// key, or the thumbprint and the name of a key that is in another place. The
// thumbprint shows that the key has been replaced.
const (
	formKey       = "key"
	formReference = "ref"
)

var errDamaged = fmt.Errorf("jose: the stored key cannot be read: %w", tokensource.ErrKeyLost)

// NewKey returns the key of a new grant.
func (d *DPoP) NewKey(ctx context.Context) (tokensource.ProofKey, error) {
	if d.o.NewSigner == nil {
		alg := d.Algorithm()
		signer, text, err := generate(alg)
		if err != nil {
			return nil, fmt.Errorf("jose: no key could be made: %w", err)
		}
		return d.key(signer, alg, func(string) string { return join(formKey, alg, text) })
	}
	name, signer, err := d.o.NewSigner(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("jose: NewSigner: %w", err)
	case isnil.Value(signer) || name == "":
		return nil, errors.New("jose: NewSigner returned no key, or a key without a name")
	}
	alg, err := fits(signer.Public(), d.o.Algorithm)
	if err != nil {
		return nil, err
	}
	return d.key(signer, alg, func(thumbprint string) string { return join(formReference, alg, thumbprint, name) })
}

// OpenKey returns the key of an earlier grant. The error matches
// tokensource.ErrKeyLost if the key does not exist any more, or if another key
// has its name.
func (d *DPoP) OpenKey(ctx context.Context, stored string) (tokensource.ProofKey, error) {
	form, rest, _ := strings.Cut(stored, ".")
	alg, rest, ok := strings.Cut(rest, ".")
	same := func(string) string { return stored }
	switch {
	case !ok:
		return nil, errDamaged
	case form == formKey:
		signer, err := parse(rest)
		if err != nil {
			return nil, errDamaged
		}
		key, err := d.key(signer, alg, same)
		if err != nil {
			return nil, errDamaged
		}
		return key, nil
	case form != formReference:
		return nil, errDamaged
	case d.o.OpenSigner == nil:
		return nil, errors.New("jose: the grant names a key in another place, and DPoPOptions have no OpenSigner")
	}
	thumbprint, name, _ := strings.Cut(rest, ".")
	signer, err := d.o.OpenSigner(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("jose: OpenSigner: %w", err)
	}
	if isnil.Value(signer) {
		return nil, errors.New("jose: OpenSigner returned no key")
	}
	// A key of another type has no thumbprint, or another one.
	if found, err := Thumbprint(signer.Public()); err != nil || found != thumbprint {
		return nil, fmt.Errorf("jose: another key has the name of the grant's key: %w", tokensource.ErrKeyLost)
	}
	return d.key(signer, alg, same)
}

// References reports whether grants hold names of keys, and no private keys. A
// store that is not sealed may hold names.
func (d *DPoP) References() bool { return d.o.NewSigner != nil }

func join(parts ...string) string { return strings.Join(parts, ".") }
