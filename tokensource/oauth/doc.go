// Package oauth is a client of authorization servers: it speaks the protocol
// of OAuth 2.0 for one app.
//
// # What it is for
//
// A [Client] builds the URL at which a user authorizes the app, exchanges the
// code that comes back for tokens, refreshes tokens, revokes them, and asks
// who the user is ([RFC 6749], [RFC 7636], [RFC 7009]). It stores nothing,
// caches nothing and decides nothing: package grant keeps grants alive and
// says when a refresh token may be sent. Programs call a Client for the login,
// and leave the rest to package grant.
//
// # Types
//
// A [Registration] is the app as the server knows it, and a provider.Provider
// is the server. The [Credential] in a Registration is what the app
// authenticates with: [Secret], [SecretFunc], or an [Authenticator] of the
// caller, which sees each [TokenRequest]. Options.Proofs bind the tokens to
// keys (DPoP, [RFC 9449]), one for each login; a program that calls a Client
// itself names the key with [Client.WithProver]. An [IDTokenVerifier] verifies
// the ID tokens of OpenID Connect.
//
// # Example
//
//	client, err := oauth.New(provider.X(), oauth.Registration{
//		ClientID:    os.Getenv("X_CLIENT_ID"),
//		Credential:  oauth.Secret(os.Getenv("X_CLIENT_SECRET")),
//		RedirectURL: "https://app.example/callback",
//		Scopes:      []string{"tweet.read", "users.read", "offline.access"},
//	}, nil)
//	grants, err := grant.New(client, store, nil)
//
// # Requests
//
// Every call makes one request. A request is repeated in two cases only. If the
// server refused the first one and asks for another proof of possession, the
// request is sent once more, with a new proof. And a client whose secret has
// changed sends a request again if nothing in it is single-use. No redirect is
// followed and no cookie is kept, because both would carry credentials to other
// places ([RFC 9700] section 4.12).
//
// Each request travels on a connection of its own, and requests of one kind are
// bounded in number. See [Options].
//
// # Answers
//
// If the server granted, the form of its answer never costs the grant: any 2xx,
// any or no media type, JSON or the encoding of forms, scopes as a list or with
// commas, a missing token_type. Refused is what no request can carry. What came
// with it is not lost, see [Unusable].
//
// An answer with an error code is a refusal, whatever its status. Who can fix
// it is decided on the answer as it came, first by Provider.Refusals and
// Provider.Classify. An answer with neither a token nor an error code is none
// of an authorization server: it redeemed nothing, and the failure is
// temporary.
//
// # Secrets
//
// No secret is kept in a field that package fmt or an encoder can read. Errors
// contain no token, code, secret, verifier or response body.
//
// # Concurrency
//
// All types are safe for concurrent use, except a TokenRequest, which belongs
// to one request.
//
// # Errors
//
// An error of a request is a *tokensource.Error. Match it with errors.Is:
// tokensource.ErrReauthorize, tokensource.ErrClient or
// tokensource.ErrTemporary. Its field InDoubt says whether the server may have
// done what was asked. Other errors mean that an argument cannot work. They
// begin with "oauth:".
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
// [RFC 9700]: https://www.rfc-editor.org/rfc/rfc9700
package oauth
