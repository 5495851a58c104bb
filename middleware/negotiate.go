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
