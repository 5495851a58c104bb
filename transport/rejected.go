package transport

import (
	"net/http"
	"slices"

	"github.com/authtrip/authtrip/internal/proving"
)

// RejectedOn returns a predicate for Options.Rejected: a response with one of
// the statuses means that the token was rejected. That is not so if a challenge
// says that the token is good but does not suffice (InsufficientFrom), which
// another token of the same grant would not change.
//
// The default is RejectedOn(401), or the statuses that the source names. Some
// servers answer 403 to an expired token: RejectedOn(401, 403) is for them. It
// costs a renewal now and then for a request that is really forbidden.
func RejectedOn(statuses ...int) func(*http.Response) bool {
	statuses = slices.Clone(statuses)
	return func(resp *http.Response) bool {
		if !slices.Contains(statuses, resp.StatusCode) {
			return false
		}
		_, insufficient := InsufficientFrom(resp)
		return !insufficient
	}
}

// refused reports whether resp means that another token should be tried. A rate
// limit never means that, and a connection that was upgraded is no answer. A
// refusal of the proof of possession says nothing about the token (T12).
func (c *core) refused(resp *http.Response) bool {
	return resp != nil && c.renewer != nil && resp.StatusCode != http.StatusSwitchingProtocols &&
		c.rejected(resp) && !c.limits.hit(resp) && !proving.Refused(resp.Header)
}
