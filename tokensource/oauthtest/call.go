package oauthtest

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The paths that a Server answers. All but PathAuthorize are at api.x.com.
const (
	PathAuthorize  = "/i/oauth2/authorize"      // the page in the browser, at x.com
	PathToken      = "/2/oauth2/token"          // codes and refresh tokens
	PathRevoke     = "/2/oauth2/revoke"         // RFC 7009
	PathAppToken   = "/oauth2/token"            // app-only bearer tokens
	PathInvalidate = "/oauth2/invalidate_token" // and their end
	PathMe         = "/2/users/me"              // who the user is
	PathTweets     = "/2/tweets"                // GET lists posts, POST creates one
	PathStream     = "/2/tweets/search/stream"  // JSON lines without end
	PathEcho       = "/2/echo"                  // test helper: what arrived, as JSON, with the body's SHA-256
	PathRedirect   = "/2/redirect"              // test helper: redirects to APIKnobs.RedirectTo; ?status=307 for another status
)

// maxForm is how much of a form is read.
const maxForm = 1 << 20

// call is one request while it is being answered.
type call struct {
	s       *Server
	r       *http.Request
	ctx     context.Context //nolint:containedctx // a call lives as long as its request
	k       Knobs
	now     time.Time
	query   url.Values
	form    url.Values // the body of a form post; nil if it was none
	rec     *Request
	foreign bool
}

// answer is the whole server: it records, waits, applies faults and answers.
func (s *Server) answer(r *http.Request, secure, foreign bool) *reply {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	began := s.clock()
	c := &call{s: s, r: r, ctx: r.Context(), foreign: foreign}
	c.query, _ = url.ParseQuery(r.URL.RawQuery)
	if !foreign {
		c.readForm()
	}
	f, id := c.begin(secure)
	rep := c.serve(f)
	skewed := c.end(began, rep)
	rep.stamp(skewed, id)
	return rep
}

// begin takes note of the request and decides on a fault.
func (c *call) begin(secure bool) (*Fault, int64) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.k = c.s.knobs
	c.now = c.s.now()
	c.rec = c.s.recorder.add(c, secure)
	return c.s.pickFault(c.rec), c.rec.Number
}

func (c *call) serve(f *Fault) *reply {
	if err := wait(c.ctx, c.k.Latency); err != nil {
		return dropped(err)
	}
	if f == nil {
		return c.route()
	}
	return c.faulty(f)
}

// end completes the record and tells the observer. It returns the time that the server claims.
func (c *call) end(began time.Time, rep *reply) time.Time {
	c.s.mu.Lock()
	c.rec.Duration = c.s.clock().Sub(began)
	c.rec.Status = rep.status
	skewed := c.s.now().Add(c.k.ClockSkew)
	seen := c.rec.clone()
	c.s.mu.Unlock()
	if c.s.onRequest != nil {
		c.s.onRequest(seen)
	}
	return skewed
}

// note adds a remark to the record; it must hold no secret. The lock must not be held.
func (c *call) note(text string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.noteLocked(text)
}

func (c *call) noteLocked(text string) { c.rec.Notes = append(c.rec.Notes, text) }

func (c *call) route() *reply {
	if c.foreign {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.r.Body, maxForm))
		return newReply(http.StatusOK, typeText, "a stranger answers\n")
	}
	if rep := c.wrongHost(); rep != nil {
		return rep
	}
	switch c.r.URL.Path {
	case PathAuthorize:
		return c.authorize()
	case PathToken:
		return c.post(c.token)
	case PathRevoke:
		return c.post(c.revoke)
	case PathAppToken:
		return c.post(c.appToken)
	case PathInvalidate:
		return c.post(c.invalidate)
	case PathMe, PathTweets, PathStream, PathEcho, PathRedirect:
		return c.api()
	}
	return problem(http.StatusNotFound, bodyNotFound)
}

// wrongHost keeps the pages of x.com and the API of api.x.com apart where the request names one of them.
func (c *call) wrongHost() *reply {
	host, page := strings.TrimPrefix(c.r.Host, "api."), c.r.URL.Path == PathAuthorize
	switch {
	case host != "x.com" && host != "twitter.com", page == (host == c.r.Host):
		return nil
	}
	return problem(http.StatusNotFound, bodyNotFound)
}

func (c *call) post(serve func() *reply) *reply {
	if c.r.Method != http.MethodPost {
		return methodNotAllowed(http.MethodPost)
	}
	return serve()
}

// readForm reads the body of a form post to the server itself. What is no form stays unread and counts as empty.
func (c *call) readForm() {
	if c.r.Method != http.MethodPost || !slices.Contains(formPaths, c.r.URL.Path) {
		return
	}
	mediaType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if mediaType != "application/x-www-form-urlencoded" {
		return
	}
	raw, err := io.ReadAll(io.LimitReader(c.r.Body, maxForm))
	if err == nil {
		c.form, _ = url.ParseQuery(string(raw))
	}
}

var formPaths = []string{PathAuthorize, PathToken, PathRevoke, PathAppToken, PathInvalidate}
