package middleware

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// maxCookie is the size of name and value together that every browser keeps
// (RFC 6265 section 6.1).
const maxCookie = 4096

// cookies sets and reads the cookies of one Login. On https their names have
// the prefix __Host-, so that no other host, a sibling subdomain included, can
// set them. On loopback http browsers refuse that prefix, so the names are
// plain.
type cookies struct {
	secure bool
	prefix string // has the tag of the Login, so that two Logins on a host share no cookie
}

func newCookies(secure bool, tag string) cookies {
	prefix := "authtrip-" + tag + "-"
	if secure {
		prefix = "__Host-" + prefix
	}
	return cookies{secure, prefix}
}

func (c cookies) session() string    { return c.prefix + "session" }
func (c cookies) logout() string     { return c.prefix + "logout" }
func (c cookies) disconnect() string { return c.prefix + "disconnect" }
func (c cookies) kept() string       { return c.prefix + "login" }

// serverLogout holds the state of a logout at the authorization server.
func (c cookies) serverLogout() string { return c.prefix + "leave" }

// form is set by a page with a form that posts. Its value is the operation that
// the form is for, and no secret. Its SameSite=Strict is what counts: a browser
// does not send it if another site posts.
func (c cookies) form() string { return c.prefix + "form" }

func (c cookies) setForm(w http.ResponseWriter, op string) {
	cookie := c.cookie(c.form(), op, int(10*time.Minute/time.Second))
	cookie.SameSite = http.SameSiteStrictMode
	http.SetCookie(w, cookie)
}

func (c cookies) set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, c.cookie(name, value, max(1, int(life/time.Second))))
}

// clear removes a cookie. Browsers want the attributes that it was set with.
func (c cookies) clear(w http.ResponseWriter, name string) { http.SetCookie(w, c.cookie(name, "", -1)) }

// drop clears a cookie that r has.
func (c cookies) drop(w http.ResponseWriter, r *http.Request, name string) {
	if len(r.CookiesNamed(name)) > 0 {
		c.clear(w, name)
	}
}

func (c cookies) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// get returns the cookie's value, or "" if there is none. Two cookies of one
// name count as none: one of them was planted, and nothing says which.
func (c cookies) get(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// fingerprint is a hash of its parts as text; no two lists of parts are hashed
// alike.
func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
