package middleware

import "github.com/authtrip/authtrip/tokensource"

const (
	EventSessionEnded tokensource.EventKind = "session ended"
	EventDisconnected tokensource.EventKind = "disconnected" // the grant was revoked
)
