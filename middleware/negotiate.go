package middleware

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// isPage reports whether r is a browser that shows the answer to a person.
// Today's browsers say so in Sec-Fetch-Mode. For others the Accept header
// decides, unless a script says that it made the request.
func isPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	// A WebView of Android has the name of its app here.
	if strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest") || r.Header.Get("HX-Request") == "true" {
		return false
	}
	html := max(quality(r, "text/html"), quality(r, "application/xhtml+xml"))
	return html > 0 && html >= quality(r, "application/json")
}

// quality returns the weight that the Accept headers of r give to a media type
// by its name (RFC 9110 section 12.5.1). Zero means that it is not wanted, or
// is not named.
func quality(r *http.Request, name string) float64 {
	best := 0.0
	for _, header := range r.Header.Values("Accept") {
		for item := range strings.SplitSeq(header, ",") {
			kind, params, err := mime.ParseMediaType(item)
			if err != nil || kind != name {
				continue
			}
			q, err := strconv.ParseFloat(params["q"], 64)
			if params["q"] == "" || err != nil {
				q = 1
			}
			best = max(best, q)
		}
	}
	return best
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

// isOpened reports whether r may have come from opening a page: not as an
// image, frame or script, and not by a script of another site. A service worker
// that repeats a navigation hides what it is for, but not that it is one.
// Clients that send no Fetch Metadata pass: they cannot be told apart.
func isOpened(r *http.Request) bool {
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

// seeOther redirects with 303, so that a POST is not repeated (RFC 9700 section
// 4.12). http.Redirect would rewrite the path and write a body.
func seeOther(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// private sets the headers that every answer of this package has. Nothing is
// cached, and no address, which may hold a code, is passed on (RFC 9700 section
// 4.2.4).
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}
