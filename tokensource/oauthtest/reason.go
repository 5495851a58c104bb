package oauthtest

// Reason says why a token is no longer good, or why a grant ended. The empty
// Reason means that it lives.
type Reason string

// The reasons.
const (
	Unknown   Reason = "unknown"   // the server never issued it, or has forgotten it (Options.Keep)
	Expired   Reason = "expired"   // its lifetime is over
	Redeemed  Reason = "redeemed"  // a refresh replaced it (an access token only under KillOldAccess)
	Revoked   Reason = "revoked"   // the app revoked it, or a token that ends the whole grant
	Withdrawn Reason = "withdrawn" // the user ended the grant, or was suspended
	Reused    Reason = "reused"    // a refresh token or code was used twice, which ended the grant
	Replaced  Reason = "replaced"  // a newer login of the same user ended the grant
)
