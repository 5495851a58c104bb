package atproto

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// The names of cookies: serverName of the server at which the browser is logged
// in, pendingName of the server of its latest login, and begunName of the
// servers at which it has begun a login. A login can be finished within an
// hour. Ages are in seconds.
const (
	serverName  = "atproto-server"
	pendingName = "atproto-pending"
	begunName   = "atproto-begun"

	pendingAge = 3600
	serverAge  = 400 * 24 * 3600
)

// maxBegun and maxBegunText bound what begunName holds, so that nobody can fill
// the cookies of a browser by links to logins.
const (
	maxBegun     = 8
	maxBegunText = 1 << 10
)

// noteBegun adds a server to those at which the browser has begun a login. The
// oldest ones make room.
func (l *Logins) noteBegun(w http.ResponseWriter, r *http.Request, issuer string) error {
	list := slices.DeleteFunc(l.begun(r), func(s string) bool { return s == issuer })
	list = append([]string{issuer}, list...)
	list = list[:min(len(list), maxBegun)]
	for len(list) > 1 && len(strings.Join(list, "\n")) > maxBegunText {
		list = list[:len(list)-1]
	}
	return l.set(w, r, begunName, strings.Join(list, "\n"), pendingAge)
}

// hasBegun reports whether the browser has begun a login at a server. Without
// this check, everybody could make this program ask any server.
func (l *Logins) hasBegun(r *http.Request, issuer string) bool {
	return issuer != "" && slices.Contains(l.begun(r), issuer)
}

func (l *Logins) begun(r *http.Request) []string {
	return strings.Fields(l.read(r, begunName))
}

// set sets a sealed cookie for this host.
func (l *Logins) set(w http.ResponseWriter, r *http.Request, name, value string, age int) error {
	sealed, err := l.accounts.app.Keys.Seal(r.Context(), []byte(value), l.binding(name))
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: l.site.prefix + name, Value: base64.RawURLEncoding.EncodeToString(sealed), Path: "/", MaxAge: age,
		HttpOnly: true, Secure: l.site.secure, SameSite: http.SameSiteLaxMode,
	})
	return nil
}

// read returns what set has sealed, or "".
func (l *Logins) read(r *http.Request, name string) string {
	cookies := r.CookiesNamed(l.site.prefix + name)
	if len(cookies) != 1 {
		return "" // with two, somebody has planted one
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookies[0].Value)
	if err != nil {
		return ""
	}
	value, err := l.accounts.app.Keys.Open(r.Context(), sealed, l.binding(name))
	if err != nil {
		return ""
	}
	return string(value)
}

// binding is the associated data: a value cannot be moved to another cookie or
// to another app.
func (l *Logins) binding(name string) []byte {
	return []byte("authtrip/atproto\x00" + l.accounts.app.Registration.ClientID + "\x00" + name)
}
