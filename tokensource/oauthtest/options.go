package oauthtest

import (
	"io"
	"net/http"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Options sets up a [Server]. The zero value, and nil, mean a plain server of
// RFC 6749 with two apps ([ConfidentialApp] and [PublicApp]) and one user
// ([DefaultUser]).
type Options struct {
	// Provider is the server to play. Nil means a plain one: RFC 6749 at
	// https://auth.example, an API at https://api.example. The server honours
	// the facts: where it is asked, what a request needs, how an answer is
	// worded (TokenSample, Refusals, API.Answers), what becomes of refresh
	// tokens, how a token is revoked, and who the user is (IdentityPaths). So it
	// plays every entry of the catalogue: provider.Get("slack"). It accepts a
	// client_id in the body beside Basic, as ClientIDInBody sends it, and insists
	// on it only under Knobs.Token.RequireBodyClientID.
	Provider *provider.Provider

	// Apps are the registered apps. Nil means ConfidentialApp and PublicApp.
	Apps []App

	// Users are the accounts. Nil means DefaultUser. The first one is logged in
	// to the browser unless Knobs.Authorize.User says otherwise.
	Users []User

	// Knobs are the settings to begin with. Server.Set changes them later. Their
	// zero value means what the provider says.
	Knobs Knobs

	// Clock returns the time. Nil means time.Now, which inside a
	// testing/synctest bubble is the bubble's time.
	Clock func() time.Time

	// Random supplies the bytes of tokens and codes. Nil means crypto/rand. The
	// server reads from one goroutine at a time.
	Random io.Reader

	// OnRequest is called after each request, before its answer is sent. It is
	// called once more for a request that was handled after its client had left
	// (Fault.Late). Nil means no call.
	OnRequest func(Request)

	// RecordLimit is how many requests Server.Requests keeps, the latest ones.
	// Zero means 4096; negative keeps none. Server.TokenCalls and Server.Audit
	// do not depend on it.
	RecordLimit int

	// Keep is how long the books remember a token that is dead. Zero means 24
	// hours. Afterwards Server.Token answers Unknown. The reuse of a refresh
	// token is recognised for as long as its grant lives.
	Keep time.Duration

	// The fields below describe the server where provider.Provider has no field
	// for it. Their zero values follow the RFCs.

	// DefaultScopes are the scopes of Server.IssueToken, and of an
	// authorization request that names none at a server whose Provider.Scopes
	// is empty. A Provider.RefreshScope belongs into it. Nil means no scope but
	// Provider.RefreshScope.
	DefaultScopes []string

	// CodeTTL is how long an authorization code lives. Zero means a minute.
	CodeTTL time.Duration

	// Resources are the APIs that a token can be for. A request for another one
	// is refused (RFC 8707). Nil accepts any. RequireResource refuses a request
	// for a token, or for an authorization, that names none.
	Resources       []string
	RequireResource bool

	// Assertions verifies the assertions of apps whose Auth is "private_key_jwt"
	// (RFC 7523 section 3). It returns the client that an assertion is of. The
	// audience is what the assertion must be for, and now is the server's time.
	// It is called concurrently. Package jose/josetest has one. Nil refuses all.
	Assertions interface {
		VerifyAssertion(assertion, audience string, now time.Time) (clientID string, err error)
	}

	// Proofs verifies proofs of possession (DPoP, RFC 9449). It checks signature,
	// method, target, access token (ath) and time, and returns the thumbprint of
	// the key, and the ID and the nonce of the proof. The access token is empty
	// at the authorization server. VerifyProof is called concurrently. Package
	// jose/josetest has one. The server then issues tokens that are bound to a
	// key, refuses a proof that was used before, and a refresh token under
	// another key. Knobs.Proof changes that. Nil means Bearer tokens.
	Proofs interface {
		VerifyProof(proof, method, target, accessToken string, now time.Time) (thumbprint, id, nonce string, err error)
	}

	RequireState bool // an authorization request needs a state
	RequirePKCE  bool // an authorization request needs a code_challenge
	RequireHint  bool // a revocation request needs a token_type_hint

	// JSONBodies accepts a JSON object in place of a form at the token and
	// revocation endpoints, as some servers do although RFC 6749 does not allow
	// it.
	JSONBodies bool

	// MaxRedirectURLs is how many redirect URLs an app may have. Zero means no
	// limit.
	MaxRedirectURLs int

	// ForbiddenSchemes are schemes, in lower case, that no redirect URL may
	// have. Schemes that no server accepts, such as javascript, need not be
	// listed. Nil means no others.
	ForbiddenSchemes []string

	// Aliases names further hosts of the server, and for each the host in
	// Provider that it stands for. Nil means none.
	Aliases map[string]string

	// DescribeScope says on the consent page what a scope allows. Nil shows the
	// scope itself.
	DescribeScope func(scope string) string

	// Handle answers requests to the API: everything but authorization, token
	// and revocation requests, also a client credentials request where the
	// provider has an endpoint of its own for it. The body is the part of the
	// request's body that was read, at most its first MiB. A form that was read
	// is in PostForm. Token says whether the bearer token is good.
	//
	// A nil Answer, or nil for Handle, means the server's own answer: 401 and a
	// challenge without a good token, the user as OpenID Connect's UserInfo
	// endpoint describes it at Provider.IdentityURL, and elsewhere a
	// description of the request as JSON. A Status of zero means this answer
	// too, with the Header added.
	Handle func(r *http.Request, seen Request, bearer Token) *Answer

	// Answer words the server's answers where servers differ. It returns nil
	// for the RFC's answer, and must not call the Server: a lock is held.
	//
	// The topics are: "missing" (of a parameter, which is named), "client",
	// "unknown client", "grant_type", "code", "redirect_uri", "code_verifier",
	// "refresh_token", "device_code", "assertion", "subject_token", "scope",
	// "query" and "token_type_hint" for what is wrong with it; "token" and
	// "revoked" for a token that is unknown to the revocation endpoint or
	// revoked; "page" for an authorization request that
	// cannot be sent back; "method" (the allowed one is named) and "path".
	Answer func(topic, parameter string) *Answer

	// IDTokens makes the ID tokens of users who grant the scope "openid", and the
	// key set at Provider.JWKSURL. The Signer of package oidctest is one. IDToken
	// signs claims. It adds the hash of the access token that the ID token comes
	// with (at_hash). It must not call the Server: a lock is held. Nil means that
	// there are no ID tokens.
	IDTokens interface {
		IDToken(claims map[string]any, accessToken string) (string, error)
		JWKS() []byte
	}

	// Stamp adds the headers that the server sends with everything. Nil adds
	// none but Date.
	Stamp func(h http.Header, seen Request)
}

// Answer is what a server answers.
type Answer struct {
	Status int
	Header http.Header
	Body   string

	// Stream is sent in place of Body, as it comes. The server closes it.
	Stream io.ReadCloser

	// Note is added to Request.Notes. It must hold no secret.
	Note string
}

// plainProvider is the server without Options.Provider.
func plainProvider() *provider.Provider {
	return &provider.Provider{
		Name:             "fake",
		AuthorizationURL: "https://auth.example/authorize",
		TokenURL:         "https://auth.example/token",
		RevocationURL:    "https://auth.example/revoke",

		DeviceAuthorizationURL: "https://auth.example/device_authorization",
		Issuer:                 "https://auth.example",
		IssuerRequired:         true,
		APIOrigins:             []string{"https://api.example"},
		IdentityURL:            "https://api.example/userinfo",
		ParseIdentity:          parseUserInfo,
	}
}
