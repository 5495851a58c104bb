package upkeep

import (
	"context"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// The kinds of events of this package.
const (
	// EventFailing means that a refresh of a grant has failed after none had
	// failed. Err is the failure. Attempts go on.
	EventFailing tokensource.EventKind = "grant failing"

	// EventRecovered means that a grant works again. Failures counts the attempts
	// that failed.
	EventRecovered tokensource.EventKind = "grant recovered"

	// EventEnding means that a tenth is left of the life of something on which a
	// grant depends. Ends is when it ends. Reason is "refresh token",
	// "authorization", "access token", or "disuse" for a grant that ends because
	// it is not used. The user must authorize again before. It comes once for each
	// end, also if less than a tenth was left when the grant was saved.
	EventEnding tokensource.EventKind = "grant ending"
)

// Changes returns a hook for OnEvent of a Keeper that calls next with each
// event, and besides with [EventFailing] when a row of failed attempts begins,
// and with [EventRecovered] when it ends. The stored grant counts the attempts
// of all processes, so each of the two events comes once, whichever process
// made the attempts. A failure that concerns one process alone, such as a
// secret that is out of date there, is counted there: each such process reports
// it once, and its own next success ends it.
//
// It is safe for concurrent use, and remembers nothing.
func Changes(next func(context.Context, tokensource.Event)) func(context.Context, tokensource.Event) {
	return func(ctx context.Context, e tokensource.Event) {
		next(ctx, e)
		switch {
		case e.Kind == grant.EventRefreshFailed && e.Failures == 1:
			e.Kind = EventFailing
		case e.Kind == grant.EventRefreshed && e.Failures > 0 && e.Err == nil:
			e.Kind, e.Reason = EventRecovered, ""
		default:
			return
		}
		next(ctx, e)
	}
}
