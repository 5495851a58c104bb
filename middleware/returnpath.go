package middleware

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxReturnPath keeps a flow's cookie well under the 4 KiB that browsers keep.
const maxReturnPath = 2048

// localPath reports whether target is a path on this host for every program
// that may read it: a browser (which takes a backslash for a slash and drops
// tabs and line breaks), net/url, and a proxy that decodes once too often. It
// is strict: what no page of an app is called is refused (RFC 9700 section
// 4.11.1).
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
// do: url.PathUnescape gives up at the first percent sign that is none, and a
// bad path would hide behind it.
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
// or "" if it cannot be come back to. It reads what the client sent and not
// r.URL, which http.StripPrefix and others change.
func pageOf(r *http.Request) string {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") && r.URL != nil {
		target = r.URL.RequestURI()
	}
	if (r.Method != http.MethodGet && r.Method != http.MethodHead) || !localPath(target) {
		return "" // a form that was posted cannot be come back to
	}
	return target
}
