// Package discovery reads what authorization servers and resources publish
// about themselves, so that a program needs an issuer only, or the URL of an
// API.
//
// # What it is for
//
// An authorization server publishes its endpoints and abilities as metadata
// ([RFC 8414], [OpenID Connect Discovery]). [Client.Provider] makes a
// provider.Provider of them, for oauth.New. An API says which authorization
// servers it accepts ([RFC 9728]): [Client.Resource] reads that, from a 401 or
// from the URL of the API.
//
// # Types
//
// A [Client] reads metadata and keeps them in memory. A [Server] and a
// [Resource] are what it has read, with everything that package oauth does not
// need. [Options] are its settings. A [Guard] makes connections to public
// servers only.
//
// # Example
//
//	p, err := discovery.Provider(ctx, "https://as.example", nil)
//	p.APIOrigins = []string{"https://api.example"}
//	client, err := oauth.New(p, registration, nil)
//
// # What is believed
//
// The issuer in the metadata must be the one that was asked for, character by
// character. Otherwise nothing of them is used: a server could name the
// endpoints of another one. The answer has status 200 and is JSON; a redirect
// is not followed. Each endpoint is an https URL. Unknown members are ignored.
// A known member with the wrong type is an error that names it.
//
// The place of the metadata is tried in this order. For an issuer with a path:
// RFC 8414 with the path behind the well-known name, OpenID Connect in the same
// way, and OpenID Connect with the path before the well-known name. Without a
// path: RFC 8414, and OpenID Connect.
//
// # Addresses
//
// URLs that come from outside could lead into the network of this program. So a
// Client connects to public addresses only, unless [Options] allow others, and
// uses no proxy. Give the transport of the same [Guard] to oauth.Options if the
// issuer came from outside too.
//
// # Memory
//
// A document is kept for a day at most, and for less if the server says so. In
// the last quarter of that time it is read again in the background. A document
// that cannot be read leaves the last good one in place. [Client.Refresh] reads
// one again at once, after a failure that a moved endpoint explains.
//
// # Concurrency
//
// All types are safe for concurrent use. Callers that need the same document
// share one request. Nobody may change a Server or a Resource.
//
// # Errors
//
// Match errors with errors.Is: [ErrNotFound], [ErrMismatch], [ErrInvalid],
// [ErrNoS256], [ErrNotAllowed], [ErrAddress] and tokensource.ErrTemporary. The
// text names the URL of the metadata, and the member that is wrong.
//
// [OpenID Connect Discovery]: https://openid.net/specs/openid-connect-discovery-1_0.html
// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
package discovery
