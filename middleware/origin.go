package middleware

import (
	"errors"
	"net/http"
)

// newGuard returns the check of requests that change something. Behind a proxy
// that rewrites Host, the Origin header of older browsers differs from Host. So
// the origins of the redirect URLs are trusted. They are valid: New has parsed
// them.
func newGuard(s site) *http.CrossOriginProtection {
	guard := http.NewCrossOriginProtection()
	for _, c := range s.callbacks {
		_ = guard.AddTrustedOrigin(c.origin)
	}
	return guard
}

// sameOrigin reports whether r, which posts a form for an operation, comes from
// this site.
//
// A page with Referrer-Policy no-referrer posts "Origin: null". Browsers with
// Fetch Metadata also say that the page is of this site. For older ones, a
// cookie of the page with the form is the proof.
func (l *login) sameOrigin(r *http.Request, op string) bool {
	if l.guard.Check(r) == nil {
		return true
	}
	return isOpaque(r) && l.cookies.get(r, l.cookies.form()) == op
}

// isOpaque reports whether r does not say which site it comes from, although it
// posts a form.
func isOpaque(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null"
}

// foreign reports whether another site led the browser to r, a request for a
// new login, although that could replace a session of this browser (R016 of
// docs/security.md).
//
// A link from an email or from another site is a usual way to a login, so it
// starts one in a browser without a session. A browser does not send the
// cookies of the session with a form of another site, so such a form is foreign
// in any case.
func (l *login) foreign(r *http.Request) bool {
	if r.Method == http.MethodPost {
		return !l.sameOrigin(r, opAuthorize)
	}
	site := r.Header.Get("Sec-Fetch-Site")
	if l.connects() { // a user of the app is logged in: nobody else may begin
		return site != "same-origin" && site != "none"
	}
	switch site {
	case "cross-site", "same-site":
		_, err := l.current(r)
		return !errors.Is(err, errNoSession) // if it cannot be told now, there may be one
	}
	return false
}
