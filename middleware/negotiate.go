package middleware

import (
	"mime"
	"net/http"
	"strings"
)

// isPage reports whether r is a browser that shows what it gets to a person.
// Browsers of today say so in Sec-Fetch-Mode; for others the Accept header
// decides.
func isPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	for _, header := range r.Header.Values("Accept") {
		for item := range strings.SplitSeq(header, ",") {
			if kind, _, err := mime.ParseMediaType(item); err == nil && kind == "text/html" {
				return true
			}
		}
	}
	return false
}

// isPrefetch reports whether a browser loads a page that nobody has opened yet.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"} {
		purpose := strings.ToLower(r.Header.Get(name))
		if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}

// isOpened reports whether r may have come from opening a page: not as an
// image, frame or script, and not by a script of another site. Clients that
// send no Fetch Metadata pass: they cannot be told apart.
func isOpened(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document":
		return !isPrefetch(r)
	case "empty":
		site := r.Header.Get("Sec-Fetch-Site")
		return (site == "same-origin" || site == "none") && !isPrefetch(r)
	}
	return false
}

// seeOther redirects with 303, so that a POST is not repeated (RFC 9700 section
// 4.12). http.Redirect would rewrite the path and write a body.
func seeOther(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// private sets the headers that every answer of ours has: nothing is cached,
// and no address of ours, which may hold a code, is told to the next site (RFC
// 9700 section 4.2.4).
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}
