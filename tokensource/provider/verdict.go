package provider

// A Fixer says who can fix a failure.
type Fixer int

const (
	// ByDefault means that nothing is known about an answer. It is judged by the
	// RFCs and by what is common among servers.
	ByDefault Fixer = iota

	// UserCanFix means that the user must authorize the app again: the code or
	// the refresh token is not valid any more, or the server wants to see the
	// user. The error is tokensource.ErrReauthorize. Of a revocation, it means
	// that the token is not valid any more: the token counts as revoked.
	UserCanFix

	// TimeFixes means that a later attempt may succeed: an outage, or a limit.
	// Nothing was redeemed. The error is tokensource.ErrTemporary.
	TimeFixes

	// OperatorFixes means that the deployment must be corrected: the client
	// secret, the registration, the account of the app at the provider. The error
	// is tokensource.ErrClient.
	OperatorFixes
)

// A Verdict is what Provider.Classify says about an [Answer]. The zero Verdict
// means that it knows nothing about that answer.
type Verdict struct {
	Fixer Fixer

	// Code becomes the error code in the error, for a server that has it in
	// another place than RFC 6749. Empty means the code of the answer.
	Code string

	// Hint says in words what to do. It becomes part of the error. It must not
	// quote the answer.
	Hint string
}
