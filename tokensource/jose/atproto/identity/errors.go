package identity

import "errors"

// A caller decides on these errors. A server that does not answer gives
// tokensource.ErrTemporary.
var (
	// ErrIdentifier means that a text is neither a handle nor a DID that the AT
	// Protocol knows.
	ErrIdentifier = errors.New("identity: neither a handle nor a DID")

	// ErrNotFound means that no account has this handle or this DID.
	ErrNotFound = errors.New("identity: there is no such account")

	// ErrHandle means that a handle leads to a DID whose document does not name
	// the handle, or that it leads to several DIDs.
	ErrHandle = errors.New("identity: the handle does not belong to the account")

	// ErrDocument means that the document of a DID cannot be used. It is the
	// document of another DID, or it names no server.
	ErrDocument = errors.New("identity: the document of the DID cannot be used")

	// ErrServer means that the server of the account, or its authorization
	// server, does not offer what the AT Protocol demands.
	ErrServer = errors.New("identity: the server does not offer what the AT Protocol demands")

	// ErrUser means that an authorization server named a user that it must not
	// name. The user is not the one that was asked for, or the account of the
	// user has another authorization server.
	ErrUser = errors.New("identity: the authorization server may not speak for this user")
)
