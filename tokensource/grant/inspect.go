package grant

import "time"

// StoredGrant is what a stored value tells of a grant, for tools that look at a store from outside: facts without tokens.
type StoredGrant struct {
	Grant

	Provider string // the provider's name
	ClientID string // the app's

	// LoggedOut means that the user has logged out and the server has not confirmed the revocation yet. The tokens are
	// kept for another Logout only.
	LoggedOut bool

	// Code is the server's error code that came with Dead, if it sent one.
	Code string

	// RedeemingSince and RedeemingUntil are the times of a redemption of the refresh token that has begun and has no
	// stored outcome; zero if there is none. One that has ended by its own words was abandoned: the refresh token is in
	// doubt.
	RedeemingSince, RedeemingUntil time.Time

	// Doubts counts how often the refresh token was sent again though an earlier answer had been lost.
	Doubts uint64

	// Failures counts the latest attempts in a row that the server answered with a temporary failure, and RetryAt is the
	// time before which no other is made; zero means now.
	Failures uint64
	RetryAt  time.Time
}

// Inspect tells what is stored of a grant. Key is the one that value is stored under, and value is as a Keeper has written
// it: what storage.Sealed has sealed must be opened first. Nobody needs the client for it, and nothing is refreshed.
//
// It returns an *tokensource.Error whose Op is "load" if value is damaged, has the format of a later version, or belongs to another key.
func Inspect(key string, value []byte) (StoredGrant, error) {
	r, err := decodeAt(key, value)
	if err != nil {
		return StoredGrant{}, err
	}
	return StoredGrant{
		Grant: r.facts(), Provider: r.provider, ClientID: r.clientID, LoggedOut: r.state == stateRevoking, Code: r.code,
		RedeemingSince: r.intent.since, RedeemingUntil: r.intent.until,
		Doubts: r.doubts, Failures: r.failures, RetryAt: r.retryAt,
	}, nil
}
