package oauthtest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is a request that the server has seen. Its exported fields hold no secret, and neither does what fmt, JSON and
// slog make of it; the accessors give the raw values.
type Request struct {
	Number    int64 // counts from 1
	Time      time.Time
	Method    string
	Host      string
	Path      string
	GrantType string // of a token request
	ClientID  string // as the request names it, proven or not
	TLS       bool
	Foreign   bool          // it went to a stranger
	Status    int           // 0 if it was not answered, or not yet
	Duration  time.Duration // by the server's clock
	Notes     []string      // what happened, such as "refreshed" or "fault"

	raw func() *rawRequest // a function, because fmt looks into pointers when a Request is an unexported field
}

type rawRequest struct {
	url    string
	header http.Header
	form   url.Values
}

// RawURL returns the URL with its query. It may hold secrets.
func (r Request) RawURL() string {
	if r.raw == nil {
		return ""
	}
	return r.raw().url
}

// RawHeader returns a copy of the header. It may hold secrets.
func (r Request) RawHeader() http.Header {
	if r.raw == nil {
		return nil
	}
	return r.raw().header.Clone()
}

// RawForm returns a copy of the form in the body, or nil if there was none. It may hold secrets.
func (r Request) RawForm() url.Values {
	if r.raw == nil || r.raw().form == nil {
		return nil
	}
	return url.Values(http.Header(r.raw().form).Clone())
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

// Format prints String under every verb.
func (r Request) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue is String, for slog.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (r Request) clone() Request {
	r.Notes = slices.Clone(r.Notes)
	return r
}

// recorder keeps the latest requests, counters, and what clients did that they should not. Server.mu guards it.
type recorder struct {
	limit     int
	number    int64
	kept      []*Request // a ring once it is full
	calls     map[string]int
	verifiers map[digest]bool
	offences  []string
}

func (rec *recorder) init(limit int) {
	switch {
	case limit == 0:
		limit = 4096
	case limit < 0:
		limit = 0
	}
	rec.limit = limit
	rec.calls = map[string]int{}
	rec.verifiers = map[digest]bool{}
}

func (rec *recorder) add(c *call, secure bool) *Request {
	rec.number++
	r := &Request{
		Number: rec.number, Time: c.now, Method: c.r.Method, Host: c.r.Host, Path: c.r.URL.Path,
		TLS: secure, Foreign: c.foreign,
	}
	if c.form != nil && c.r.URL.Path != PathAuthorize {
		r.GrantType = known(c.form.Get("grant_type"))
		rec.calls[r.GrantType]++
	}
	r.ClientID = c.claimedClient()
	rec.inspect(c, r)
	if rec.limit > 0 {
		raw := &rawRequest{url: c.r.URL.String(), header: c.r.Header.Clone(), form: c.form}
		r.raw = func() *rawRequest { return raw }
		if len(rec.kept) < rec.limit {
			rec.kept = append(rec.kept, r)
		} else {
			rec.kept[(rec.number-1)%int64(rec.limit)] = r
		}
	}
	return r
}

// known keeps a grant type only if it is one: a client that mixes its parameters up must not put a secret into it.
func known(grantType string) string {
	switch grantType {
	case "", "authorization_code", "refresh_token", "client_credentials":
		return grantType
	}
	return "other"
}

// claimedClient returns the registered app that the request names. Server.mu must be held.
func (c *call) claimedClient() string {
	id, _, _, _ := basicOf(c.r.Header, c.k.Token.RawBasic)
	for _, id := range []string{id, c.form.Get("client_id"), c.query.Get("client_id")} {
		if c.s.apps[id] != nil {
			return id
		}
	}
	return ""
}

// Requests returns the recorded requests, oldest first.
func (s *Server) Requests() []Request {
	return s.recorded(func(*Request) bool { return true })
}

// TokenRequests returns the recorded POST requests to PathToken, oldest first.
func (s *Server) TokenRequests() []Request {
	return s.recorded(func(r *Request) bool { return r.Path == PathToken && r.Method == http.MethodPost && !r.Foreign })
}

func (s *Server) recorded(match func(*Request) bool) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Request
	for _, r := range s.recorder.kept {
		if match(r) {
			list = append(list, r.clone())
		}
	}
	slices.SortFunc(list, func(a, b Request) int { return int(a.Number - b.Number) })
	return list
}

// TokenCalls counts the requests of a grant type ("authorization_code", "refresh_token", "client_credentials"), whatever
// became of them. It counts from the beginning, whatever the record still holds.
func (s *Server) TokenCalls(grantType string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recorder.calls[grantType]
}

// Audit reports, as one error, what clients did that no client should do: a client secret in a URL or body, a bearer
// token in a URL, credentials sent to a stranger or without TLS to X, a code_verifier used twice.
func (s *Server) Audit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []error
	for _, text := range s.recorder.offences {
		list = append(list, errors.New("oauthtest: "+text))
	}
	return errors.Join(list...)
}
