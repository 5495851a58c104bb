package middleware

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxReturnPath is the longest path that a login can end at. A flow drops a
// path that does not fit into its cookie (see flowCookie).
const maxReturnPath = 2048

// localPath reports whether target is a path on this host for every program
// that may read it: a browser, net/url, and a proxy that decodes once too
// often. A browser takes a backslash for a slash, and drops tabs and line
// breaks. It is strict: a path that no page of an app has is refused (RFC 9700
// section 4.11.1).
func localPath(target string) bool {
	if len(target) > maxReturnPath || !strings.HasPrefix(target, "/") {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return false
	}
	path := target
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		path = target[:i]
	}
	return plainPath(path)
}

// plainPath looks at a path at every depth of percent-encoding.
func plainPath(path string) bool {
	const depth = 8
	for range depth {
		if strings.HasPrefix(path, "//") || strings.ContainsFunc(path, unsafeInPath) {
			return false
		}
		segments := strings.Split(path, "/")
		if slices.Contains(segments, ".") || slices.Contains(segments, "..") {
			return false
		}
		decoded := unescape(path)
		if decoded == path {
			return true
		}
		path = decoded
	}
	return false
}

// unescape decodes what can be decoded and leaves the rest, as lenient programs
// do. url.PathUnescape ends at the first percent sign without two digits, and a
// bad path could hide behind it.
func unescape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func unsafeInPath(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }

// pageOf returns the local path, with its query, of the page that r asked for,
// as the browser knows it. It returns "" if the browser cannot be sent back to
// it, as after a form that was posted. It reads what the client sent and not
// r.URL, which http.StripPrefix and others change.
func (l *login) pageOf(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	target := l.site.public(r, escapeQuery(requestTarget(r)))
	if !localPath(target) {
		return ""
	}
	return target
}

// requestTarget returns path and query of r as the client sent them. A client
// of a proxy sends a whole URL.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") || r.URL == nil {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// escapeQuery escapes what browsers send in a query as it is, and what
// localPath refuses: a backslash, and bytes that are not ASCII.
func escapeQuery(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found {
		return target
	}
	var b strings.Builder
	b.WriteString(path + "?")
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c > '~' || c == '\\' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
