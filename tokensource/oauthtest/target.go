package oauthtest

import (
	"net/http"
	"slices"
)

// untargeted refuses a request for a token whose resource the server does not
// accept ([RFC 8707] section 2): it knows others, or the grant was for others.
//
// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
func (c *call) untargeted(granted []string) *reply {
	if c.targets(c.form["resource"], granted) {
		return nil
	}
	return refused(http.StatusBadRequest, "invalid_target", "the resource is unknown, missing, or not part of the grant")
}

func (c *call) targets(asked, granted []string) bool {
	if c.s.provider.NoResource {
		return len(asked) == 0
	}
	if len(asked) == 0 {
		return !c.s.options.RequireResource
	}
	return !slices.ContainsFunc(asked, func(resource string) bool {
		known := c.s.options.Resources == nil || slices.Contains(c.s.options.Resources, resource)
		return !known || len(granted) > 0 && !slices.Contains(granted, resource)
	})
}
