package provider

import "time"

// An IDTokenRequest is what an ID token has to agree with, beside its signature
// and the facts of the [Provider] ([OpenID Connect Core] section 3.1.3.7). The
// zero value asks for nothing more.
//
// [OpenID Connect Core]: https://openid.net/specs/openid-connect-core-1_0.html
type IDTokenRequest struct {
	// Nonce is the nonce of the authorization request. Empty means that none
	// was sent, and then the ID token must have none.
	Nonce string

	// At is when the token answer came. Lifetimes are judged for that time,
	// because a login may be finished much later. Zero means now.
	At time.Time

	// AuthenticatedAfter is the earliest time at which the user may have
	// authenticated, if the authorization request had a max_age. Zero means
	// that it had none.
	AuthenticatedAfter time.Time

	// ACR are the authentication contexts that the authorization request asked
	// for in acr_values. The ID token must name one of them. Nil means that it
	// asked for none.
	ACR []string

	// Refreshed says that the ID token came with refreshed tokens. It needs no
	// nonce (section 12.2). The verifier must not wait for a network call, since
	// the refresh token that came with it is not stored yet. Its signature need
	// not be verified then: it came from the token endpoint, by TLS.
	Refreshed bool

	// Subject is the Subject of the User that the ID token of the login was
	// for. A refreshed ID token must be for the same one. Empty means any.
	Subject string

	// IssuedAfter is the time of the login. A refreshed ID token that was issued
	// before is refused. Zero means any time.
	IssuedAfter time.Time
}

// An IDToken is what a verified ID token says.
type IDToken struct {
	// User is who the user is.
	User Identity

	// Subject is the claim sub as it is in the ID token. It is also the Subject
	// of User, unless one authorization server has an issuer for each tenant:
	// see IDTokenIssuers of a [Provider].
	Subject string

	// Session is the claim sid, which names a session of the user at the
	// authorization server. Empty if there is none.
	Session string

	// Missing are claims that the app has chosen, or "name", and that are not in
	// the ID token. IdentityURL of the Provider may have them.
	Missing []string
}

// A LogoutToken is what a verified logout token says ([OpenID Connect
// Back-Channel Logout]).
//
// [OpenID Connect Back-Channel Logout]: https://openid.net/specs/openid-connect-backchannel-1_0.html
type LogoutToken struct {
	// Subject is the user, as Subject of the User in an [IDToken]. Session is
	// the claim sid. One of them can be empty.
	Subject, Session string

	// ID is different for each logout token (claim jti).
	ID string

	// Expires is when the logout token is no longer valid.
	Expires time.Time
}
