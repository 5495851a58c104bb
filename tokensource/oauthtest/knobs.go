package oauthtest

import (
	"cmp"
	"context"
	"net/url"
	"time"
)

// Knobs change what the fake does. The zero value of every field means what the
// provider and the [Options] say. Change them with [Server.Set].
type Knobs struct {
	// Authorize changes the authorization endpoint.
	Authorize struct {
		// User is the ID of the user who is logged in to the browser. Empty
		// means the first one.
		User string

		Deny bool // the user refuses
		Ask  bool // a page with two buttons asks a person

		// Decide, if set, says in place of Deny whether the user approves.
		Decide func(clientID, userID string, scopes []string) bool

		// DenyAs names a parameter that carries the state back when the user
		// refuses, in place of error and state. OAuth 1.0a had "denied".
		DenyAs string

		CodeTTL           time.Duration // lifetime of a code. Zero means Options.CodeTTL
		MaxState          int           // characters. Zero means Provider.MaxState
		AllowMissingState bool          // overrules Options.RequireState
		StrictPKCE        bool          // refuse a code_challenge outside RFC 7636's alphabet and 43 to 128 characters
		DropUnknownScopes bool          // grant the known scopes in place of a refusal
		RevokeAtConsent   bool          // a new login ends earlier grants before its code is exchanged
		AnyLoopbackPort   bool          // a redirect URL at a loopback address matches with any port (RFC 8252)
		PromptNone        string        // error that answers prompt=none, such as login_required. Empty ignores prompt

		// What a hostile or another server may send to the callback.
		SendIss       string     // iss (RFC 9207). Empty means Provider.Issuer; "-" sends none
		TamperState   bool       // changes one character of state
		OmitState     bool       // sends no state
		EmptyState    bool       // sends a state without a value
		InFragment    bool       // sends the parameters in the fragment
		Status        int        // of the redirect. Zero means 302
		DuplicateCode bool       // sends code twice, with different values
		ExtraParams   url.Values // added at the end
	}

	// Push changes the endpoint for pushed authorization requests.
	Push struct {
		TTL time.Duration // lifetime of what was pushed. Zero means a minute
	}

	// Device changes the device flow (RFC 8628). The user who is logged in to the
	// browser decides, as Authorize says.
	Device struct {
		Interval        time.Duration // that the answer names. Zero names none, which means 5 seconds
		TTL             time.Duration // lifetime of a device code. Zero means 10 minutes
		SlowDown        int           // the first requests for tokens are answered with slow_down
		Pending         int           // the next ones with authorization_pending
		UserCode        string        // in place of a random one
		VerificationURI string        // in place of the server's own
	}

	// Proof changes what is demanded of proofs of possession, where Options.Proofs
	// is set.
	Proof struct {
		Optional        bool // a request for tokens without a proof gets Bearer tokens
		Nonces          bool // a proof needs a nonce; the authorization server and the API have their own
		NonceServes     int  // answers until the nonce changes. Zero means that it does not change
		AlwaysChallenge bool // every proof is refused with use_dpop_nonce
	}

	// Token changes the token endpoint.
	Token struct {
		// Believe says which assertions of others are good, in a JWT bearer grant and
		// in a token exchange. Nil believes none.
		Believe func(assertion string) bool

		// AccessTTL is the lifetime of access tokens. Zero means
		// Provider.ExpiresIn, or an hour if that is zero too.
		AccessTTL time.Duration

		// TradedTTL is the lifetime of access tokens that came from a trade of
		// Provider.Trade. Zero means 60 days.
		TradedTTL time.Duration

		// ExpiresIn is raw JSON to send as expires_in in place of the truth,
		// such as `0`, `-1`, `"7200"` or `1e12`. "-" leaves the member out.
		// Empty means the truth.
		ExpiresIn string

		TokenType     string         // Empty means bearer
		GrantedScopes []string       // grants these in place of what was asked for. Nil means all that was asked for
		OmitScope     bool           // leaves out scope
		ExtraJSON     map[string]any // members added to the answer

		// IDToken changes the claims of each ID token before it is signed. It must
		// not call the Server: a lock is held. Nil changes nothing.
		IDToken func(claims map[string]any)

		// Granted changes each answer that issues tokens before it is sent: its
		// status, its header, and the body with the tokens. Nil changes nothing.
		Granted func(*Answer)

		RequireBodyClientID bool // insist on client_id in the body, also beside Basic
		StrictQuery         bool // refuse requests that carry parameters in the query
		RawBasic            bool // do not percent-decode the halves of Basic, as with provider.BasicRaw
		AllowPublicBasic    bool // accept a secret from a public app
		AnyClientAuth       bool // accept the secret in the header and in the body, whatever the provider says
		ConsumeBeforeAuth   bool // a failed client authentication uses the code or refresh token up all the same
		KeepCode            bool // a wrong redirect_uri or code_verifier does not use the code up
		RevokeOnCodeReuse   bool // a code used twice ends the grant it led to (RFC 6749 section 4.1.2)
		ManyGrants          bool // overrules Provider.SingleGrant

		// Without the next two, a refresh returns a new refresh token and the
		// old one is dead.
		RepeatRefresh bool // a refresh returns the same refresh token again
		OmitRefresh   bool // a refresh returns no refresh token, and the old one stays good

		RotateAfter        time.Duration // a refresh token that is younger is returned again
		KillOldAccess      bool          // a refresh ends the access tokens before it
		GraceWindow        time.Duration // how long a redeemed refresh token is still answered, with the same new pair
		GraceFresh         bool          // within GraceWindow, answer with a pair of its own each time
		NoFamilyRevocation bool          // reuse of a redeemed refresh token is refused and ends nothing
		ReuseSparesAccess  bool          // reuse of a redeemed refresh token ends the refresh tokens of its grant only
		RefreshTTL         time.Duration // lifetime of refresh tokens. Zero means no end
		MaxRefreshes       int           // refreshes until the next one of a grant is refused. Zero means no end

		RefreshErrorCode   string // error of a refused refresh token. Empty means the server's own
		RefreshErrorStatus int    // and its status. Zero means 400 if RefreshErrorCode is set
	}

	// Revoke changes the revocation endpoint.
	Revoke struct {
		HintOptional      bool // overrules Options.RequireHint
		RefuseUnknown     bool // answer 400 to unknown tokens
		RefuseGone        bool // answer 400 to tokens that are dead already
		RefusePublic      bool // refuse public apps
		TrustHint         bool // a token of another kind than the hint says is not found
		AccessEndsGrant   bool // revoking an access token ends its whole grant
		RefreshOnlyItself bool // revoking a refresh token leaves the access tokens of its grant alive
		EndsAllGrants     bool // revoking any token ends all grants of its user and app
	}

	// Answer words the server's answers, with the topics and under the rules of
	// Options.Answer, which it overrules where it does not return nil.
	Answer func(topic, parameter string) *Answer

	// Rejected is the API's answer to a rejected token, in place of
	// RejectStatus and Challenge. Nil means the server's own.
	Rejected *Answer

	RejectStatus int    // the API's status for a rejected token. Zero means 401; some servers say 403
	Challenge    string // WWW-Authenticate of a rejected token. Empty means RFC 6750's; "-" sends none
	EarlyReject  bool   // the API answers a rejected token before it read the request's body

	// Latency is waited before every request is looked at. It ends early with
	// the request's context.
	Latency time.Duration

	// ClockSkew is added to what the server says of time, as in its Date
	// header. Expiry at the server is not touched by it; see Server.Advance.
	ClockSkew time.Duration

	// Dial decides whether a request reaches the server. It is called before
	// anything of the request's body is read. The client gets the error that it
	// returns. The server does not record such a request. Of the Request, Time,
	// Method, Host, Path, Op, TLS and Count are set; Count counts the calls of
	// Dial for this Op. Nil lets every request pass.
	Dial func(ctx context.Context, r Request) error

	// Fault decides what goes wrong with a request that reached the server and
	// that no fault of Server.Inject is for. Unsent, Gather and Required have no
	// effect in its result. Nil means that nothing goes wrong.
	Fault func(ctx context.Context, r Request) Fault
}

// accessTTL is the lifetime of access tokens.
func (c *call) accessTTL() time.Duration { return c.s.accessTTL(&c.k) }

func (s *Server) accessTTL(k *Knobs) time.Duration {
	return cmp.Or(k.Token.AccessTTL, s.provider.ExpiresIn, time.Hour)
}

// codeTTL is the lifetime of authorization codes.
func (c *call) codeTTL() time.Duration {
	return cmp.Or(c.k.Authorize.CodeTTL, c.s.options.CodeTTL, time.Minute)
}
