package mcp

import (
	"errors"
	"fmt"
	"time"

	"github.com/authtrip/authtrip/internal/attempts"
	"github.com/authtrip/authtrip/tokensource"
)

// The bounds of logins. An MCP server decides when a login is needed, so a
// broken one could open the browser without end.
const (
	maxSteps    = 2 // logins for more scopes, for one operation
	maxLogins   = 8 // at one authorization server, for whatever reason
	loginWindow = 10 * time.Minute

	// The pause after a login whose token the MCP server has rejected, never
	// having accepted it. It doubles with each such login.
	vainPause    = time.Minute
	longestPause = time.Hour

	// A token that is rejected though it was just renewed leads to no login,
	// unless that goes on for so long and so often.
	hopelessTries = 3
	hopelessTime  = 10 * time.Minute
)

// bounds counts the logins of a Handler, and what came of them. The mutex of
// the Handler guards it, but not the two logs.
type bounds struct {
	steps, logins attempts.Log

	place     string    // where the last login was
	at        time.Time // when it ended
	vain      int       // logins there whose tokens were never accepted
	handed    int       // tokens given to the SDK since then
	refusals  int       // requests of the SDK that were rejected since then
	rejected  int       // renewed tokens that were rejected, one after the other
	rejecting time.Time // when that began
}

func newBounds() bounds {
	return bounds{
		steps:  attempts.Log{Max: maxSteps, Window: loginWindow},
		logins: attempts.Log{Max: maxLogins, Window: loginWindow},
	}
}

// mayLogin reports whether a login at a place may begin, and counts it. A login
// for more scopes has a bound of its own, and waits for no pause. If nobody
// tells whether the server accepts tokens, one login in vain is not counted.
func (h *Handler) mayLogin(place string, step, told bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	vain := h.bounds.vain
	if !told {
		vain--
	}
	if b := &h.bounds; !step && b.place == place && vain > 0 {
		pause := min(vainPause<<min(vain-1, 10), longestPause)
		if left := b.at.Add(pause).Sub(now); left > 0 && left <= pause {
			return rejected(left)
		}
	}
	switch allowed := h.bounds.logins.Allow(place, now); {
	case !allowed && step:
		return fmt.Errorf("%w: %d logins in %v", ErrInsufficient, maxLogins, loginWindow)
	case !allowed:
		return fmt.Errorf("%w: %d logins in %v", ErrRejected, maxLogins, loginWindow)
	}
	return nil
}

// rejected returns the error of a request that a login would not help.
func rejected(left time.Duration) error {
	return fmt.Errorf("%w: %w", ErrRejected, &tokensource.Error{Op: "login", Kind: tokensource.ErrTemporary, RetryAfter: left,
		Err: errors.New("the last login did not help: the next one waits")})
}

// loggedIn notes a login at a place. The caller holds the mutex.
func (b *bounds) loggedIn(place string, now time.Time) {
	if b.place != place {
		b.vain = 0
	}
	b.place, b.at, b.handed, b.refusals, b.rejected = place, now, 0, 0, 0
	b.vain++
}

// accepted notes that the MCP server has accepted a token.
func (h *Handler) accepted() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bounds.vain, h.bounds.rejected = 0, 0
}

// handedOut notes that the SDK has got a token. It does not say whether the
// server accepted it.
func (h *Handler) handedOut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bounds.handed++
}

// refused notes that a request of the SDK was rejected. Such a request is sent
// twice at most. So if the SDK got more tokens than that, the server has
// accepted some of them.
func (h *Handler) refused() {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := &h.bounds
	b.refusals++
	if b.handed > 2*b.refusals {
		b.vain = 0
	}
}

// hopeless notes that the server rejects a token that was just renewed, and
// reports whether that goes on for so long that only a login is left to try.
func (h *Handler) hopeless() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, now := &h.bounds, time.Now()
	if b.rejected == 0 {
		b.rejecting = now
	}
	b.rejected++
	return b.rejected >= hopelessTries && now.Sub(b.rejecting) >= hopelessTime
}
