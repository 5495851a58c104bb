package middleware

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/internal/opened"
)

// maxForm bounds what is read of a posted form.
const maxForm = 16 << 10

// Authorize starts a login. It sets the cookie of the flow and redirects to the
// authorization server, with PKCE S256 and a state that contains no data. It
// answers GET and POST. The parameter return_to is the local path where the
// login ends. What else a login asks for is decided by [Options.OnBegin].
//
// Authorize refuses a return_to that is not a local path (ErrReturnPath), and a
// request that does not open a page (ErrNotNavigation). If another site led a
// user who is logged in to it, or posted to it, the error is ErrCrossOrigin,
// and the default page asks the user. The session of a browser stays until a
// new login is finished.
func (l *Login) Authorize() http.Handler {
	in := l.inner()
	return in.route(opAuthorize, in.authorize, http.MethodGet, http.MethodPost)
}

func (l *login) authorize(w http.ResponseWriter, r *http.Request) error {
	if !opened.Page(r) {
		return &Error{Op: opAuthorize, Kind: ErrNotNavigation, Retry: l.site.authorize}
	}
	returnTo, err := l.returnTo(w, r)
	if err != nil {
		return err
	}
	if l.foreign(r) {
		return &Error{Op: opAuthorize, Kind: ErrCrossOrigin, Retry: l.authorizePath(returnTo)}
	}
	if resumes(r) {
		if done, err := l.resume(w, r, returnTo); done || err != nil {
			return err
		}
	}
	var o BeginOptions
	if l.options.OnBegin != nil {
		if chosen := l.options.OnBegin(r); chosen != nil {
			o = *chosen
		}
	}
	if o.ReturnTo == "" {
		o.ReturnTo = returnTo
	}
	return l.begin(w, r, o)
}

// returnTo reads where the login shall end, from the query or from a form. It
// returns "" if nothing says so.
func (l *login) returnTo(w http.ResponseWriter, r *http.Request) (string, error) {
	refused := &Error{Op: opAuthorize, Kind: ErrReturnPath, Retry: l.site.authorize}
	values, ok := readQuery(r.URL.RawQuery, "return_to")
	if !ok || !parseForm(w, r) {
		return "", refused
	}
	switch list := append(values["return_to"], r.PostForm["return_to"]...); {
	case len(list) == 0 || (len(list) == 1 && list[0] == ""):
		return "", nil
	case len(list) > 1 || !localPath(list[0]):
		return "", refused
	default:
		return list[0], nil
	}
}

// resumes reports whether r is to finish a login that could not be finished
// before.
func resumes(r *http.Request) bool {
	values, _ := readQuery(r.URL.RawQuery, "resume")
	return values.Get("resume") != ""
}

// parseForm reads the form that r posts, in either encoding of browsers, into
// r.PostForm. The query is not read: it has parameters that are not ours.
//
// A handler in front may have parsed the form. If it called ParseForm only, the
// values of a multipart form are still in the body.
func parseForm(w http.ResponseWriter, r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	unread := kind == "multipart/form-data" && r.MultipartForm == nil
	if r.Method != http.MethodPost || r.Body == nil || r.PostForm != nil && !unread {
		return true
	}
	body := *r
	body.Body = http.MaxBytesReader(w, r.Body, maxForm)
	body.URL, body.Form, body.PostForm = new(url.URL), nil, nil
	err := body.ParseForm()
	if err == nil {
		err = body.ParseMultipartForm(maxForm) // all of it in memory
	}
	r.PostForm = body.PostForm
	return err == nil || errors.Is(err, http.ErrNotMultipart)
}

// maxLocation bounds a redirect of this package. Proxies take 4 KiB for all
// headers of an answer.
const maxLocation = 3 << 10

// authorizePath is the local URL that starts a login which ends at returnTo. If
// it would be too long, only what must be escaped is escaped, and then the path
// back is left out.
func (l *login) authorizePath(returnTo string) string {
	if returnTo == "" {
		return l.site.authorize
	}
	start := l.site.authorize + "?return_to="
	for _, escape := range []func(string) string{url.QueryEscape, escapeLittle} {
		if target := start + escape(returnTo); len(target) <= maxLocation {
			return target
		}
	}
	return l.site.authorize
}

// escapeLittle escapes the characters of a local path that end a value in a
// query, or that mean another character there.
var escapeLittle = strings.NewReplacer("%", "%25", "&", "%26", "#", "%23", "+", "%2B", ";", "%3B").Replace
