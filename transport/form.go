package transport

import (
	"io"
	"maps"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// form is how an API wants its requests, if that is not the usual way: other
// headers for the token, or more headers. Nil means the usual way.
type form struct {
	tokenHeader, scheme string // "" and "": Authorization and Bearer
	headers             map[string]string
}

// formOf returns the form that facts describe.
func formOf(facts tokensource.APIFacts) *form {
	if facts.TokenHeader == "" && facts.TokenScheme == "" && len(facts.Headers) == 0 {
		return nil
	}
	f := &form{tokenHeader: http.CanonicalHeaderKey(facts.TokenHeader), scheme: facts.TokenScheme, headers: map[string]string{}}
	for name, value := range facts.Headers {
		f.headers[http.CanonicalHeaderKey(name)] = value
	}
	return f
}

// stamp returns a copy of req that carries body, the token of the Bearer value
// auth, and the headers of the API. It does not modify req (T1). The caller's
// own Authorization header is not sent (T2). Neither is a header of the
// caller's under the name that carries the token.
func (f *form) stamp(req *http.Request, body io.ReadCloser, auth string) *http.Request {
	r := unstamped(req, body)
	f.complete(r.Header)
	f.place(r.Header, auth)
	return r
}

// place adds the token of the Bearer value auth. It replaces every header of
// the same name.
func (f *form) place(header http.Header, auth string) {
	token := strings.TrimPrefix(auth, "Bearer ")
	name, value := f.tokenHeader, token
	switch {
	case name == "" && f.scheme == "":
		name, value = authorization, auth
	case name == "":
		name, value = authorization, f.scheme+" "+token
	case f.scheme != "":
		value = f.scheme + " " + token
	}
	maps.DeleteFunc(header, func(key string, _ []string) bool { return strings.EqualFold(key, name) })
	header[name] = []string{value}
}

// move puts the token of a request that a RequestAuthorizer has authorized
// where the API wants it, if it is sent as a Bearer token.
func (f *form) move(header http.Header, tok *oauth2.Token) {
	if auth := header.Get(authorization); auth == "Bearer "+tok.AccessToken {
		header.Del(authorization)
		f.place(header, auth)
	}
}

// complete adds the headers that a request to the API lacks.
func (f *form) complete(header http.Header) {
	for name, value := range f.headers {
		if !has(header, name) {
			header[name] = []string{value}
		}
	}
}

// has reports whether a header is there, under a key in any case.
func has(header http.Header, name string) bool {
	for key := range header {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}
