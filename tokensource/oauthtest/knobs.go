package oauthtest

import (
	"net/url"
	"time"
)

// Knobs change what the fake does. The zero value of every field is X's behaviour, or the safe assumption where X has not
// said. Change them with Server.Set.
type Knobs struct {
	Authorize AuthorizeKnobs
	Token     TokenKnobs
	Revoke    RevokeKnobs
	API       APIKnobs

	// Latency is waited before every request is looked at. It ends early with the request's context.
	Latency time.Duration

	// ClockSkew is added to what the server says of time: its Date header and x-rate-limit-reset. Expiry at the server
	// is not touched by it; see Server.Advance.
	ClockSkew time.Duration
}

// Consent is what the user does on the consent page.
type Consent int

// The answers of a user.
const (
	Approve    Consent = iota // redirects with a code at once
	Deny                      // redirects with error=access_denied and the state
	DenyOAuth1                // redirects with denied=, as OAuth 1.0a did
	DenyPage                  // shows a page and never redirects
	Ignore                    // never answers: the request ends with its context
	Ask                       // shows a page with two buttons to a person
)

// AuthorizeKnobs change the authorization endpoint.
type AuthorizeKnobs struct {
	Consent Consent

	// Decide, if set, answers instead of Consent. It is called with no lock held.
	Decide func(clientID, userID string, scopes []string) Consent

	// User is the ID of the user who is logged in. Empty means the first one.
	User string

	AllowMissingState bool // X is assumed to insist on a state
	MaxState          int  // characters; longer ones are answered with an empty state. Zero means 500
	StrictPKCE        bool // refuse a code_challenge outside 43..128 characters of RFC 7636's alphabet; X does not
	DropUnknownScopes bool // grant the known scopes instead of refusing, as oidc-provider and zitadel do
	RevokeAtConsent   bool // a new login ends earlier grants at once and not only when its code is exchanged

	CodeTTL time.Duration // how long an authorization code lives. Zero means 30 seconds

	// What a hostile or another server may send to the callback.
	SendIss       string     // adds iss (RFC 9207)
	TamperState   bool       // changes one character of state
	OmitState     bool       // sends no state
	DuplicateCode bool       // sends code twice, with different values
	ExtraParams   url.Values // added at the end
}

// Rotation is what a refresh does to the refresh token.
type Rotation int

// The ways of rotation.
const (
	Rotate     Rotation = iota // a new refresh token, and the old one is dead
	RepeatSame                 // the same refresh token again
	KeepSilent                 // no refresh_token in the answer, and the old one stays good
)

// TokenKnobs change the token endpoint.
type TokenKnobs struct {
	AccessTTL time.Duration // lifetime of access tokens. Zero means 2 hours

	// ExpiresIn is raw JSON to send as expires_in instead of the truth, such as `0`, `-1`, `"7200"` or `1e12`.
	// "-" leaves the member out. Empty means the truth.
	ExpiresIn string

	TokenType     string         // Empty means bearer
	GrantedScopes []string       // grants these instead of what was asked for. Nil means all that was asked for
	OmitScope     bool           // leaves out scope
	ExtraJSON     map[string]any // members added to the answer

	RequireBodyClientID bool // insist on client_id in the body, also beside Basic, as X did in 2021
	StrictQuery         bool // refuse requests that carry parameters in the query
	RawBasic            bool // do not percent-decode the halves of Basic, as several servers
	AllowPublicBasic    bool // accept Basic from a public app
	ConsumeBeforeAuth   bool // a failed client authentication uses the code or refresh token up all the same
	KeepCode            bool // a wrong redirect_uri or code_verifier does not use the code up
	RevokeOnCodeReuse   bool // a code used twice ends the grant it led to (RFC 6749 section 4.1.2)
	ManyGrants          bool // a new login does not end earlier grants of the same app and user

	Rotation           Rotation
	KillOldAccess      bool          // a refresh ends the access tokens before it
	GraceWindow        time.Duration // how long a rotated refresh token is still answered, with the same new pair
	GraceFresh         bool          // within GraceWindow, answer with a pair of its own each time
	NoFamilyRevocation bool          // reuse of a rotated refresh token is refused and ends nothing
	RefreshTTL         time.Duration // lifetime of refresh tokens. Zero means no end
	MaxRefreshes       int           // refreshes until the next one of a grant is refused. Zero means no end

	RefreshErrorCode   string // error of a refused refresh token. Empty means invalid_request
	RefreshErrorStatus int    // and its status. Zero means 400
}

// RevokeKnobs change the revocation endpoint.
type RevokeKnobs struct {
	HintOptional      bool // do not insist on token_type_hint
	RefuseUnknown     bool // answer 400 to unknown tokens
	AccessEndsGrant   bool // revoking an access token ends its whole grant
	RefreshOnlyItself bool // revoking a refresh token leaves the access tokens of its grant alive
}

// Style is the shape of the API's error bodies for 401 and 429.
type Style int

// The shapes that X has been seen to use.
const (
	StyleV2       Style = iota // RFC 9457 problem details
	StyleV1                    // {"errors":[{"code":…}]}
	StyleText                  // plain text
	StyleUsageCap              // 429 only: problem details of a plan that is used up
)

// APIKnobs change the API.
type APIKnobs struct {
	ErrorStyle      Style
	WWWAuthenticate string // sent with every 401; X sends none
	RejectStatus    int    // the status for a rejected token. Zero means 401; some servers say 403

	// Limit is how many requests a user, or an app with its app-only token, has per endpoint and window. Zero means X's
	// numbers (75 for PathMe, 100 for posting, 900 for reading posts; none for PathEcho, PathStream and PathRedirect);
	// negative means no limit.
	Limit          int
	Window         time.Duration // Zero means 15 minutes
	ResetSkew      time.Duration // added to x-rate-limit-reset
	OmitHeaders    bool          // sends none of the rate limit headers
	RetryAfter     time.Duration // sent as Retry-After with 429, in seconds. Zero sends none, as X
	LimitStyle     Style
	DailyUserLimit int // requests per user in 24 hours. Zero means no such limit
	DailyAppLimit  int // requests per app in 24 hours. Zero means no such limit

	NoCredits       bool // 402 CreditsDepleted
	UserNotEnrolled bool // 403 Client Forbidden as of 2026; App.NotEnrolled is its older form
	EarlyReject     bool // answer a rejected token before the request's body was read

	StreamInterval time.Duration // between the lines of PathStream. Zero means 20 seconds
	StreamLines    int           // PathStream ends cleanly after so many lines. Zero means never
	StreamBreak    int           // PathStream breaks in the middle of line number so many. Zero means never

	RedirectTo string // where PathRedirect points. Empty means https://elsewhere.test/landing
}
