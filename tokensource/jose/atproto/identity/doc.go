// Package identity finds users of the AT Protocol, such as users of Bluesky,
// and their authorization servers.
//
// # What it is for
//
// The users of the AT Protocol are on many servers, and each server may have
// an authorization server of its own. A user types a handle, such as
// "alice.example.com". A [Resolver] follows it: from the handle to the DID, the
// lasting name of the account, from there to the server that hosts the account,
// and from there to the authorization server ([AT Protocol OAuth]). Package
// atproto does the logins.
//
// # Types
//
// A [Resolver] resolves. An [Account] is what it found. [Options] are its
// settings.
//
// # Example
//
//	resolver, err := identity.NewResolver(nil)
//	account, err := resolver.Resolve(ctx, "alice.example.com")
//	p, err := resolver.Provider(ctx, account)
//	client, err := oauth.New(p, registration, &oauth.Options{
//		Proofs: dpop, HTTPClient: resolver.HTTPClient(),
//	})
//
// # What is believed
//
// A handle counts only if the document of its DID names the handle too. What an
// authorization server says about its user counts only if the account of that
// user leads back to this server: see [Resolver.Verify].
//
// # Addresses
//
// Each of these servers is named by somebody else. So a Resolver connects to
// public addresses only, as discovery.Guard says, and reads a bounded part of
// each answer. A number of requests are under way at once, and others wait. It
// follows redirects only of the file that names the DID of a handle.
//
// # Concurrency
//
// All types are safe for concurrent use.
//
// # Errors
//
// Match errors with errors.Is: [ErrIdentifier], [ErrNotFound], [ErrHandle],
// [ErrDocument], [ErrServer], [ErrUser], those of package discovery, and
// tokensource.ErrTemporary.
//
// [AT Protocol OAuth]: https://atproto.com/specs/oauth
package identity
