package main

import (
	"net/url"
	"strings"
)

// take removes the query parameter name, which is ours and not the driver's,
// from a store's URL, and returns its value.
func take(store, name string) (rest, value string, err error) {
	base, query, ok := strings.Cut(store, "?")
	if !ok {
		return store, "", nil
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		text, ours := strings.CutPrefix(part, name+"=")
		if !ours {
			kept = append(kept, part)
			continue
		}
		if value, err = url.QueryUnescape(text); err != nil {
			return "", "", usageError("STORE has a parameter " + name + " that is no URL encoding")
		}
	}
	if len(kept) == 0 {
		return base, value, nil
	}
	return base + "?" + strings.Join(kept, "&"), value, nil
}
