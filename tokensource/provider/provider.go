package provider

import (
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/tokensource"
)

// ClientAuth is how a confidential client authenticates at the token endpoint
// ([RFC 6749] section 2.3.1). A public client sends its client_id in the body,
// and nothing more.
//
// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
type ClientAuth int

const (
	// Basic sends an Authorization header. Client ID and secret are form-encoded
	// first, as the RFC demands.
	Basic ClientAuth = iota

	// BasicRaw is Basic without the form-encoding, for servers that do not
	// decode it.
	BasicRaw

	// Post sends client_id and client_secret in the body.
	Post
)

// PKCE is the form of the code challenge in an authorization request ([RFC
// 7636]).
//
// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
type PKCE int

const (
	// S256 sends the challenge of RFC 7636: base64url of the verifier's SHA-256.
	S256 PKCE = iota

	// S256Hex sends the SHA-256 of the verifier in hexadecimal digits, for
	// servers that want that.
	S256Hex

	// NoPKCE sends neither a challenge nor a verifier, for servers that refuse
	// them. What is lost: the state is then the only thing that ties a code to
	// the browser that asked for it.
	NoPKCE
)

// A Provider describes one authorization server and the API that its tokens are
// for. The zero value of every optional field means that the server follows the
// RFCs. Constructors read a Provider. It must not be changed after that.
type Provider struct {
	// Name is short and never changes, such as "x".
	Name string

	// AuthorizationURL and TokenURL are endpoints. Required.
	AuthorizationURL string
	TokenURL         string

	// RefreshURL is where refresh tokens are redeemed. Empty means TokenURL.
	RefreshURL string

	// RevocationURL is the endpoint of [RFC 7009], or what the server has in its
	// place, see Revocation. "{client_id}" stands for the client ID. Empty means
	// that the server has none.
	//
	// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
	RevocationURL string

	// PushedAuthorizationURL is the endpoint of [RFC 9126]. If it is set, every
	// authorization request is pushed there, and the browser carries only the
	// name of what was pushed. Empty means that the browser carries the request.
	//
	// [RFC 9126]: https://www.rfc-editor.org/rfc/rfc9126
	PushedAuthorizationURL string

	// RequirePushed says that the server takes pushed authorization requests
	// only. A Provider with it needs a PushedAuthorizationURL.
	RequirePushed bool

	// RegistrationURL is where an app registers itself ([RFC 7591]). Empty means
	// that the server has no such endpoint.
	//
	// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
	RegistrationURL string

	// DeviceAuthorizationURL is where a device asks for a code that a person
	// enters elsewhere ([RFC 8628]). Empty means that the server has no such
	// endpoint.
	//
	// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
	DeviceAuthorizationURL string

	// AnyLoopbackPort says that the server accepts a registered redirect URL on a
	// loopback address with any port ([RFC 8252] section 7.3).
	//
	// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
	AnyLoopbackPort bool

	// MTLS are the endpoints for a client that authenticates with a certificate,
	// or whose tokens are bound to one ([RFC 8705] section 5). An empty one means
	// the endpoint of the same name in Provider.
	//
	// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
	MTLS struct {
		TokenURL               string
		RevocationURL          string
		PushedAuthorizationURL string
		ClientCredentialsURL   string
		DeviceAuthorizationURL string
	}

	// MetadataURL is where the facts were read ([RFC 8414]), after the issuer
	// was compared. Empty means that they were written by hand.
	//
	// [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
	MetadataURL string

	// AssertionAudience is the aud of a signed client assertion ([RFC 7523]
	// section 3), for a server that wants its token endpoint or another text
	// there. Empty means Issuer, which is right for every server that follows
	// the present rules: an audience that is an endpoint can be made that of
	// another server.
	//
	// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
	AssertionAudience string

	// NoResource says that the server refuses the parameter resource ([RFC
	// 8707]). It is never sent then.
	//
	// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
	NoResource bool

	// ClientCredentialsURL is where an app asks for its own token. Empty means
	// TokenURL.
	ClientCredentialsURL string

	// OtherEndpoints are further endpoints of the authorization server, such as
	// introspection, and former names of the others. No token of a user is sent
	// there.
	OtherEndpoints []string

	// Issuer is compared with iss in the authorization response ([RFC 9207]) if
	// the server sends one. Empty refuses nothing.
	//
	// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
	Issuer string

	// IssuerRequired refuses a response without iss.
	IssuerRequired bool

	// IDTokenIssuers are the issuers that an ID token may name, for a server
	// whose ID tokens name another one than Issuer, or one of several. In one of
	// them, "{tenantid}" may stand for the tenant of the user, as in
	// "https://login.microsoftonline.com/{tenantid}/v2.0". Then the tenant is
	// part of Identity.Subject, because two tenants may name two users alike.
	// Nil means Issuer alone.
	IDTokenIssuers []string

	// JWKSURL is where the server publishes the keys with which it signs ID
	// tokens (jwks_uri). Empty means that ID tokens cannot be verified.
	JWKSURL string

	// EndSessionURL is where a browser logs out of the authorization server
	// (end_session_endpoint, [OpenID Connect RP-Initiated Logout]). Empty means
	// that the server has no such page.
	//
	// [OpenID Connect RP-Initiated Logout]: https://openid.net/specs/openid-connect-rpinitiated-1_0.html
	EndSessionURL string

	// ClientAuth is how a confidential client authenticates.
	ClientAuth ClientAuth

	// ClientIDInBody sends client_id in the body as well.
	ClientIDInBody bool

	// ClientIDParam is the name of the parameter with the client ID, in all
	// requests. Empty means client_id.
	ClientIDParam string

	// PublicBasic sends the ID of a public client by Basic, with an empty
	// password, for servers that do not read it in the body.
	PublicBasic bool

	// NoPublicClients says that the server has no public clients. A registration
	// without a Credential is then refused.
	NoPublicClients bool

	// Redirects are redirect URLs that the server does not accept. A
	// registration with one of them is refused, before a user sees the error
	// page of the server.
	Redirects struct {
		NoHTTP         bool // http, also on loopback addresses
		NoLocalhost    bool // the name localhost; 127.0.0.1 works
		NoLoopbackIP   bool // 127.0.0.1 and [::1]; localhost works
		NoCustomScheme bool // other schemes than https and http
	}

	// APIOrigins are the origins of the resource servers that the tokens are
	// for, such as "https://api.x.com".
	APIOrigins []string

	// GrantOrigins are further origins of resource servers, which come with a
	// grant: the hosts that are accepted, by the member that names the origin, as
	// a URL. The member is one of KeepMembers or of KeepCallback. Hosts are names
	// such as "login.example" or, for its subdomains, "*.example". A token goes
	// only to the origin that came with its own grant. A member that names
	// another host gives no origin.
	GrantOrigins map[string][]string

	// Scopes is every scope that the server knows. A client that asks for
	// another scope is refused. Empty allows any scope.
	Scopes []string

	// ScopeSeparator stands between scopes in requests and answers. Empty means
	// a space, as in RFC 6749.
	ScopeSeparator string

	// RefreshScope is the scope without which the server issues no refresh
	// token. Empty means that there is no such scope.
	RefreshScope string

	// AuthorizationParams are parameters that every authorization request needs,
	// such as access_type=offline. A login that sets one of them itself wins.
	AuthorizationParams url.Values

	// Nonce says that the server refuses an authorization request without a
	// nonce. A random one is sent unless the login sets one itself.
	Nonce bool

	// PKCE is the form of the code challenge. The zero value is S256.
	PKCE PKCE

	// MaxState is the longest state, in characters, that the server accepts.
	// Zero means no limit.
	MaxState int

	// ExpiresIn is the lifetime that is assumed for an access token if the
	// server does not name one. Zero means unknown: the token is used until it
	// is rejected.
	ExpiresIn time.Duration

	// SingleGrant says that the server keeps one grant per client and user: a
	// new login ends the tokens of the old one. Without it, tokens that a new
	// login replaces stay valid at the server until they expire or are revoked.
	SingleGrant bool

	// RevokesAll says that a revocation ends all grants of the user at the
	// server, also those of other logins. Then only what ends a grant on purpose
	// revokes anything.
	RevokesAll bool

	// Revocation is how the server wants a token to be revoked. Its zero value is
	// RFC 7009.
	Revocation struct {
		Method string // empty means POST

		// Auth is "basic", "id" (the client ID only), "none", or "token" (the
		// token itself, as a Bearer token). Empty means as at TokenURL.
		Auth string

		TokenParam string     // empty means "token"
		Params     url.Values // further parameters
		JSON       bool       // the parameters are a JSON object
		NoHint     bool       // without token_type_hint

		// Only is the kind of token that can be revoked, such as
		// "refresh_token". Empty means both.
		Only string
	}

	// CheckClient refuses a registration that cannot work, with an error that
	// says what to do. Optional.
	CheckClient func(clientID string, confidential bool) error

	// Classify says who can fix what an answer reports, for a server that words
	// its refusals otherwise than RFC 6749 section 5.2. It is asked about each
	// answer that did not do what was asked and that none of Refusals matches,
	// whatever its status. So an answer with 200 or 500 can be a refusal too. Its
	// result must depend on the Answer only. It is called concurrently. Optional.
	Classify func(Answer) Verdict

	// Refusals are answers that report a failure in other words than RFC 6749
	// section 5.2. The first one that matches counts. They are asked before
	// Classify.
	Refusals []Refusal

	// TokenParams and TokenHeader are added to every token request. The Client
	// sets its own parameters and headers after them.
	TokenParams url.Values
	TokenHeader http.Header

	// TokenJSON sends the parameters of a token request as a JSON object, for
	// servers that read no form.
	TokenJSON bool

	// ExpiryMember is the path of the member that says when an access token
	// expires, for servers without expires_in. ExpiryForm is how it is written:
	// "rfc3339", "unix" (seconds since 1970) or "jwt" (that member is a token
	// with a claim exp, whose signature nobody checks). Both or neither.
	ExpiryMember string
	ExpiryForm   string

	// TokenSample is an answer of the token endpoint as the server words it. A
	// fake of the server uses it, nothing else does. Optional.
	TokenSample []byte

	// RefreshTokens is what becomes of refresh tokens. Its zero value is the
	// strictest server: a refresh token is good for one use, and a second use
	// ends the grant.
	RefreshTokens struct {
		// None says that there are none: an access token lives until the user
		// withdraws access, or until it expires.
		None bool

		// Reusable says that a refresh token stays good when it is used. Grace is
		// how long one that does not is still answered, and ReuseSparesGrant says
		// that a later use is refused and ends nothing else.
		Reusable         bool
		Grace            time.Duration
		ReuseSparesGrant bool

		// EndsAccess says that a refresh ends the access token before it.
		EndsAccess bool

		// AbsentIsLost says that an answer without a refresh token means that
		// another request got it. The old one must not be used again.
		AbsentIsLost bool

		// Idle is the time after which an unused refresh token dies. Lifetime is
		// that after which any dies, counted from the login. Zero means unknown.
		Idle     time.Duration
		Lifetime time.Duration

		// ExpiryMember is the path of the member with the seconds for which the
		// refresh token still lives. Empty means the usual ones.
		ExpiryMember string
	}

	// Trade is how an access token is itself traded for the next one, at servers
	// without refresh tokens. First is for the token of a login, which lives for
	// hours and is traded at once. Its zero value means that it is like Next, which
	// is for a token that is From old and has not expired. Without a URL in Next,
	// no token can be traded.
	//
	// Method is GET, with the parameters in the query, or empty for a POST of a
	// form. TokenParam is the name of the parameter with the token, and Params are
	// the fixed ones, grant_type among them. Auth is how the client authenticates:
	// "secret" (the client secret alone, as a parameter), "none", or empty for as
	// at TokenURL.
	Trade struct {
		From        time.Duration
		First, Next struct {
			URL, Method, TokenParam, Auth string
			Params                        url.Values
		}
	}

	// TokenObject is the path of the object with the tokens in an answer of the
	// token endpoint, such as "authed_user" or "data.0". An answer without an
	// access token there is read at its top. Empty means the top, as in RFC
	// 6749.
	TokenObject string

	// KeepMembers are members of an answer that are stored with the grant, such
	// as "bot_user_id" or "team.id". They survive an answer that lacks them, and
	// they come with every token: tok.Extra("team.id"). Names of secrets have no
	// place here: every caller with a token sees the values. Neither has
	// "id_token": package middleware keeps it where a logout needs it.
	KeepMembers []string

	// KeepCallback are parameters of the authorization response that are stored
	// with the grant like KeepMembers, such as "realmId". A member with the same
	// name wins.
	KeepCallback []string

	// CallbackSignature is the parameter of the authorization response with a
	// signature: HMAC-SHA256 with the client secret, in hexadecimal, over the
	// other parameters, sorted by name and encoded as a form. A response with a
	// code and without a right signature is refused before any request. Empty
	// means that responses are not signed.
	CallbackSignature string

	// CallbackValues are parameters of the authorization response that must have
	// these values, such as the shop that was asked. A response with a code and
	// another value is refused like one with a wrong signature.
	CallbackValues map[string]string

	// TokenHostParam is the parameter of the authorization response that names
	// the server which issued the code, and TokenHosts are its only possible
	// values, such as "https://accounts.zoho.eu". All endpoints of that user are
	// there, with the paths of those above. Both or neither. A value that is not
	// in the list is refused, because the client secret would go there.
	TokenHostParam string
	TokenHosts     []string

	// IdentityURL answers a request that has an access token with the user of
	// that token. ParseIdentity reads the body of a 200 response, or
	// IdentityPaths says where the user is in it. Optional.
	IdentityURL   string
	ParseIdentity func(body []byte) (Identity, error)

	// IdentityRequest describes the request to IdentityURL. "{client_id}" in a
	// header stands for the client ID.
	IdentityRequest struct {
		Method string      // empty means GET
		Header http.Header // beside Authorization
		Body   string      // its media type is in Header
	}

	// IdentityPaths are the paths of what is known of the user, see
	// [Answer.Member]. Several paths of a subject are joined with a slash.
	IdentityPaths struct {
		Subject                 []string
		Username, Name, Picture string
		Claims                  map[string]string // paths by the name of the claim
	}

	// IdentityInToken says that the answer of the token endpoint names the user,
	// at IdentityPaths. IdentityURL is asked only if an answer does not.
	IdentityInToken bool

	// IdentityScopes are the scopes without which IdentityURL refuses. A token
	// needs all of them. Nil means that any token will do.
	IdentityScopes []string

	// API says how the resource servers at APIOrigins answer.
	API tokensource.APIFacts

	// InsecureLoopback allows http endpoints on loopback addresses, for tests
	// and demonstrations. What is lost: another user of the same machine may
	// listen there.
	InsecureLoopback bool

	// InsecureHTTP allows http for every endpoint and for every API origin, for
	// servers in a private network, such as http://keycloak:8080. What is lost:
	// a person who can read that network reads the client secret, the codes and
	// the tokens. A person who can change what is sent there can log in as any
	// user.
	InsecureHTTP bool
}
