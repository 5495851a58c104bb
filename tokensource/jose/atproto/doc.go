// Package atproto finds the authorization server of a user of the AT Protocol,
// such as a user of Bluesky.
//
// # What it is for
//
// The users of the AT Protocol are on many servers, and each server may have
// an authorization server of its own. A user types a handle, such as
// "alice.example.com". A [Resolver] follows it: from the handle to the DID, the
// lasting name of the account, from there to the server that hosts the account,
// and from there to the authorization server ([AT Protocol OAuth]).
//
// # Its types
//
// A [Resolver] resolves. An [Account] is what it found. [Options] are its
// settings. [Logins] are the logins of an [App] at the servers of all its
// users, on one mux.
//
// # Example
//
//	resolver, err := atproto.NewResolver(nil)
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
// public addresses only, as discovery.Guard says, follows no redirect and reads
// a bounded part of each answer.
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
package atproto
