// Package opened tells a page that a person has opened from what a browser or a
// script loads by itself. It has no state and no errors, and is safe for
// concurrent use.
package opened

import (
	"net/http"
	"strings"
)

// Page reports whether r may have come from opening a page: not as an image,
// frame or script, and not by a script of another site. A service worker that
// repeats a navigation hides what it is for, but not that it is one. Clients
// that send no Fetch Metadata pass: they cannot be told apart.
func Page(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document":
		return !isPrefetch(r)
	case "empty":
		site := r.Header.Get("Sec-Fetch-Site")
		navigation := r.Header.Get("Sec-Fetch-Mode") == "navigate" // no script can claim this
		return (navigation || site == "same-origin" || site == "none") && !isPrefetch(r)
	}
	return false
}

// isPrefetch reports whether a browser or a script loads a page that nobody has
// opened yet. The names of the headers differ: Sec-Purpose, Purpose, X-Purpose
// and X-Sec-Purpose have a value that says so, and so has X-Moz. Next.js sends
// Next-Router-Prefetch, and htmx sends HX-Preloaded.
func isPrefetch(r *http.Request) bool {
	for name, values := range r.Header {
		value := strings.ToLower(strings.Join(values, ","))
		switch {
		case strings.HasSuffix(name, "Purpose"), name == "X-Moz":
			if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
				return true
			}
		case strings.Contains(name, "Prefetch"), strings.Contains(name, "Preload"):
			if value != "" && value != "0" && value != "false" {
				return true
			}
		}
	}
	return false
}
