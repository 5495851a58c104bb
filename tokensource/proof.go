package tokensource

import (
	"context"
	"net/http"
)

// Proofs makes and opens the keys with which requests prove possession (DPoP,
// [RFC 9449]). A server binds the tokens of a grant to the key of the login, so
// that a stolen token is of no use without the key. Module tokensource/jose
// implements Proofs. Programs set oauth.Options.Proofs, and the other packages
// of this module do the rest: a login makes a key, the grant keeps it, and a
// refresh and each request to an API carry a proof.
//
// Methods are called concurrently. They must be fast, because a request waits
// for them: a function that asks a key service should keep what it has opened.
//
// Proofs may have a method Algorithm() string, which returns the name of the
// algorithm with which all keys sign, such as "ES256". Option FAPI2 of package
// oauth needs it.
//
// What ProofKey.Stored returns is a secret, unless Proofs has a method
// References() bool which returns true. Package grant stores a secret in
// sealed stores only.
//
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
type Proofs interface {
	// NewKey returns the key of a new grant. No two grants share a key.
	NewKey(ctx context.Context) (ProofKey, error)

	// OpenKey returns the key whose Stored method returned stored. The error
	// matches [ErrKeyLost] if there is no such key any more: the user must then
	// authorize again. Any other error counts as temporary.
	OpenKey(ctx context.Context, stored string) (ProofKey, error)
}

// A ProofKey is the key of one grant. No verb of package fmt and no encoder may
// print the key. Methods are called concurrently.
type ProofKey interface {
	// Prove returns a new proof for one request: the value of its DPoP header.
	// It is called once for each time that a request is sent. Target is the URL
	// without query and fragment. A request to the authorization server has no
	// access token.
	Prove(ctx context.Context, method, target, accessToken string) (proof string, err error)

	// Observe sees the headers of each answer to a request with a proof. Resource
	// says that it is the answer of a resource server. The code is the error code
	// of the answer, or empty. Observe reports whether the server refused the
	// request because of the proof alone, and another proof may be accepted. The
	// request is then sent once more, with a new proof.
	Observe(target string, resource bool, header http.Header, code string) (again bool)

	// Thumbprint names the public key ([RFC 9449] section 10, dpop_jkt).
	//
	// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
	Thumbprint() string

	// Stored returns a text from which Proofs.OpenKey makes the same key again:
	// the private key, or the name of a key that is in another place. It is valid
	// UTF-8, and not empty.
	Stored() string
}
