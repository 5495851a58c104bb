package xapi

import (
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Knobs change what the fake does. The zero value of every field is X's
// behaviour, or the safe assumption where X has not said. Change them with
// [Server.Set].
type Knobs struct {
	oauthtest.Knobs

	// API changes the API.
	API struct {
		ErrorStyle Style

		// Limit is how many requests a user, or an app with its app-only token,
		// has per endpoint and window. Zero means X's numbers (75 for PathMe,
		// 100 for posting, 5,000 for reading posts; none elsewhere); negative
		// means no limit.
		Limit          int
		Window         time.Duration // Zero means 15 minutes
		ResetSkew      time.Duration // added to x-rate-limit-reset
		OmitHeaders    bool          // sends none of the rate limit headers
		RetryAfter     time.Duration // sent as Retry-After with 429, in seconds. Zero sends none, as X
		LimitStyle     Style
		UsageCap       bool // 429 says in LimitStyle's place that a plan is used up
		DailyUserLimit int  // requests per user in 24 hours. Zero means no such limit
		DailyAppLimit  int  // requests per app in 24 hours. Zero means no such limit

		NoCredits       bool // 402: the credits of the app's account are used up
		SpendCap        bool // 403: the app's account has reached its own limit of spending
		NotEnrolled     bool // 403 Client Forbidden, in the words of 2025, which speak of the app
		UserNotEnrolled bool // the same in those of 2026, which speak of the user

		StreamInterval time.Duration // between the lines of PathStream. Zero means 20 seconds
		StreamLines    int           // PathStream ends cleanly after so many lines. Zero means never
		StreamBreak    int           // PathStream breaks in the middle of line number so many. Zero means never

		RedirectTo string // where PathRedirect points. Empty means https://elsewhere.test/landing
	}
}

// Style is the shape of the API's error bodies for 401 and 429. The zero value
// means the problem details of RFC 9457.
type Style int

// The other shapes that X has been seen to use.
const (
	StyleV1   Style = iota + 1 // {"errors":[{"code":…}]}
	StyleText                  // plain text
)

// Set changes the knobs while requests may be running. The function must not
// call s, and must replace maps and slices in place of changing them.
func (s *Server) Set(change func(*Knobs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Server.Set(func(core *oauthtest.Knobs) {
		s.knobs.Knobs = *core
		change(&s.knobs)
		*core = s.knobs.Knobs
	})
}

// settings returns the knobs of this moment.
func (s *Server) settings() (k Knobs) {
	s.Set(func(now *Knobs) { k = *now })
	return k
}
