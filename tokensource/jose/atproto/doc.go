// Package atproto logs in users of the AT Protocol, such as users of Bluesky,
// at the authorization servers of their own choice.
//
// # What it is for
//
// In the AT Protocol, nobody registers an app: its client ID is the URL of a
// document that the app serves. A user types a handle, and the app sends the
// user to the authorization server of that account. Everything that the
// protocol demands of a client happens here ([AT Protocol OAuth]): pushed
// requests, PKCE, proofs of possession with the nonces of both servers, the
// check of the issuer, and the check that the server may speak for the user.
//
// # Types
//
// An [App] is the app. [Logins] are its logins on a mux, and [Native] those of
// a program without a web server. Both find users with an identity.Resolver.
// [Development] is the registration of an app that is not published yet.
//
// # Example
//
//	resolver, err := identity.NewResolver(nil)
//	logins, err := atproto.NewLogins(resolver, &atproto.App{
//		Registration: registration, Store: store, Keys: keys, Proofs: dpop,
//		LoginPage: "/login",
//	})
//	logins.Mount(mux)
//	mux.Handle("/me", logins.Require(page))
//
// # What is believed
//
// A login that began with a handle ends with that account, or it is refused and
// its tokens are revoked. A login that began at a server ends with an account
// that leads back to this server. The answer must grant the scope "atproto".
// The account is looked at again for each new token, and every ten minutes.
//
// # Confidential apps
//
// With App.ClientKeys, the app signs its requests, and servers let its logins
// live longer. A server ties each grant to the key of its login. So the keys
// can be replaced while grants live: see jose.ClientKeys.
//
// # Concurrency
//
// All types are safe for concurrent use.
//
// # Errors
//
// A Source gives the errors of package tokensource. tokensource.ErrReauthorize
// together with identity.ErrUser means that the account has moved to another
// authorization server. The other errors are those of package identity.
//
// [AT Protocol OAuth]: https://atproto.com/specs/oauth
package atproto
