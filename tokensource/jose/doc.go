// Package jose adds to package oauth what needs signatures: proofs of
// possession (DPoP, [RFC 9449]) and whatever else is made of a key and JSON
// (JOSE).
//
// # What it is for
//
// The root module signs nothing, so that programs without keys carry no code
// for them. This package is a module of its own. It makes signatures with
// go-jose. It is not needed for ID tokens: package oidc verifies them.
//
// # Types
//
// A key is a crypto.Signer: an *ecdsa.PrivateKey, an *rsa.PrivateKey or an
// ed25519.PrivateKey of the program, or a key that stays in a TPM or a KMS.
// [Thumbprint] names the public half of a key, and a [KeySet] serves public
// halves.
//
// A [DPoP] makes and opens the keys with which requests prove possession. It is
// for oauth.Options.Proofs, and needs nothing else.
//
// [PrivateKeyJWT] and [PrivateKeyJWTFunc] return the Credential of a client
// that signs an assertion for each request, and [AppleSecret] that of a client
// of Sign in with Apple.
//
// # Example
//
//	dpop, err := jose.NewDPoP(nil)
//	credential, err := jose.PrivateKeyJWT(key, nil)
//	client, err := oauth.New(p, oauth.Registration{
//		ClientID: id, Credential: credential, RedirectURL: callback,
//	}, &oauth.Options{Proofs: dpop})
//
// # Concurrency
//
// Everything is safe for concurrent use, as far as a crypto.Signer of the
// caller is.
//
// # Errors
//
// Errors say which argument cannot work. They begin with "jose:". No error
// contains a key, a token or a proof.
//
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
package jose
