package oauthtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is a request that the server has seen. Its fields hold no secret. The
// raw values are in a closure, so that no verb of fmt, no JSON and no slog
// shows them.
type Request struct {
	Number int64 // counts from 1
	Time   time.Time
	Method string
	Host   string
	Path   string

	// Op is what the request is for: "authorize", "push", "token" (codes,
	// refresh tokens, client credentials), "revoke", "identity", "keys",
	// "logout", "api", or nothing.
	Op string

	GrantType string // of a token request
	ClientID  string // as the request names it, proven or not; empty if it is not registered

	// UserID and Grant are those of the token or code that the request brought,
	// good or not. Pair is the pair that the answer issued, and then Grant is
	// that pair's. Zero means none.
	UserID string
	Grant  int
	Pair   int

	// Count is the position of this request among those with the same Op,
	// GrantType, ClientID and UserID, counting from 1.
	Count int

	TLS      bool
	Foreign  bool          // it went to a stranger
	Status   int           // 0 if it was not answered, or not yet
	Duration time.Duration // by the server's clock
	Notes    []string      // what happened, such as "refreshed" or "fault"

	raw func() *rawRequest
}

type rawRequest struct {
	url    *url.URL
	header http.Header
	form   url.Values
}

// Raw returns the method, URL and header of the request, and its form in
// PostForm; all of them are copies. They may hold secrets. URL and Header are
// empty if the server keeps no record (Options.RecordLimit).
func (r Request) Raw() *http.Request {
	out := &http.Request{Method: r.Method, Host: r.Host, URL: &url.URL{Path: r.Path}, Header: http.Header{}}
	if r.raw == nil {
		return out
	}
	raw := r.raw()
	*out.URL = *raw.url
	out.Header = raw.header.Clone()
	if raw.form != nil {
		out.PostForm = url.Values(http.Header(raw.form).Clone())
	}
	return out
}

// String returns one line without secrets.
func (r Request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s%s", r.Number, r.Method, r.Host, (&url.URL{Path: r.Path}).EscapedPath())
	if r.GrantType != "" {
		fmt.Fprintf(&b, " %q", r.GrantType)
	}
	fmt.Fprintf(&b, " -> %d in %v", r.Status, r.Duration)
	if len(r.Notes) > 0 {
		b.WriteString(" (" + strings.Join(r.Notes, "; ") + ")")
	}
	return b.String()
}

func (r Request) clone() Request {
	r.Notes = slices.Clone(r.Notes)
	return r
}
