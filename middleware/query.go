package middleware

import (
	"net/url"
	"slices"
	"strings"
)

// readQuery returns the values of the named parameters of a query. Parameters
// with other names belong to somebody else and can have any form. It reports
// false if a value of a named parameter is not well formed. A semicolon is part
// of a value, as in browsers.
func readQuery(raw string, names ...string) (url.Values, bool) {
	values := url.Values{}
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !slices.Contains(names, name) {
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, false
		}
		values.Add(name, value)
	}
	return values, true
}
