package transport

import (
	"net/http"
	"slices"
	"strings"
)

// RejectedOn returns a predicate for Options.Rejected: a response with one of
// the statuses means that the token was refused, unless a Bearer challenge in
// it says insufficient_scope (RFC 6750 section 3.1), which another token of the
// same grant would not change. The default is RejectedOn(401). Some servers
// answer 403 to an expired token: RejectedOn(401, 403) is for them, at the
// price of a renewal for each request that is really forbidden.
func RejectedOn(statuses ...int) func(*http.Response) bool {
	statuses = slices.Clone(statuses)
	return func(resp *http.Response) bool {
		return slices.Contains(statuses, resp.StatusCode) && !insufficientScope(resp.Header)
	}
}

// insufficientScope reports whether a Bearer challenge says that the token is
// good but not allowed to do this.
func insufficientScope(h http.Header) bool {
	return slices.ContainsFunc(Challenges(h), func(c Challenge) bool {
		return strings.EqualFold(c.Scheme, "Bearer") && c.Params["error"] == "insufficient_scope"
	})
}
