package discovery

import "errors"

// A caller decides on these errors, and on [ErrAddress]. A server that does not
// answer gives tokensource.ErrTemporary.
var (
	// ErrNotFound means that the server publishes no metadata at any of the
	// places where they may be.
	ErrNotFound = errors.New("discovery: there are no metadata")

	// ErrMismatch means that the metadata name another issuer, or another
	// resource, than was asked for. Nothing of them is used.
	ErrMismatch = errors.New("discovery: the metadata are those of another")

	// ErrInvalid means that what the server published cannot be used: it is no
	// JSON object, a member has the wrong type, or an endpoint is no https URL.
	ErrInvalid = errors.New("discovery: the metadata cannot be used")

	// ErrNoS256 means that the server does not support PKCE with S256. It
	// matches ErrInvalid too.
	ErrNoS256 = errors.New("discovery: the server does not offer PKCE with S256")

	// ErrNotAllowed means that Options.Allow refuses the issuer.
	ErrNotAllowed = errors.New("discovery: the issuer is not allowed")
)
